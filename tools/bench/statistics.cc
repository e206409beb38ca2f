// SPDX-License-Identifier: Apache-2.0
// What a list of times says.
#include "tools/bench/statistics.h"

#include <algorithm>
#include <cmath>

namespace wardenv::bench {
namespace {

double percentile(const std::vector<double>& sorted, double part) {
  const auto rank = static_cast<std::size_t>(std::ceil(part * static_cast<double>(sorted.size())));
  return sorted[std::max<std::size_t>(rank, 1) - 1];
}

}  // namespace

Summary summarise(std::vector<double> ms) {
  if (ms.empty()) return {};
  std::sort(ms.begin(), ms.end());
  return {ms.size(), ms.front(), percentile(ms, 0.50), percentile(ms, 0.90), percentile(ms, 0.99)};
}

}  // namespace wardenv::bench
