// SPDX-License-Identifier: Apache-2.0
// A sandbox's root: its folders, files and links, what the command may write of it, and /proc.
#include "sandbox/compile_parts.h"
#include "sandbox/own_places.h"

namespace wardenv::sandbox {
namespace {

using wire::Op;

constexpr std::uint64_t kSkeletonBytes = 128ULL << 10, kSkeletonInodes = 512;  // of the root tmpfs, beside what the command gets

// Of the run's own tmpfs.
void bind_own(const std::string& path, StepList& steps) {
  steps.add({.op = Op::kRebind, .flags = wire::kFlagWritable | wire::kFlagOwnRoot, .text = path, .a = kNoSuid | kNoDev});
}

void folder_of(const std::string& path, StepList& steps) {
  if (auto end = path.rfind('/'); end > 0) steps.folder(path.substr(0, end), 0755);
}

}  // namespace

void make_root(const Layout& layout, StepList& steps) {
  const SandboxSpec& spec = layout.spec;
  const std::uint16_t from = layout.shared ? wire::kFlagFromTree : 0;
  const int tree = layout.shared ? layout.slot_of_tree() : -1;
  steps.add({.op = Op::kNewRoot, .flags = from, .slot = tree, .a = spec.limits.tmp_bytes + kSkeletonBytes, .b = spec.limits.tmp_inodes + kSkeletonInodes});
  steps.folder("/tmp", 01777);
  steps.folder("/dev/shm", 01777);
  if (!layout.shared) steps.folder("/proc", 0755);
  steps.folder(spec.home, 0700);
  for (const std::string& top : layout.bound_tops()) steps.folder(top, 0755);
  if (layout.is_own("/var")) make_covers(steps);
  if (!layout.shared) make_system_files(layout, steps);
  for (const std::string& top : layout.bound_tops()) bind_own(top, steps);   // HOME may lie in one
  for (const std::string& path : {std::string("/tmp"), std::string("/dev/shm"), spec.home}) {
    if (!layout.is_kept(path)) bind_own(path, steps);
  }
}

void make_covers(StepList& steps) {
  steps.folder(kEmptyFolder, 0555);
  steps.add({.op = Op::kFile, .text = kEmptyFile, .a = 0444, .b = 0});
}

void make_system_files(const Layout& layout, StepList& steps) {
  if (!layout.is_kept("/etc")) steps.folder("/etc", 0755);
  for (const SyntheticFile& file : layout.spec.files) {
    if (layout.is_kept(file.path)) continue;
    folder_of(file.path, steps);
    steps.add({.op = Op::kFile, .text = file.path, .text2 = file.content, .a = 0444, .b = file.content.size()});
  }
  make_symlinks(layout, Part::kEarly, steps);
}

void make_symlinks(const Layout& layout, Part part, StepList& steps) {
  for (const Symlink& link : own_symlinks(layout.spec)) {
    if (link.stable != (part == Part::kEarly) || layout.is_kept(link.path)) continue;
    folder_of(link.path, steps);
    steps.add({.op = Op::kSymlink, .text = link.path, .text2 = link.target});
  }
}

void mount_proc(const Layout& layout, StepList& steps) {
  steps.add({.op = Op::kProc, .text = "/proc"});
  steps.add({.op = Op::kNoNestedUserns});
  steps.add({.op = Op::kRebind, .text = "/proc/sys", .a = kReadOnly | kNoSuid | kNoDev});
  if (!layout.is_own("/var")) return;
  for (const char* cover : {kEmptyFolder, kEmptyFile}) steps.add({.op = Op::kRebind, .text = cover, .a = kReadOnly | kNoSuid | kNoDev});
}

// A root that others see, too, is read-only from the beginning.
void seal_root(const Layout& layout, StepList& steps) {
  if (!layout.shared) steps.add({.op = Op::kSealRoot});
  for (const std::string& top : layout.bound_tops()) steps.add({.op = Op::kSealRoot, .text = top});
}

}  // namespace wardenv::sandbox
