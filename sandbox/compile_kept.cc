// SPDX-License-Identifier: Apache-2.0
// Those of /dev, /etc and /var that the kept view has (README.md, "What single runs are shown").
#include <string_view>

#include "sandbox/compile_parts.h"

namespace wardenv::sandbox {
namespace {

using wire::Op;

// /dev/shm is the run's own: taken out from under what covers it.
void open_shm(int slot, StepList& steps) {
  steps.add({.op = Op::kOpenTree, .flags = wire::kFlagOwnRoot | wire::kFlagWritable, .slot = slot, .text = "/dev/shm", .b = kNoSuid | kNoDev});
}

}  // namespace

void open_kept(const Layout& layout, StepList& steps) {
  for (std::size_t i = 0; i < layout.kept.size(); ++i) {
    const char* place = layout.kept[i];
    const bool devices = place == std::string_view("/dev") && layout.spec.kept->has_devices;
    const std::uint64_t attributes = devices ? kDeviceAttributes : kReadOnly | kNoSuid | kNoDev;
    open_tree(layout, layout.spec.kept->path + place, layout.slot_of_kept(i), 0, attributes, steps, layout.id_of_kept(place));
  }
}

// Before what is mounted in it.
void attach_kept(const Layout& layout, StepList& steps) {
  const int shm = layout.slot_of_shm();
  if (layout.is_kept("/dev")) open_shm(shm, steps);
  for (std::size_t i = 0; i < layout.kept.size(); ++i) attach_own(layout.slot_of_kept(i), layout.kept[i], steps);
  if (layout.is_kept("/dev")) attach_own(shm, "/dev/shm", steps);
}

}  // namespace wardenv::sandbox
