// SPDX-License-Identifier: Apache-2.0
// Records as rows.
#include "policy/approvals/rows.h"

#include <SQLiteCpp/Column.h>
#include <SQLiteCpp/Exception.h>
#include <sqlite3.h>

#include "policy/approvals/fingerprint.h"

namespace wardenv::policy {
namespace {

// One B-tree and no index, as for quotas.
constexpr const char* kSchema =
    "CREATE TABLE approval(id TEXT NOT NULL PRIMARY KEY, fingerprint TEXT NOT NULL, tool TEXT NOT NULL, arguments TEXT NOT NULL, grant_name TEXT NOT NULL,"
    " cwd TEXT NOT NULL, rule TEXT NOT NULL, profile TEXT NOT NULL, policy TEXT NOT NULL, workspace TEXT NOT NULL, venv TEXT NOT NULL,"
    " program TEXT NOT NULL, program_identity TEXT NOT NULL, granted TEXT NOT NULL, reason TEXT NOT NULL, state INTEGER NOT NULL,"
    " created_at INTEGER NOT NULL, expires_at INTEGER NOT NULL, decided_at INTEGER, decided_by TEXT NOT NULL, note TEXT NOT NULL, turn INTEGER NOT NULL)"
    " WITHOUT ROWID;";
constexpr const char* kColumns =
    "id, fingerprint, tool, arguments, grant_name, cwd, rule, profile, policy, workspace, venv, program, program_identity, granted, reason, state,"
    " created_at, expires_at, decided_at, decided_by, note, turn";

[[noreturn]] void throw_damaged(const std::string& id) {
  throw SQLite::Exception("the record `" + id + "` does not agree with its fingerprint", SQLITE_CORRUPT);
}

// Stored numbers of states; expired is never stored.
std::int64_t number_of(ApprovalState state) { return static_cast<std::int64_t>(state); }

ApprovalState state_of(std::int64_t number, std::int64_t expires_at, Moment now) {
  for (const ApprovalState state : {ApprovalState::kPending, ApprovalState::kApproved}) {
    if (number == number_of(state)) return now.at < expires_at ? state : ApprovalState::kExpired;
  }
  for (const ApprovalState state : {ApprovalState::kDenied, ApprovalState::kConsumed}) {
    if (number == number_of(state)) return state;
  }
  throw SQLite::Exception("a record has an unknown state", SQLITE_CORRUPT);
}

Approval read_row(SQLite::Statement& row, Moment now) {
  const auto text = [&](int column) { return row.getColumn(column).getString(); };
  const auto number = [&](int column) { return row.getColumn(column).getInt64(); };
  Approval approval{.id = text(0),
                    .fingerprint = text(1),
                    .call = {.tool = text(2), .arguments_json = text(3), .grant = text(4), .cwd = text(5), .rule = text(6), .profile = text(7),
                             .policy_digest = text(8), .workspace = text(9), .venv = text(10), .program = text(11), .program_identity = text(12),
                             .granted_json = text(13)},
                    .reason = text(14),
                    .state = state_of(number(15), number(17), now),
                    .created_at = wall_time(number(16), now),
                    .expires_at = wall_time(number(17), now),
                    .decided_by = text(19),
                    .note = text(20),
                    .turn = static_cast<std::uint64_t>(number(21))};
  if (!row.getColumn(18).isNull()) approval.decided_at = wall_time(number(18), now);
  const auto form = canonical(approval.call);
  if (!form || form->fingerprint != approval.fingerprint) throw_damaged(approval.id);
  return approval;
}

std::string select(const char* rest) { return std::string("SELECT ") + kColumns + " FROM approval " + rest; }

// Without it SQLite would read NUL as the end.
void bind_text(SQLite::Statement& statement, int index, std::string_view text) { statement.bind(index, std::string(text)); }

}  // namespace

WallTime wall_time(std::int64_t at, Moment now) { return WallTime(std::chrono::milliseconds(at + now.wall - now.at)); }

std::int64_t stored_time(WallTime time, Moment now) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count() - now.wall + now.at;
}

