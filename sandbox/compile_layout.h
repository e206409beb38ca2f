// SPDX-License-Identifier: Apache-2.0
// What of a sandbox's root comes from where, decided before the first step, and which slots what is opened for it has. Pure.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sandbox/holders.h"
#include "sandbox/host_facts.h"
#include "sandbox/mount_order.h"
#include "sandbox/spec.h"

namespace wardenv::sandbox {

// Each of /dev, /etc and /var comes from the tree of all runs, from the kept view, or is made by the sandbox itself.
struct Layout {
  // REQUIRES: both outlive this object.
  Layout(const SandboxSpec& asked, const HostFacts& host, const Holders& chosen);

  const SandboxSpec& spec;
  const HostFacts& facts;
  const Holders holders;
  const MountOrder mounts;
  std::optional<std::vector<Top>> tops{};   // where the root comes from the tree of all runs
  bool shared = false;                      // it does
  std::vector<const char*> kept{};          // those of these places that the kept view has
  std::vector<std::size_t> early{};         // of mounts.early: those of the new root, and those of the tree
  std::vector<std::size_t> in_tree{};

  // True for what comes with the kept view.
  [[nodiscard]] bool is_kept(const std::string& path) const;

  // True for what this sandbox makes by itself: it comes neither with the tree nor with the kept view.
  [[nodiscard]] bool is_own(const std::string& path) const { return !shared && !is_kept(path); }

  // Folders of the run's own in a root that others see, too.
  [[nodiscard]] std::vector<std::string> bound_tops() const;

  [[nodiscard]] const FolderId& id_of_kept(std::string_view place) const;   // REQUIRES: spec.kept

  // Control group, devices, the kept view, mounts: the slots of what is done ahead do not depend on the mounts of the single run, which come last.
  [[nodiscard]] int cgroup_slots() const;
  [[nodiscard]] int slot_of_device(std::size_t device) const;
  [[nodiscard]] int slot_of_tree() const { return slot_of_device(0); }   // what the tree has is not opened again
  [[nodiscard]] int slot_of_kept(std::size_t place) const;               // an index of `kept`
  [[nodiscard]] int slot_of_shm() const;
  [[nodiscard]] int slot_of_mount(std::size_t mount) const;
};

}  // namespace wardenv::sandbox
