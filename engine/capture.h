// SPDX-License-Identifier: Apache-2.0
// Capture: keeps the head and the tail of a stream in bounded memory and counts all of it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "engine/engine.h"

namespace wardenv::engine {

// Whether so much can be kept of each stream, and told in a report, where a byte may take six. Error kBadInput: more than a 32nd of the host's memory.
Status can_keep(std::uint64_t limit);

class Capture {
 public:
  // Keeps at most `limit` bytes: half from the beginning, half from the end.
  explicit Capture(std::uint64_t limit) : head_limit_(limit - limit / 2), tail_limit_(limit / 2) {}

  void add(std::string_view chunk);
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
  [[nodiscard]] bool over_limit() const { return bytes_ > head_limit_ + tail_limit_; }

  // Head, a line that says how much is missing, tail; or all of it where it fitted.
  [[nodiscard]] CapturedStream take();

 private:
  void add_to_tail(std::string_view chunk);

  std::uint64_t head_limit_;
  std::uint64_t tail_limit_;
  std::uint64_t bytes_ = 0;
  std::string head_;
  std::string tail_;          // a ring of tail_limit_ bytes once it is full
  std::size_t ring_start_ = 0;
};

}  // namespace wardenv::engine
