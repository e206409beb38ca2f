// SPDX-License-Identifier: Apache-2.0
// The parts of compile(), a subject a file; compile.cc says in which order they come. Each adds steps, and looks at nothing but the layout.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "sandbox/compile_layout.h"
#include "sandbox/plan.h"

namespace wardenv::sandbox {

inline constexpr std::uint64_t kReadOnly = 0x1, kNoSuid = 0x2, kNoDev = 0x4, kNoExec = 0x8;  // MOUNT_ATTR_* of mount_setattr(2)
// A device is read and written all the same; its times, which are the host's, are not.
inline constexpr std::uint64_t kDeviceAttributes = kReadOnly | kNoSuid | kNoExec;

// The steps of a plan, as they are added.
class StepList {
 public:
  // REQUIRES: `steps` outlives this object.
  explicit StepList(std::vector<PlanStep>& steps) : steps_(steps) {}

  void add(PlanStep step);
  void add_all(std::vector<PlanStep> steps);

  // A folder of the root, once. Parents first, so that each is one mkdir(2).
  void folder(const std::string& path, std::uint64_t mode);

  // What is added in between is done once for all runs, in a root of their own: the tree.
  void begin_tree() { in_tree_ = true; }
  void end_tree();

  [[nodiscard]] std::uint32_t count() const { return static_cast<std::uint32_t>(steps_.size()); }

 private:
  std::vector<PlanStep>& steps_;
  std::vector<std::string> folders_;   // of the root that is made now
  bool in_tree_ = false;
};

// compile_process.cc: the process, its namespaces, its user, its control group.
void clone_process(const Layout& layout, LaunchPlan& plan, StepList& steps);
void name_network(const Layout& layout, StepList& steps);
void become_user(const Layout& layout, StepList& steps);
void join_cgroup(const Layout& layout, LaunchPlan& plan, StepList& steps);
void listen_for_proxy(const Layout& layout, StepList& steps);

// compile_tree.cc: the root that is made once for all runs of a resident launcher, and this run's copy of it.
void make_tree(const Layout& layout, StepList& steps);

// compile_root.cc: folders, files and links of the root, and its /proc.
enum class Part { kEarly, kLate };
void make_root(const Layout& layout, StepList& steps);
void make_covers(StepList& steps);
void make_system_files(const Layout& layout, StepList& steps);
void make_symlinks(const Layout& layout, Part part, StepList& steps);
void mount_proc(const Layout& layout, StepList& steps);
void seal_root(const Layout& layout, StepList& steps);

// compile_devices.cc: /dev, where it is not kept.
void open_devices(const Layout& layout, StepList& steps);
void attach_devices(const Layout& layout, StepList& steps);

// compile_kept.cc: what single runs are shown of /dev, /etc and /var.
void open_kept(const Layout& layout, StepList& steps);
void attach_kept(const Layout& layout, StepList& steps);

// compile_mounts.cc: the host's folders and files. `mounts` are indices of spec.mounts.
void open_mounts(const Layout& layout, const std::vector<std::size_t>& mounts, StepList& steps);
void attach_mounts(const Layout& layout, const std::vector<std::size_t>& mounts, StepList& steps);
void protect_paths(const Layout& layout, StepList& steps);

// For the others, too. `attributes` are MOUNT_ATTR_*; where an `id` is given, it has to be that folder.
void open_tree(const Layout& layout, const std::string& source, int slot, std::uint16_t flags, std::uint64_t attributes, StepList& steps,
               const FolderId& id = {});
void attach_own(int slot, const char* place, StepList& steps);

}  // namespace wardenv::sandbox
