// SPDX-License-Identifier: Apache-2.0
// The arithmetic of windows.
#include "policy/quota/windows.h"

#include <algorithm>

namespace wardenv::policy {

Status check_window(std::chrono::milliseconds window) {
  constexpr auto kLongest = std::chrono::hours(24 * 36525);
  if (window >= std::chrono::milliseconds(1) && window <= kLongest) return {};
  return fail(ErrorCode::kBadInput, "a quota's window of " + std::to_string(window.count()) + " ms", "from 1 ms to 100 years");
}

void SlidingWindow::drop_passed(std::int64_t window, std::int64_t now) {
  while (!events_.empty() && has_passed(events_.front().at, window, now)) {
    total_ -= events_.front().amount;
    events_.pop_front();
  }
}

void SlidingWindow::add(std::int64_t now, std::uint64_t amount) {
  if (amount == 0) return;
  total_ += amount;
  if (!events_.empty() && events_.back().at == now) events_.back().amount += amount;
  else events_.push_back({now, amount});
}

void SlidingWindow::take_back(std::int64_t at, std::uint64_t amount) {
  const auto event = std::lower_bound(events_.begin(), events_.end(), at, [](const Event& e, std::int64_t t) { return e.at < t; });
  if (event == events_.end() || event->at != at) return;
  const std::uint64_t taken = std::min(amount, event->amount);
  event->amount -= taken;
  total_ -= taken;
  if (event->amount == 0) events_.erase(event);
}

std::int64_t SlidingWindow::free_at(std::int64_t window, std::uint64_t keep) const {
  std::uint64_t left = total_;
  for (const Event& event : events_) {
    left -= event.amount;
    if (left <= keep) return free_after(event.at, window);
  }
  return events_.empty() ? 0 : free_after(events_.back().at, window);
}

std::int64_t calendar_index(std::int64_t wall, std::int64_t window) {
  return wall / window - (wall % window < 0 ? 1 : 0);
}

void FixedWindow::advance(std::int64_t window, Moment now) {
  const std::int64_t named = calendar_index(now.wall, window);
  if (named == index || now.at < before_last + window) return;
  *this = {.index = named, .opened = now.at, .last = kNever, .before_last = std::max(before_last, last), .count = 0};
}

void FixedWindow::add(std::int64_t now, std::uint64_t amount) {
  if (amount == 0) return;
  count += amount;
  last = now;
}

void FixedWindow::take_back(std::int64_t opened_at, std::uint64_t amount) {
  if (opened_at == opened) count -= std::min(amount, count);
}

std::int64_t FixedWindow::next_opens(std::int64_t window, Moment now) const {
  const std::int64_t held_until = now.wall + std::max<std::int64_t>(0, before_last + window - now.at);
  // By then the calendar may name the open window (again).
  return calendar_index(held_until, window) == index ? (index + 1) * window : held_until;
}

bool FixedWindow::all_passed(std::int64_t window, Moment now) const {
  return calendar_index(now.wall, window) != index && now.at >= std::max(last, before_last) + window;
}

}  // namespace wardenv::policy
