// SPDX-License-Identifier: Apache-2.0
// A time that all processes share.
#include "policy/state/stored_time.h"

#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Statement.h>

#include <algorithm>
#include <cstdlib>

namespace wardenv::policy {
namespace {

// A difference of wall and steady time below this is slewing and rounding, no step.
constexpr std::int64_t kStep = 1000;

}  // namespace

const char* StoredTime::schema() {
  return "CREATE TABLE clock(id INTEGER PRIMARY KEY CHECK (id = 1), boot TEXT NOT NULL, offset INTEGER NOT NULL, skew INTEGER NOT NULL);";
}

StoredTime::StoredTime(SQLite::Database& database, std::shared_ptr<const Clock> clock, std::string last_seen)
    : database_(database), clock_(std::move(clock)), boot_(clock_->boot_id()), last_seen_(std::move(last_seen)) {}

Moment StoredTime::now() {
  const Instant instant = clock_->now();
  if (!known_) load(instant);
  const Moment now = moment(instant);
  const std::int64_t skew = now.wall - now.at;
  if (!stored_ || std::abs(skew - skew_) > kStep) store(skew);
  return now;
}

Moment StoredTime::look() {
  const Instant instant = clock_->now();
  if (!known_) load(instant);
  return moment(instant);
}

Moment StoredTime::moment(Instant instant) const { return {instant.steady.count() + offset_, instant.wall.count()}; }

void StoredTime::load(Instant instant) {
  SQLite::Statement row(database_, "SELECT boot, offset, skew FROM clock");
  const bool found = row.executeStep();
  stored_ = found && row.getColumn(0).getString() == boot_;
  skew_ = found ? row.getColumn(2).getInt64() : 0;
  if (stored_) {
    offset_ = row.getColumn(1).getInt64();
  } else {
    SQLite::Statement last(database_, last_seen_);
    const std::int64_t seen = last.executeStep() && !last.getColumn(0).isNull() ? last.getColumn(0).getInt64() : INT64_MIN;
    offset_ = std::max(instant.wall.count() - skew_, seen) - instant.steady.count();
  }
  known_ = true;
}

void StoredTime::store(std::int64_t skew) {
  SQLite::Statement row(database_, "INSERT OR REPLACE INTO clock(id, boot, offset, skew) VALUES (1, ?, ?, ?)");
  row.bind(1, boot_);
  row.bind(2, offset_);
  row.bind(3, skew);
  row.exec();
  stored_ = true;
  skew_ = skew;
}

}  // namespace wardenv::policy
