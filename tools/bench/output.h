// SPDX-License-Identifier: Apache-2.0
// All numbers of one run of the bench, as tables and as JSON.
#pragma once

#include <cstdio>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "tools/bench/contestant.h"
#include "tools/bench/host.h"
#include "tools/bench/latency.h"
#include "tools/bench/library.h"
#include "tools/bench/throughput.h"
#include "tools/bench/watchdog.h"

namespace wardenv::bench {

struct LatencyResult {
  std::string payload{};
  int gap_ms = 0;  // 0: back to back
  std::vector<Series> series{};
};

struct Results {
  HostDescription host{};
  double load_before = 0;
  double load_after = 0;
  double seconds = 0;
  std::vector<Contestant> contestants{};  // also the absent ones
  std::vector<LatencyResult> latency{};
  std::vector<Throughput> throughput{};
  std::optional<Memory> memory{};
  std::vector<Overshoot> overshoot{};
};

void print_tables(const Results& results, std::FILE* to);
nlohmann::ordered_json to_json(const Results& results);

// Whether everything that was asked could be measured.
bool complete(const Results& results);

}  // namespace wardenv::bench
