// SPDX-License-Identifier: Apache-2.0
// What a sandbox has of the host: opened, attached, and held in its place.
#include <algorithm>

#include "sandbox/compile_parts.h"

namespace wardenv::sandbox {
namespace {

using wire::Op;

// A folder on the way is bound over itself: what is a mount point can't be renamed (rename(2), EBUSY). `held` are those that are already.
void hold_way_to(const SandboxSpec& spec, const std::string& path, std::vector<std::string>& held, StepList& steps) {
  for (const std::string& folder : folders_between(spec, path)) {
    if (std::find(held.begin(), held.end(), folder) != held.end()) continue;
    held.push_back(folder);
    steps.add({.op = Op::kRebind, .flags = wire::kFlagWritable, .text = folder, .a = kNoSuid | kNoDev});
  }
}

}  // namespace

void open_tree(const Layout& layout, const std::string& source, int slot, std::uint16_t flags, std::uint64_t attributes, StepList& steps,
               const FolderId& id) {
  if (layout.facts.is_root()) flags |= wire::kFlagByLauncher;
  steps.add({.op = Op::kOpenTree, .flags = flags, .slot = slot, .text = source, .a = id.inode, .b = attributes, .c = id.device});
}

void attach_own(int slot, const char* place, StepList& steps) { steps.add({.op = Op::kAttach, .flags = wire::kFlagOwnRoot, .slot = slot, .text = place}); }

void open_mounts(const Layout& layout, const std::vector<std::size_t>& mounts, StepList& steps) {
  for (std::size_t index : mounts) {
    const Mount& mount = layout.spec.mounts[index];
    std::uint16_t flags = mount.optional ? wire::kFlagOptional : 0;
    if (mount.owner_mapped && layout.facts.is_root()) flags |= wire::kFlagOwnerMapped;
    open_tree(layout, mount.source, layout.slot_of_mount(index), flags, kNoSuid | kNoDev | (mount.writable == Writable::kYes ? 0 : kReadOnly), steps);
  }
}

void attach_mounts(const Layout& layout, const std::vector<std::size_t>& mounts, StepList& steps) {
  for (std::size_t index : mounts) {
    const Mount& mount = layout.spec.mounts[index];
    std::uint16_t flags = mount.optional ? wire::kFlagOptional : 0;
    if (in_own_root(layout.spec, mount)) flags |= wire::kFlagOwnRoot;
    steps.add({.op = Op::kAttach, .flags = flags, .slot = layout.slot_of_mount(index), .text = mount.target});
  }
}

// What is read-only stays at its place as well: the venv and its Python, where they lie in a writable mount, and protected paths.
void protect_paths(const Layout& layout, StepList& steps) {
  std::vector<std::string> held;
  for (const std::string& target : read_only_targets(layout.spec)) hold_way_to(layout.spec, target, held, steps);
  for (const std::string& path : layout.spec.read_only_again) {
    hold_way_to(layout.spec, path, held, steps);
    steps.add({.op = Op::kRebind, .text = path, .a = kReadOnly | kNoSuid | kNoDev});
  }
}

}  // namespace wardenv::sandbox
