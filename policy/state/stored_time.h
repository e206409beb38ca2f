// SPDX-License-Identifier: Apache-2.0
// StoredTime: a time that all processes share, survives restarts and never steps.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "policy/state/clock.h"

namespace SQLite {
class Database;
}

namespace wardenv::policy {

// Within one boot `at` follows the steady clock, so that setting the wall clock changes nothing. Only over a reboot the wall clock is asked
// how long the host was off, corrected by the steps that were seen before, and never a negative answer.
// Lives in a table of the store's own file. Every method throws SQLite::Exception.
class StoredTime {
 public:
  // SQL that makes the table.
  static const char* schema();

  // `last_seen` is SQL that answers the newest `at` that the store holds, or NULL.
  StoredTime(SQLite::Database& database, std::shared_ptr<const Clock> clock, std::string last_seen);

  // REQUIRES: inside of a write transaction.
  Moment now();
  // The same, without writing: what now() would answer.
  Moment look();
  // The transaction was rolled back: what was to be stored is not.
  void forget() { known_ = false; }

 private:
  void load(Instant instant);
  void store(std::int64_t skew);
  [[nodiscard]] Moment moment(Instant instant) const;

  SQLite::Database& database_;
  std::shared_ptr<const Clock> clock_;
  std::string boot_;
  std::string last_seen_;
  bool known_ = false;          // offset_ and skew_ are read
  bool stored_ = false;         // and stand in the file for this boot
  std::int64_t offset_ = 0;     // at - steady
  std::int64_t skew_ = 0;       // wall - at, as stored
};

}  // namespace wardenv::policy
