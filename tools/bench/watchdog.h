// SPDX-License-Identifier: Apache-2.0
// How far the fastest allocation gets past --memory, as an ordinary user.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "tools/bench/site.h"

namespace wardenv::bench {

// The worst of several runs.
struct Overshoot {
  std::string pages{};  // small, huge
  int runs = 0;
  std::uint64_t limit_bytes = 0;
  std::uint64_t peak_bytes = 0;     // usage.peak_memory_bytes of the report
  std::uint64_t touched_bytes = 0;  // what the program itself counted
  std::string held_by{};            // enforced.memory of the report
  std::string error{};
  [[nodiscard]] double percent_over() const {
    const auto highest = static_cast<double>(peak_bytes > touched_bytes ? peak_bytes : touched_bytes);
    return limit_bytes > 0 ? 100 * (highest / static_cast<double>(limit_bytes) - 1) : 0;
  }
};

struct OvershootPlan {
  std::string wardenv{};  // the program; wardenv-launcher is beside it
  std::string hog{};
  uid_t user = 65533;  // whom root becomes; an ordinary user stays who they are
  int runs = 5;
};

std::vector<Overshoot> measure_overshoot(const Site& site, const OvershootPlan& plan);

}  // namespace wardenv::bench
