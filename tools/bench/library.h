// SPDX-License-Identifier: Apache-2.0
// The resident launcher through the library: as a contestant, and what it costs in memory.
#pragma once

#include <cstdint>

#include "engine/engine.h"
#include "tools/bench/contestant.h"
#include "tools/bench/site.h"

namespace wardenv::bench {

// REQUIRES: `engine` and `site` outlive the contestant.
Contestant library_contestant(engine::Engine& engine, const Site& site);

struct Memory {
  std::uint64_t launcher_rss_bytes = 0;   // VmRSS of the launcher, idle
  std::uint64_t launcher_peak_bytes = 0;  // VmHWM
  std::uint64_t output_bytes = 0;         // what the command printed, all of it seen
  double output_seconds = 0;
  std::uint64_t engine_before_bytes = 0;   // VmRSS of this process before the command
  std::uint64_t engine_highest_bytes = 0;  // the highest while it printed
  std::string error{};
  [[nodiscard]] std::uint64_t engine_moved_bytes() const {
    return engine_highest_bytes > engine_before_bytes ? engine_highest_bytes - engine_before_bytes : 0;
  }
};

// Runs a command that prints so many bytes, with a sink that discards them, and watches our own memory.
Memory measure_output(engine::Engine& engine, const Site& site, std::uint64_t bytes);

void read_launcher_memory(const engine::Engine& engine, Memory& memory);

}  // namespace wardenv::bench