const char* ApprovalRows::schema() { return kSchema; }
const char* ApprovalRows::last_seen() { return "SELECT max(max(created_at), max(coalesce(decided_at, created_at))) FROM approval"; }

std::optional<Approval> ApprovalRows::find(std::string_view id, Moment now) {
  SQLite::Statement rows(database_, select("WHERE id = ?"));
  bind_text(rows, 1, id);
  auto found = read(rows, now);
  return found.empty() ? std::nullopt : std::optional(std::move(found.front()));
}

std::vector<Approval> ApprovalRows::all(Moment now) {
  SQLite::Statement rows(database_, select("ORDER BY created_at, id"));
  return read(rows, now);
}

std::vector<Approval> ApprovalRows::of_fingerprint(std::string_view fingerprint, Moment now) {
  SQLite::Statement rows(database_, select("WHERE fingerprint = ? ORDER BY created_at, id"));
  bind_text(rows, 1, fingerprint);
  return read(rows, now);
}

std::vector<Approval> ApprovalRows::read(SQLite::Statement& rows, Moment now) {
  std::vector<Approval> found;
  while (rows.executeStep()) found.push_back(read_row(rows, now));
  return found;
}

ApprovalRows::Waiting ApprovalRows::count_waiting(const std::string& grant, Moment now) {
  SQLite::Statement count(database_, "SELECT count(*), coalesce(sum(grant_name = ?1), 0) FROM approval WHERE state = ?2 AND expires_at > ?3");
  bind_text(count, 1, grant);
  count.bind(2, number_of(ApprovalState::kPending));
  count.bind(3, now.at);
  count.executeStep();
  return {.of_grant = count.getColumn(1).getInt64(), .all = count.getColumn(0).getInt64()};
}

void ApprovalRows::insert(const Approval& approval, Moment now) {
  SQLite::Statement row(database_, std::string("INSERT INTO approval(") + kColumns + ") VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,NULL,'','',0)");
  const ApprovalCall& call = approval.call;
  int index = 1;
  for (const std::string* text : {&approval.id, &approval.fingerprint, &call.tool, &call.arguments_json, &call.grant, &call.cwd, &call.rule,
                                  &call.profile, &call.policy_digest, &call.workspace, &call.venv, &call.program, &call.program_identity,
                                  &call.granted_json, &approval.reason}) {
    bind_text(row, index++, *text);
  }
  row.bind(16, number_of(approval.state));
  row.bind(17, stored_time(approval.created_at, now));
  row.bind(18, stored_time(approval.expires_at, now));
  row.exec();
}

void ApprovalRows::update(const Approval& approval, Moment now) {
  SQLite::Statement row(database_, "UPDATE approval SET state = ?2, turn = ?3, decided_at = ?4, decided_by = ?5, note = ?6 WHERE id = ?1");
  bind_text(row, 1, approval.id);
  row.bind(2, number_of(approval.state));
  row.bind(3, static_cast<std::int64_t>(approval.turn));
  if (approval.decided_at) row.bind(4, stored_time(*approval.decided_at, now));
  bind_text(row, 5, approval.decided_by);
  bind_text(row, 6, approval.note);
  if (row.exec() != 1) throw SQLite::Exception("a record vanished", SQLITE_CORRUPT);
}

void ApprovalRows::forget(std::int64_t at, std::int64_t kept, Moment now) {
  SQLite::Statement old(database_, "DELETE FROM approval WHERE max(expires_at, coalesce(decided_at, 0)) < ?");
  old.bind(1, at);
  old.exec();
  SQLite::Statement many(database_, "DELETE FROM approval WHERE id IN (SELECT id FROM approval WHERE state IN (?1, ?2) OR expires_at <= ?3"
                                    " ORDER BY created_at DESC LIMIT -1 OFFSET ?4)");
  many.bind(1, number_of(ApprovalState::kDenied));
  many.bind(2, number_of(ApprovalState::kConsumed));
  many.bind(3, now.at);
  many.bind(4, kept);
  many.exec();
}

}  // namespace wardenv::policy
