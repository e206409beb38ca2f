// SPDX-License-Identifier: Apache-2.0
// Start-to-exit times of all contestants, interleaved.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "tools/bench/contestant.h"

namespace wardenv::bench {

struct Series {
  std::string contestant{};
  std::vector<double> ms{};  // of the runs that exited with 0, and of no others
  int failures = 0;
  std::string first_failure{};
};

struct LatencyPlan {
  int rounds = 0;
  int warm_up_rounds = 3;            // not counted
  std::chrono::milliseconds gap{0};  // quiet before each call
  unsigned seed = 1;
};

// Round robin, in an order that is shuffled anew for every round, so that what one contestant leaves behind
// (a network namespace that the kernel tears down later, warm caches) falls on all alike.
std::vector<Series> measure_latency(const std::vector<Contestant>& contestants, const Payload& payload,
                                    const LatencyPlan& plan);

// Runs `sh -c 'exit 42'` in each; one that does not answer 42 becomes absent, with the reason.
void self_check(std::vector<Contestant>& contestants, const std::string& stderr_path);

}  // namespace wardenv::bench
