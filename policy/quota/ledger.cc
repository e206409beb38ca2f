// SPDX-License-Identifier: Apache-2.0
// All or nothing, on any ledger.
#include "policy/quota/ledger.h"

#include <algorithm>
#include <limits>

namespace wardenv::policy {
namespace {

using Counter = Ledger::Counter;

CounterName name_of(const Reservation& wanted) { return {wanted.key, wanted.window.count(), wanted.mode}; }

// What SQLite can count to; a larger maximum is this one.
constexpr std::uint64_t kMost = std::numeric_limits<std::int64_t>::max();

std::uint64_t sum(std::uint64_t a, std::uint64_t b) { return a > kMost || b > kMost - a ? kMost + 1 : a + b; }

// What entry `index` needs together with the earlier entries of the same counter.
std::uint64_t need_of(std::span<const Reservation> wanted, const std::vector<Counter>& counters, std::size_t index) {
  std::uint64_t need = wanted[index].amount;
  for (std::size_t i = 0; i < index && wanted[index].amount > 0; ++i) {
    if (counters[i].handle == counters[index].handle) need = sum(need, wanted[i].amount);
  }
  return need;
}

std::chrono::system_clock::time_point to_time(std::int64_t wall) {
  return std::chrono::system_clock::time_point(std::chrono::milliseconds(wall));
}

// Keeps the refusal that is free last; one that never is stays.
void note_refusal(Reserved& answer, std::size_t index, std::optional<std::chrono::system_clock::time_point> free_at) {
  const bool first = answer.granted;
  answer.granted = false;
  if (!first && (!answer.free_at || (free_at && *free_at <= *answer.free_at))) return;
  answer.refused = index;
  answer.free_at = free_at;
}

}  // namespace

Status check_reservations(std::span<const Reservation> wanted) {
  for (const Reservation& entry : wanted) WARDENV_TRY(check_window(entry.window));
  return {};
}

Reserved reserve_in(Ledger& ledger, std::span<const Reservation> wanted, Moment now) {
  std::vector<Counter> counters;
  counters.reserve(wanted.size());
  for (const Reservation& entry : wanted) counters.push_back(ledger.open(name_of(entry), now));

  Reserved answer{.granted = true};
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const std::uint64_t need = need_of(wanted, counters, i);
    const std::uint64_t max = std::min(wanted[i].max, kMost);
    if (fits(counters[i].used, need, max)) continue;
    if (need > max) note_refusal(answer, i, std::nullopt);
    else note_refusal(answer, i, to_time(ledger.free_at(counters[i], name_of(wanted[i]), now, max - need)));
  }
  if (!answer.granted) return answer;

  answer.receipt.entries.reserve(wanted.size());
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (wanted[i].amount == 0) continue;
    const std::int64_t place = ledger.add(counters[i], name_of(wanted[i]), now, wanted[i].amount);
    answer.receipt.entries.push_back({wanted[i].key, wanted[i].window, wanted[i].mode, wanted[i].amount, place});
  }
  return answer;
}

void give_back_to(Ledger& ledger, const Receipt& receipt) {
  for (const Receipt::Entry& entry : receipt.entries) {
    ledger.take_back({entry.key, entry.window.count(), entry.mode}, entry.place, entry.amount);
  }
}

}  // namespace wardenv::policy
