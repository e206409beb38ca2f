// SPDX-License-Identifier: Apache-2.0
#include "engine/mount_watch.h"

#include <fcntl.h>
#include <poll.h>


namespace wardenv::engine {

MountWatch::MountWatch() : mounts_(above_stdio(UniqueFd(::open("/proc/self/mounts", O_RDONLY | O_CLOEXEC)))) {}

bool MountWatch::changed() {
  pollfd state{mounts_.get(), POLLPRI, 0};
  return !mounts_.valid() || ::poll(&state, 1, 0) != 0;
}

}  // namespace wardenv::engine
