// SPDX-License-Identifier: Apache-2.0
// The arithmetic of windows, the same for every store.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <string_view>

#include "policy/quota/store.h"

namespace wardenv::policy {

struct CounterName {
  std::string_view key;
  std::int64_t window = 0;
  WindowMode mode = WindowMode::kSliding;
};

// Refuses windows that are empty or longer than the arithmetic allows.
Status check_window(std::chrono::milliseconds window);

struct Event {
  std::int64_t at = 0;
  std::uint64_t amount = 0;
};

// A span is closed at both ends, and a time is cut to the millisecond: so an event stops counting one millisecond after its window.
inline bool has_passed(std::int64_t event_at, std::int64_t window, std::int64_t now) { return event_at < now - window; }
inline std::int64_t free_after(std::int64_t event_at, std::int64_t window) { return event_at + window + 1; }

// What is left of the events of one counter. Events of one millisecond are one.
class SlidingWindow {
 public:
  void drop_passed(std::int64_t window, std::int64_t now);
  void add(std::int64_t now, std::uint64_t amount);
  void take_back(std::int64_t at, std::uint64_t amount);
  [[nodiscard]] std::uint64_t used() const { return total_; }
  // When (by `at`) at most `keep` is left.
  [[nodiscard]] std::int64_t free_at(std::int64_t window, std::uint64_t keep) const;
  [[nodiscard]] bool all_passed(std::int64_t window, std::int64_t now) const {
    return events_.empty() || has_passed(events_.back().at, window, now);
  }

 private:
  std::deque<Event> events_{};
  std::uint64_t total_ = 0;
};

// The open calendar window of one counter. Another one opens when the calendar names another, but never sooner than one length after the last
// use of the window before the open one: however the clock is stepped, no span of that length meets three windows.
struct FixedWindow {
  static constexpr std::int64_t kNever = INT64_MIN / 2;

  std::int64_t index = kNever;        // wall / length
  std::int64_t opened = kNever;       // by `at`; tells two windows of the same index apart
  std::int64_t last = kNever;         // by `at`: the last use
  std::int64_t before_last = kNever;  // by `at`: the last use of the window before
  std::uint64_t count = 0;

  void advance(std::int64_t window, Moment now);
  void add(std::int64_t now, std::uint64_t amount);
  void take_back(std::int64_t opened_at, std::uint64_t amount);
  // When (by wall) the next window opens, where the clock is not stepped again.
  [[nodiscard]] std::int64_t next_opens(std::int64_t window, Moment now) const;
  [[nodiscard]] bool all_passed(std::int64_t window, Moment now) const;
};

std::int64_t calendar_index(std::int64_t wall, std::int64_t window);   // rounds down, before 1970 too

inline bool fits(std::uint64_t used, std::uint64_t need, std::uint64_t max) { return need == 0 || (used <= max && need <= max - used); }

}  // namespace wardenv::policy
