// SPDX-License-Identifier: Apache-2.0
// The root that all runs of a resident launcher see (README.md, "What all runs of a launcher share").
#include "sandbox/compile_parts.h"
#include "sandbox/own_places.h"

namespace wardenv::sandbox {

void make_tree(const Layout& layout, StepList& steps) {
  steps.add({.op = wire::Op::kTree, .flags = wire::kFlagByLauncher});
  steps.begin_tree();
  open_mounts(layout, layout.in_tree, steps);
  open_devices(layout, steps);
  make_covers(steps);
  make_system_files(layout, steps);
  attach_mounts(layout, layout.in_tree, steps);
  for (const char* point : kDeviceFolders) steps.folder(point, 0755);
  for (const std::string& point : {std::string("/tmp"), std::string("/proc"), layout.spec.home}) steps.folder(point, 0755);
  for (const Top& top : *layout.tops) steps.folder(top.path, 0755);
  attach_devices(layout, steps);
  steps.add({.op = wire::Op::kKeepTree});
  steps.end_tree();
  steps.add({.op = wire::Op::kOpenTree, .flags = wire::kFlagByLauncher | wire::kFlagFromTree, .slot = layout.slot_of_tree(), .text = "/"});
}

}  // namespace wardenv::sandbox
