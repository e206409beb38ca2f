// SPDX-License-Identifier: Apache-2.0
// Counters as rows.
#include "policy/quota/sqlite_ledger.h"

#include <SQLiteCpp/Column.h>
#include <SQLiteCpp/Exception.h>
#include <sqlite3.h>

#include <algorithm>

namespace wardenv::policy {
namespace {

// One B-tree for each table and no index: a damaged index could hide a row that counts.
constexpr const char* kSchema =
    "CREATE TABLE counter(key BLOB NOT NULL, window INTEGER NOT NULL, mode INTEGER NOT NULL, id INTEGER NOT NULL, used INTEGER NOT NULL,"
    " calendar INTEGER NOT NULL, opened INTEGER NOT NULL, last INTEGER NOT NULL, before_last INTEGER NOT NULL, expires INTEGER NOT NULL,"
    " PRIMARY KEY(key, window, mode)) WITHOUT ROWID;"
    "CREATE TABLE event(counter INTEGER NOT NULL, at INTEGER NOT NULL, amount INTEGER NOT NULL, PRIMARY KEY(counter, at)) WITHOUT ROWID;"
    "CREATE TABLE next(id INTEGER PRIMARY KEY);"
    "INSERT INTO next VALUES (1);";

// In the order of SqliteLedger::Query.
constexpr const char* kSql[] = {
    "SELECT id, used, calendar, opened, last, before_last FROM counter WHERE key = ?1 AND window = ?2 AND mode = ?3",
    "SELECT sum(amount) FROM event WHERE counter = ?1 AND at < ?2",
    "DELETE FROM event WHERE counter = ?1 AND at < ?2",
    "UPDATE next SET id = id + 1 RETURNING id",
    "INSERT OR REPLACE INTO counter(key, window, mode, id, used, calendar, opened, last, before_last, expires) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    "INSERT INTO event(counter, at, amount) VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET amount = amount + excluded.amount",
    "SELECT at, amount FROM event WHERE counter = ?1 AND at >= ?2 ORDER BY at",
    "SELECT max(at) FROM event WHERE counter = ?1",
    "SELECT amount FROM event WHERE counter = ?1 AND at = ?2",
    "UPDATE event SET amount = ?3 WHERE counter = ?1 AND at = ?2",
    "DELETE FROM event WHERE counter = ?1 AND at = ?2",
    "DELETE FROM event WHERE counter IN (SELECT id FROM counter WHERE mode = 0 AND expires < ?1)",
    "DELETE FROM counter WHERE expires < ?1 AND (mode = 0 OR calendar <> ?2 / window)",
};

// Counters that have passed are looked for each time that so many were made.
constexpr std::int64_t kSweepEvery = 1024;

// Events that are looked at to say when a counter is free; beyond, the answer is later than need be.
constexpr int kMostSteps = 10'000;

std::int64_t stored(WindowMode mode) { return mode == WindowMode::kSliding ? 0 : 1; }

[[noreturn]] void throw_damaged() { throw SQLite::Exception("its numbers contradict each other", SQLITE_CORRUPT); }

// Binds from the first parameter on.
void bind_all(SQLite::Statement& statement, std::initializer_list<std::int64_t> values, int first = 1) {
  for (const std::int64_t value : values) statement.bind(first++, value);
}

void bind_name(SQLite::Statement& statement, std::string_view key, std::int64_t window, WindowMode mode) {
  statement.bindNoCopy(1, static_cast<const void*>(key.empty() ? "" : key.data()), static_cast<int>(key.size()));
  bind_all(statement, {window, stored(mode)}, 2);
}

void run(SQLite::Statement& statement, std::initializer_list<std::int64_t> values) {
  bind_all(statement, values);
  statement.exec();
  statement.reset();
}

std::uint64_t amount_in(const SQLite::Column& column) {
  const std::int64_t value = column.getInt64();
  if (value < 0) throw_damaged();
  return static_cast<std::uint64_t>(value);
}

}  // namespace

const char* SqliteLedger::schema() { return kSchema; }
const char* SqliteLedger::last_seen() { return "SELECT max(max(last), max(opened), max(before_last)) FROM counter"; }

void SqliteLedger::begin(Moment now) {
  rows_.clear();
  now_ = now;
  sweep_due_ = false;
}

Ledger::Counter SqliteLedger::open(const CounterName& name, Moment now) {
  Row& row = row_of(name);
  if (name.mode == WindowMode::kFixed) {
    row.fixed.advance(name.window, now);
    row.used = row.fixed.count;
  }
  return {reinterpret_cast<std::int64_t>(&row), row.used};
}

std::int64_t SqliteLedger::free_at(const Counter& counter, const CounterName& name, Moment now, std::uint64_t keep) {
  Row& row = *reinterpret_cast<Row*>(counter.handle);
  if (name.mode == WindowMode::kFixed) return row.fixed.next_opens(name.window, now);
  std::int64_t free_at = free_after(newest(row), name.window);   // then all is free
  std::uint64_t left = row.used;
  SQLite::Statement& events = query(kEvents);
  bind_all(events, {row.id, now.at - name.window});
  for (int steps = 0; keep > 0 && left > keep && steps < kMostSteps && events.executeStep(); ++steps) {
    left -= std::min(left, amount_in(events.getColumn(1)));
    if (left <= keep) free_at = free_after(events.getColumn(0).getInt64(), name.window);
  }
  events.reset();
  return now.wall + free_at - now.at;
}

std::int64_t SqliteLedger::newest(const Row& row) {
  if (row.added > 0) return now_.at;
  SQLite::Statement& query_newest = query(kNewest);
  bind_all(query_newest, {row.id});
  const std::int64_t at = query_newest.executeStep() ? query_newest.getColumn(0).getInt64() : now_.at;
  query_newest.reset();
  return at;
}

std::int64_t SqliteLedger::add(const Counter& counter, const CounterName& name, Moment now, std::uint64_t amount) {
  Row& row = *reinterpret_cast<Row*>(counter.handle);
  row.changed = true;
  row.fixed.add(now.at, amount);
  row.used += amount;
  if (name.mode == WindowMode::kFixed) return row.fixed.opened;
  row.added += amount;
  return now.at;
}

void SqliteLedger::take_back(const CounterName& name, std::int64_t place, std::uint64_t amount) {
  Row& row = row_of(name);
  if (row.id == 0 && !row.changed) return;
  if (name.mode == WindowMode::kSliding && has_passed(place, name.window, now_.at)) return;   // not in `used` any more
  row.changed = true;
  if (name.mode == WindowMode::kSliding) return take_event(row, place, amount);
  row.fixed.take_back(place, amount);
  row.used = row.fixed.count;
}

// An event is either of this transaction (and no older one has its time: the writer's lock was taken before the clock was read, but another
// process may have written in the same millisecond) or in the file, or both.
void SqliteLedger::take_event(Row& row, std::int64_t at, std::uint64_t amount) {
  std::uint64_t taken = 0;
  if (at == now_.at) {
    taken = std::min(amount, row.added);
    row.added -= taken;
  }
  SQLite::Statement& event = query(kEvent);
  bind_all(event, {row.id, at});
  const std::uint64_t there = event.executeStep() ? amount_in(event.getColumn(0)) : 0;
  event.reset();
  const std::uint64_t from_file = std::min(amount - taken, there);
  if (from_file > 0 && from_file == there) run(query(kDropEvent), {row.id, at});
  else if (from_file > 0) run(query(kSetEvent), {row.id, at, static_cast<std::int64_t>(there - from_file)});
  row.used -= std::min(row.used, taken + from_file);
}

void SqliteLedger::flush() {
  for (auto& [name, row] : rows_) {
    if (row.changed) write(name, row);
  }
  if (sweep_due_) sweep();
}

void SqliteLedger::write(const Name& name, Row& row) {
  const auto& [key, window, mode] = name;
  if (row.id == 0) {
    SQLite::Statement& next = query(kNextId);
    if (!next.executeStep()) throw_damaged();
    row.id = next.getColumn(0).getInt64();
    next.reset();
    sweep_due_ = sweep_due_ || row.id % kSweepEvery == 0;
  }
  if (mode == WindowMode::kSliding) write_events(name, row);
  const FixedWindow& fixed = row.fixed;
  SQLite::Statement& statement = query(kWrite);
  bind_name(statement, key, window, mode);
  bind_all(statement, {row.id, static_cast<std::int64_t>(row.used), fixed.index, fixed.opened, fixed.last, fixed.before_last,
                       std::max(fixed.last, fixed.before_last) + window}, 4);
  statement.exec();
  statement.reset();
}

void SqliteLedger::write_events(const Name& name, Row& row) {
  run(query(kDropPassed), {row.id, now_.at - std::get<1>(name)});
  if (row.added > 0) run(query(kAddEvent), {row.id, now_.at, static_cast<std::int64_t>(row.added)});
  row.added = 0;
}

void SqliteLedger::sweep() {
  run(query(kSweepEvents), {now_.at});
  run(query(kSweep), {now_.at, now_.wall});
}

SqliteLedger::Row& SqliteLedger::row_of(const CounterName& name) {
  Name owned{std::string(name.key), name.window, name.mode};
  const auto found = rows_.find(owned);
  return found != rows_.end() ? found->second : rows_.emplace(std::move(owned), load(name)).first->second;
}

SqliteLedger::Row SqliteLedger::load(const CounterName& name) {
  Row row;
  SQLite::Statement& find = query(kFind);
  bind_name(find, name.key, name.window, name.mode);
  if (find.executeStep()) {
    row.id = find.getColumn(0).getInt64();
    row.used = amount_in(find.getColumn(1));
    row.fixed = {.index = find.getColumn(2).getInt64(), .opened = find.getColumn(3).getInt64(), .last = find.getColumn(4).getInt64(),
                 .before_last = find.getColumn(5).getInt64(), .count = row.used};
  }
  find.reset();
  if (name.mode == WindowMode::kFixed || row.id == 0) return row;
  const std::uint64_t gone = passed(row.id, name.window);
  if (gone > row.used) throw_damaged();
  row.used -= gone;
  return row;
}

std::uint64_t SqliteLedger::passed(std::int64_t id, std::int64_t window) {
  SQLite::Statement& sum = query(kPassed);
  bind_all(sum, {id, now_.at - window});
  const std::uint64_t gone = sum.executeStep() ? amount_in(sum.getColumn(0)) : 0;
  sum.reset();
  return gone;
}

// A statement that an earlier error left half-way begins anew.
SQLite::Statement& SqliteLedger::query(Query which) {
  auto& statement = queries_[which];
  if (!statement) statement = std::make_unique<SQLite::Statement>(database_, kSql[which]);
  statement->tryReset();
  return *statement;
}

}  // namespace wardenv::policy
