// SPDX-License-Identifier: Apache-2.0
// What a list of times says.
#pragma once

#include <cstddef>
#include <vector>

namespace wardenv::bench {

// Nearest-rank percentiles; all zero where there is no sample.
struct Summary {
  std::size_t count = 0;
  double min = 0;
  double p50 = 0;
  double p90 = 0;
  double p99 = 0;
};

Summary summarise(std::vector<double> ms);

}  // namespace wardenv::bench
