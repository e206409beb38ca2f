// SPDX-License-Identifier: Apache-2.0
// SqliteLedger: counters as rows, read and written once in a transaction however many reservations it serves.
#pragma once

#include <SQLiteCpp/Statement.h>

#include <array>
#include <map>
#include <memory>
#include <string>
#include <tuple>

#include "policy/quota/ledger.h"

namespace wardenv::policy {

// REQUIRES: begin() … flush() inside of one write transaction. Throws SQLite::Exception.
class SqliteLedger final : public Ledger {
 public:
  static const char* schema();      // SQL that makes the tables
  static const char* last_seen();   // SQL that answers the newest `at` in them, or NULL

  explicit SqliteLedger(SQLite::Database& database) : database_(database) {}

  // Forgets what an earlier transaction read.
  void begin(Moment now);
  Counter open(const CounterName& name, Moment now) override;
  std::int64_t free_at(const Counter& counter, const CounterName& name, Moment now, std::uint64_t keep) override;
  std::int64_t add(const Counter& counter, const CounterName& name, Moment now, std::uint64_t amount) override;
  void take_back(const CounterName& name, std::int64_t place, std::uint64_t amount) override;
  // Writes what was added.
  void flush();

 private:
  enum Query { kFind, kPassed, kDropPassed, kNextId, kWrite, kAddEvent, kEvents, kNewest, kEvent, kSetEvent, kDropEvent, kSweepEvents, kSweep, kQueries };
  using Name = std::tuple<std::string, std::int64_t, WindowMode>;
  struct Row {
    std::int64_t id = 0;          // 0: not in the file yet
    std::uint64_t used = 0;       // sliding: without what has passed; fixed: of the open window, the same as fixed.count
    std::uint64_t added = 0;      // sliding: in this transaction, not yet written
    bool changed = false;
    FixedWindow fixed{};          // sliding: only `last` is used
  };

  SQLite::Statement& query(Query which);
  Row& row_of(const CounterName& name);
  Row load(const CounterName& name);
  std::uint64_t passed(std::int64_t id, std::int64_t window);
  std::int64_t newest(const Row& row);
  void take_event(Row& row, std::int64_t at, std::uint64_t amount);
  void write(const Name& name, Row& row);
  void write_events(const Name& name, Row& row);
  void sweep();

  SQLite::Database& database_;
  std::array<std::unique_ptr<SQLite::Statement>, kQueries> queries_{};
  std::map<Name, Row> rows_{};
  Moment now_{};
  bool sweep_due_ = false;
};

}  // namespace wardenv::policy
