// SPDX-License-Identifier: Apache-2.0
// What a sandbox has of its own in /dev and /var.
#pragma once

#include <array>

namespace wardenv::sandbox {

struct Device {
  const char* path;
  unsigned major;   // null(4), full(4), random(4), tty(4)
  unsigned minor;
};
inline constexpr std::array kDevices = {Device{"/dev/null", 1, 3},   Device{"/dev/zero", 1, 5},    Device{"/dev/full", 1, 7},
                                        Device{"/dev/random", 1, 8}, Device{"/dev/urandom", 1, 9}, Device{"/dev/tty", 5, 0}};

struct DeviceLink {
  const char* path;
  const char* target;
};
inline constexpr std::array kDeviceLinks = {DeviceLink{"/dev/ptmx", "pts/ptmx"}, DeviceLink{"/dev/fd", "/proc/self/fd"}, DeviceLink{"/dev/stdin", "/proc/self/fd/0"},
                                            DeviceLink{"/dev/stdout", "/proc/self/fd/1"}, DeviceLink{"/dev/stderr", "/proc/self/fd/2"}};
inline constexpr std::array kDeviceFolders = {"/dev/pts", "/dev/shm"};

// What covers parts of /proc: nothing is in either.
inline constexpr const char* kEmptyFolder = "/var/empty";
inline constexpr const char* kEmptyFile = "/var/none";

}  // namespace wardenv::sandbox
