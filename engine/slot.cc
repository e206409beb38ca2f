// SPDX-License-Identifier: Apache-2.0
#include "engine/slot.h"

#include <poll.h>

namespace wardenv::engine {

bool await_end(Slot& slot) {
  constexpr int kPatienceMs = 1000;
  pollfd state{slot.control.get(), 0, 0};
  const bool gone = slot.control.valid() && ::poll(&state, 1, kPatienceMs) == 1;
  slot.control.reset();
  return gone;
}

void put_away(Slot& slot) {
  await_end(slot);
  slot.leaf.remove();
}

}  // namespace wardenv::engine
