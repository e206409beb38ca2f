// SPDX-License-Identifier: Apache-2.0
// A clock that tests move.
#pragma once

#include <atomic>
#include <string>

#include "policy/state/clock.h"

namespace wardenv::testing {

class FakeClock final : public policy::Clock {
 public:
  FakeClock() = default;
  FakeClock(std::int64_t wall, std::int64_t steady, std::string boot) : wall_(wall), steady_(steady), boot_(std::move(boot)) {}

  // Real time passes.
  void pass(std::int64_t ms) {
    wall_ += ms;
    steady_ += ms;
  }
  // Somebody sets the wall clock.
  void step(std::int64_t ms) { wall_ += ms; }
  [[nodiscard]] std::int64_t wall() const { return wall_; }
  [[nodiscard]] std::int64_t steady() const { return steady_; }

  [[nodiscard]] policy::Instant now() const override { return {std::chrono::milliseconds(wall_), std::chrono::milliseconds(steady_)}; }
  [[nodiscard]] std::string boot_id() const override { return boot_; }

 private:
  std::atomic<std::int64_t> wall_{1'700'000'000'000};
  std::atomic<std::int64_t> steady_{5'000'000};
  std::string boot_ = "boot 1";
};

}  // namespace wardenv::testing
