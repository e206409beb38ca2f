// SPDX-License-Identifier: Apache-2.0
// Descriptors 0 to 2 are the standard streams', also where the caller has closed them: else the next socket or file of ours gets the number,
// and what is meant for a stream goes there. For the launcher, too: no library needed.
#pragma once

#include <fcntl.h>
#include <unistd.h>

namespace wardenv {

// Puts in the place of each closed one what can be neither read nor written (EBADF, as if it were still closed) and opens nothing to
// whoever gets it: /dev/null by O_PATH. False with errno where that can't be had.
inline bool hold_standard_fds() {
  for (int fd = 0; fd <= STDERR_FILENO; ++fd) {
    if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_PATH) != fd) return false;   // the lowest free number
  }
  return true;
}

}  // namespace wardenv
