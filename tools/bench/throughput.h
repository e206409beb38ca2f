// SPDX-License-Identifier: Apache-2.0
// How many complete sandboxes a second, with several workers side by side.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "tools/bench/contestant.h"

namespace wardenv::bench {

struct Throughput {
  std::string contestant{};
  int workers = 1;
  double seconds = 0;
  int completed = 0;
  int failures = 0;
  std::string first_failure{};
  [[nodiscard]] double per_second() const { return seconds > 0 ? completed / seconds : 0; }
};

struct ThroughputPlan {
  std::vector<int> workers{1, 2, 4};
  int slices = 0;  // each pair of contestant and workers gets so many turns, shuffled
  std::chrono::milliseconds slice{500};
  unsigned seed = 1;
};

std::vector<Throughput> measure_throughput(const std::vector<Contestant>& contestants, const Payload& payload,
                                           const ThroughputPlan& plan);

}  // namespace wardenv::bench
