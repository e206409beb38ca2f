// SPDX-License-Identifier: Apache-2.0
// ApprovalRows: records as rows. Used inside of one write transaction; throws SQLite::Exception.
#pragma once

#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Statement.h>

#include "policy/approvals/store.h"
#include "policy/state/clock.h"

namespace wardenv::policy {

class ApprovalRows {
 public:
  static const char* schema();      // SQL that makes the table
  static const char* last_seen();   // SQL that answers the newest `at` in it, or NULL

  explicit ApprovalRows(SQLite::Database& database) : database_(database) {}

  // A record whose text does not agree with its fingerprint is damage: it throws.
  std::optional<Approval> find(std::string_view id, Moment now);
  std::vector<Approval> all(Moment now);
  std::vector<Approval> of_fingerprint(std::string_view fingerprint, Moment now);   // oldest first
  struct Waiting {
    std::int64_t of_grant = 0;
    std::int64_t all = 0;
  };
  Waiting count_waiting(const std::string& grant, Moment now);

  void insert(const Approval& approval, Moment now);
  // Writes what changes: state, turn, who decided, and the note.
  void update(const Approval& approval, Moment now);
  // Forgets what ended before `at`, and of what has ended all but the newest `kept`.
  void forget(std::int64_t at, std::int64_t kept, Moment now);

 private:
  std::vector<Approval> read(SQLite::Statement& rows, Moment now);

  SQLite::Database& database_;
};

// Times of records are kept as `at`, so that setting the wall clock neither lengthens nor shortens a life; people see wall time.
WallTime wall_time(std::int64_t at, Moment now);
std::int64_t stored_time(WallTime time, Moment now);

}  // namespace wardenv::policy
