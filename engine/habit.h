// SPDX-License-Identifier: Apache-2.0
// What the last runs of an engine were like: the next is taken to be like them.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <vector>

namespace wardenv::engine {

class Habit {
 public:
  // `ready`: encode_ready() of a run's plan; `found`: whether a sandbox was made ready for it. True where the next one may be made ready, too: the run
  // before had the same, and what was made ready for this one, if anything was, served.
  bool again(const std::vector<std::uint8_t>& ready, bool found);

  void note_end(double wall_ms) { took_ms_ = wall_ms; }

  // Runs that are over sooner need the next sandbox at once.
  [[nodiscard]] bool is_long() const { return took_ms_ >= 4; }

 private:
  std::mutex mutex_;
  std::vector<std::uint8_t> last_;
  bool hoped_ = false;
  std::atomic<double> took_ms_ = 0;
};

}  // namespace wardenv::engine
