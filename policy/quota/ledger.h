// SPDX-License-Identifier: Apache-2.0
// Ledger: where counters are kept. How a reservation is judged on them is the same for memory and SQLite.
#pragma once

#include "policy/quota/windows.h"

namespace wardenv::policy {

// Not thread-safe: one reservation at a time. May throw what its library throws; the store catches it.
class Ledger {
 public:
  // An opened counter: its handle holds until the next reservation.
  struct Counter {
    std::int64_t handle = 0;      // the same for the same counter
    std::uint64_t used = 0;
  };
  virtual ~Ledger() = default;
  // Finds or makes the counter; what has passed no longer counts.
  virtual Counter open(const CounterName& name, Moment now) = 0;
  // Wall time from when on at most `keep` is used.
  virtual std::int64_t free_at(const Counter& counter, const CounterName& name, Moment now, std::uint64_t keep) = 0;
  // Counts, and answers the place for take_back.
  virtual std::int64_t add(const Counter& counter, const CounterName& name, Moment now, std::uint64_t amount) = 0;
  virtual void take_back(const CounterName& name, std::int64_t place, std::uint64_t amount) = 0;
};

// Refuses malformed windows. Asked before a ledger is touched, so that one bad caller can't spoil another's transaction.
Status check_reservations(std::span<const Reservation> wanted);

// Nothing is added unless all fits.
Reserved reserve_in(Ledger& ledger, std::span<const Reservation> wanted, Moment now);

void give_back_to(Ledger& ledger, const Receipt& receipt);

}  // namespace wardenv::policy
