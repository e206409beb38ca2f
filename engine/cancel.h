// SPDX-License-Identifier: Apache-2.0
// Whoever waits for somebody hears of a cancel by a descriptor that becomes readable, and stays so.
#pragma once

#include <poll.h>

namespace wardenv::engine {

// -1: nobody can cancel. What is not open at all counts as cancelled.
inline bool is_cancelled(int cancel_fd) {
  pollfd state{cancel_fd, POLLIN, 0};
  return cancel_fd >= 0 && ::poll(&state, 1, 0) > 0;
}

}  // namespace wardenv::engine
