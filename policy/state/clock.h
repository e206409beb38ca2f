// SPDX-License-Identifier: Apache-2.0
// Clock: the time that the stores of quotas and approvals count by. Injected, so that tests can step it.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

namespace wardenv::policy {

// Two clocks, read together. `steady` never steps and runs through suspend (CLOCK_BOOTTIME); `wall` is UTC since 1970 and may be set.
struct Instant {
  std::chrono::milliseconds wall{0};
  std::chrono::milliseconds steady{0};
};

// Thread-safe. `steady` of two readings may be compared where boot_id() is the same: one boot, one time namespace.
class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual Instant now() const = 0;
  [[nodiscard]] virtual std::string boot_id() const = 0;
};

// What a store counts by. `at` never runs backward and never steps; `wall` is UTC as the host shows it. Milliseconds.
struct Moment {
  std::int64_t at = 0;
  std::int64_t wall = 0;
};

// The host's clocks.
std::shared_ptr<const Clock> system_clock();

}  // namespace wardenv::policy
