// SPDX-License-Identifier: Apache-2.0
#include "engine/habit.h"

namespace wardenv::engine {

bool Habit::again(const std::vector<std::uint8_t>& ready, bool found) {
  const std::lock_guard lock(mutex_);
  const bool same = last_ == ready;
  if (!same) last_ = ready;
  hoped_ = same && (found || !hoped_);
  return hoped_;
}

}  // namespace wardenv::engine
