// SPDX-License-Identifier: Apache-2.0
// MountWatch: whether anything was mounted or unmounted where we are.
#pragma once

#include "sandbox/base/unique_fd.h"

namespace wardenv::engine {

class MountWatch {
 public:
  MountWatch();

  // Whether the mounts of our mount namespace changed since it was asked last, or made (proc(5), /proc/self/mounts: POLLPRI). True where that can't be told.
  [[nodiscard]] bool changed();

 private:
  UniqueFd mounts_;
};

}  // namespace wardenv::engine
