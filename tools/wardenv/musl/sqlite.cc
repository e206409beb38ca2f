// SPDX-License-Identifier: Apache-2.0
// What the quota store needs of SQLiteCpp, whose own library needs the streams of the C++ library. Same declarations, same errors.
#include <SQLiteCpp/Column.h>
#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Exception.h>
#include <SQLiteCpp/Statement.h>
#include <SQLiteCpp/Transaction.h>
#include <sqlite3.h>

namespace SQLite {

const int OK = SQLITE_OK;
const int OPEN_READONLY = SQLITE_OPEN_READONLY;
const int OPEN_READWRITE = SQLITE_OPEN_READWRITE;
const int OPEN_CREATE = SQLITE_OPEN_CREATE;
const int Null = SQLITE_NULL;

Exception::Exception(const char* message, int code) : std::runtime_error(message), mErrcode(code), mExtendedErrcode(-1) {}
Exception::Exception(sqlite3* database) : std::runtime_error(::sqlite3_errmsg(database)), mErrcode(::sqlite3_errcode(database)), mExtendedErrcode(::sqlite3_extended_errcode(database)) {}
Exception::Exception(sqlite3* database, int code) : std::runtime_error(::sqlite3_errmsg(database)), mErrcode(code), mExtendedErrcode(::sqlite3_extended_errcode(database)) {}

Database::Database(const char* file, int flags, int busy_timeout_ms, const char* vfs) : mFilename(file) {
  sqlite3* handle = nullptr;
  const int opened = ::sqlite3_open_v2(file, &handle, flags, vfs);
  mSQLitePtr.reset(handle);
  if (opened != SQLITE_OK) throw Exception(handle, opened);
  if (busy_timeout_ms > 0) check(::sqlite3_busy_timeout(handle, busy_timeout_ms));
}

void Database::Deleter::operator()(sqlite3* database) { ::sqlite3_close(database); }

int Database::tryExec(const char* queries) noexcept { return ::sqlite3_exec(getHandle(), queries, nullptr, nullptr, nullptr); }

int Database::exec(const char* queries) {
  check(tryExec(queries));
  return ::sqlite3_changes(getHandle());
}

Column Database::execAndGet(const char* query) {
  Statement statement(*this, query);
  (void)statement.executeStep();
  return statement.getColumn(0);
}

Statement::Statement(const Database& database, const char* query) : mQuery(query), mpSQLite(database.getHandle()), mpPreparedStatement(prepareStatement()) {
  mColumnCount = ::sqlite3_column_count(mpPreparedStatement.get());
}

Statement::TStatementPtr Statement::prepareStatement() {
  sqlite3_stmt* statement = nullptr;
  const int prepared = ::sqlite3_prepare_v2(mpSQLite, mQuery.c_str(), static_cast<int>(mQuery.size()), &statement, nullptr);
  if (prepared != SQLITE_OK) throw Exception(mpSQLite, prepared);
  return TStatementPtr(statement, [](sqlite3_stmt* done) { ::sqlite3_finalize(done); });
}

sqlite3_stmt* Statement::getPreparedStatement() const {
  if (sqlite3_stmt* statement = mpPreparedStatement.get()) return statement;
  throw Exception("Statement was not prepared.");
}

int Statement::tryReset() noexcept {
  mbHasRow = false;
  mbDone = false;
  return ::sqlite3_reset(mpPreparedStatement.get());
}

void Statement::reset() { check(tryReset()); }

void Statement::bind(int index, std::int64_t value) { check(::sqlite3_bind_int64(getPreparedStatement(), index, value)); }

void Statement::bind(int index, const std::string& value) {
  check(::sqlite3_bind_text(getPreparedStatement(), index, value.c_str(), static_cast<int>(value.size()), SQLITE_TRANSIENT));
}

void Statement::bind(int index, const void* value, int size) { check(::sqlite3_bind_blob(getPreparedStatement(), index, value, size, SQLITE_TRANSIENT)); }

void Statement::bindNoCopy(int index, const void* value, int size) { check(::sqlite3_bind_blob(getPreparedStatement(), index, value, size, SQLITE_STATIC)); }

int Statement::tryExecuteStep() noexcept {
  if (mbDone) return SQLITE_MISUSE;   // it has to be reset first
  const int stepped = ::sqlite3_step(mpPreparedStatement.get());
  mbHasRow = stepped == SQLITE_ROW;
  mbDone = stepped == SQLITE_DONE;
  return stepped;
}

bool Statement::executeStep() {
  const int stepped = tryExecuteStep();
  if (stepped == SQLITE_ROW || stepped == SQLITE_DONE) return mbHasRow;
  if (stepped == ::sqlite3_errcode(mpSQLite)) throw Exception(mpSQLite, stepped);
  throw Exception("Statement needs to be reseted", stepped);
}

int Statement::exec() {
  const int stepped = tryExecuteStep();
  if (stepped == SQLITE_DONE) return ::sqlite3_changes(mpSQLite);
  if (stepped == SQLITE_ROW) throw Exception("exec() does not expect results. Use executeStep.");
  if (stepped == ::sqlite3_errcode(mpSQLite)) throw Exception(mpSQLite, stepped);
  throw Exception("Statement needs to be reseted", stepped);
}

Column Statement::getColumn(int index) const {
  checkRow();
  checkIndex(index);
  return Column(mpPreparedStatement, index);
}

Column::Column(const Statement::TStatementPtr& statement, int index) : mStmtPtr(statement), mIndex(index) {
  if (!statement) throw Exception("Statement was destroyed");
}

std::int32_t Column::getInt() const noexcept { return ::sqlite3_column_int(mStmtPtr.get(), mIndex); }
std::int64_t Column::getInt64() const noexcept { return ::sqlite3_column_int64(mStmtPtr.get(), mIndex); }
int Column::getType() const noexcept { return ::sqlite3_column_type(mStmtPtr.get(), mIndex); }

// The text first, as the number of its bytes is that of the form it was asked for last (sqlite3_column_bytes).
std::string Column::getString() const {
  const void* text = ::sqlite3_column_blob(mStmtPtr.get(), mIndex);
  const int size = ::sqlite3_column_bytes(mStmtPtr.get(), mIndex);
  return text == nullptr ? std::string() : std::string(static_cast<const char*>(text), static_cast<std::size_t>(size));
}

Transaction::Transaction(Database& database, TransactionBehavior behavior) : mDatabase(database) {
  mDatabase.exec(behavior == TransactionBehavior::IMMEDIATE ? "BEGIN IMMEDIATE" : behavior == TransactionBehavior::EXCLUSIVE ? "BEGIN EXCLUSIVE" : "BEGIN DEFERRED");
}

Transaction::~Transaction() {
  if (!mbCommited) (void)mDatabase.tryExec("ROLLBACK");   // where it was rolled back already that is an error, and of no matter
}

void Transaction::commit() {
  if (mbCommited) throw Exception("Transaction already committed.");
  mDatabase.exec("COMMIT");
  mbCommited = true;
}

}  // namespace SQLite
