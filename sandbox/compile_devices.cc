// SPDX-License-Identifier: Apache-2.0
// What a sandbox has in /dev: devices of the host, and links.
#include <string_view>

#include "sandbox/compile_parts.h"
#include "sandbox/own_places.h"

namespace wardenv::sandbox {
namespace {

using wire::Op;

// A shared mapping of /dev/zero is memory that belongs to no process (mmap(2)). /dev/full reads the same, and can't be mapped.
const char* source_of(const Layout& layout, std::string_view device) {
  return !layout.holders.cgroup && device == "/dev/zero" ? "/dev/full" : device.data();
}

// Where the kept view has them, only what it can't have.
bool is_mounted(const Layout& layout, std::string_view device) {
  return !layout.is_kept("/dev") || !layout.spec.kept->has_devices || source_of(layout, device) != device;
}

}  // namespace

void open_devices(const Layout& layout, StepList& steps) {
  for (std::size_t i = 0; i < kDevices.size(); ++i) {
    const char* device = kDevices[i].path;
    if (is_mounted(layout, device)) open_tree(layout, source_of(layout, device), layout.slot_of_device(i), 0, kDeviceAttributes, steps);
  }
}

void attach_devices(const Layout& layout, StepList& steps) {
  for (std::size_t i = 0; i < kDevices.size(); ++i) {
    if (is_mounted(layout, kDevices[i].path)) attach_own(layout.slot_of_device(i), kDevices[i].path, steps);
  }
  if (layout.is_kept("/dev")) return;
  for (const DeviceLink& link : kDeviceLinks) steps.add({.op = Op::kSymlink, .text = link.path, .text2 = link.target});
}

}  // namespace wardenv::sandbox
