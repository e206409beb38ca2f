// SPDX-License-Identifier: Apache-2.0
// The options of wardenv-bench.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace wardenv::bench {

inline constexpr const char* kParts[] = {"latency", "gaps", "throughput", "memory", "watchdog"};

struct Options {
  std::string wardenv{};  // default: beside our own program
  std::string hog{};      // the same
  std::string json{};
  std::vector<std::string> parts{std::begin(kParts), std::end(kParts)};
  std::vector<std::string> only{};  // names of contestants; empty: all
  int rounds = 0;                   // back to back; 0: by default or --quick
  int gap_rounds = 0;
  int gap_ms = 100;
  unsigned seed = 1;
  std::uint64_t output_bytes = 0;
  int slices = 0;
  int overshoot_runs = 0;
  uid_t user = 65533;
  bool quick = false;

  [[nodiscard]] bool wants(const std::string& part) const;
};

// Ends the program after --help or a wrong option.
Options parse_options(int argc, char** argv);

}  // namespace wardenv::bench
