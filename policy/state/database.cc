// SPDX-License-Identifier: Apache-2.0
// An SQLite file of the state folder.
#include "policy/state/database.h"

#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Exception.h>
#include <SQLiteCpp/Statement.h>
#include <SQLiteCpp/Transaction.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <ctime>

namespace wardenv::policy {
namespace {

std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}

Status make_folders(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) == 0 || errno == EEXIST) return {};
  const std::string parent = folder_of(path);
  if (errno == ENOENT && parent != path) {
    WARDENV_TRY(make_folders(parent));
    if (::mkdir(path.c_str(), 0700) == 0 || errno == EEXIST) return {};
  }
  return fail_errno(ErrorCode::kHost, "can't make the state folder `" + path + "`", "choose another by WARDENV_STATE");
}

// Who can write to the folder can put another file in the place of ours.
Status check_folder(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) < 0) return fail_errno(ErrorCode::kHost, "can't look at the state folder `" + path + "`");
  if (!S_ISDIR(info.st_mode)) return fail(ErrorCode::kHost, "`" + path + "` is no folder");
  if (info.st_uid != ::geteuid() && info.st_uid != 0 && ::geteuid() != 0) {
    return fail(ErrorCode::kHost, "the state folder `" + path + "` belongs to someone else", "choose another by WARDENV_STATE");
  }
  if ((info.st_mode & 022) != 0) {
    return fail(ErrorCode::kHost, "others may write to the state folder `" + path + "`", "chmod 700 " + path);
  }
  return {};
}

// Never opens the file: closing a descriptor of it would drop the locks that SQLite holds in this process (fcntl(2), F_SETLK).
Status make_file(const std::string& path, const Schema& schema) {
  const std::string what = std::string("the ") + schema.what + " `" + path + "`";
  if (::mknod(path.c_str(), S_IFREG | 0600, 0) < 0 && errno != EEXIST) {
    return fail_errno(ErrorCode::kHost, "can't make " + what, "make its folder writable for this user, or choose another by WARDENV_STATE");
  }
  struct stat info {};
  if (::lstat(path.c_str(), &info) < 0) return fail_errno(ErrorCode::kHost, "can't look at " + what);
  if (!S_ISREG(info.st_mode)) return fail(ErrorCode::kHost, what + " is no regular file", "move it away");
  if ((info.st_mode & 077) != 0 && ::chmod(path.c_str(), 0600) < 0) return fail_errno(ErrorCode::kHost, "can't make " + what + " private");
  return {};
}

// Short sleeps: a transaction of ours lasts about as long as one sync. Five seconds in all.
int wait_for_writer(void*, int before) {
  if (before >= 10'000) return 0;
  const timespec pause{0, before < 20 ? 100'000 : 500'000};
  ::nanosleep(&pause, nullptr);
  return 1;
}

// Moving the log into the file costs two syncs more, so a commit of a program that counts one call and ends seldom does: until the log is long
// a commit syncs one file. Whoever opens a store that nobody else has open reads the log whole, so it is moved sooner by who closes.
constexpr int kLongLogPages = 64;
constexpr int kLongLogPagesAtClose = 16;

int note_log(void* log_pages, sqlite3* database, const char* name, int pages) {
  *static_cast<int*>(log_pages) = pages;
  if (pages >= kLongLogPages) sqlite3_wal_checkpoint_v2(database, name, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);   // else the next one does
  return SQLITE_OK;
}

int pragma(SQLite::Database& database, const char* name) { return database.execAndGet(std::string("PRAGMA ") + name).getInt(); }

// The first write after all was moved into the file begins the log anew, in place; one that changes nothing will do. Where another has the file,
// that one goes on with the log.
void begin_log_anew(SQLite::Database& database) try {
  sqlite3_busy_handler(database.getHandle(), nullptr, nullptr);
  const int version = pragma(database, "user_version");
  if (sqlite3_wal_checkpoint_v2(database.getHandle(), "main", SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr) != SQLITE_OK) return;
  database.exec("PRAGMA user_version = " + std::to_string(version));
} catch (const std::exception&) {   // what was counted is on disk already
}

void set_up(SQLite::Database& database, Durability durability, bool in_file, int& log_pages) {
  sqlite3_db_config(database.getHandle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  sqlite3_wal_hook(database.getHandle(), note_log, &log_pages);
  sqlite3_busy_handler(database.getHandle(), wait_for_writer, nullptr);
  if (in_file) {
    SQLite::Statement mode(database, "PRAGMA journal_mode = WAL");
    if (!mode.executeStep() || mode.getColumn(0).getString() != "wal") throw SQLite::Exception("its file system can't hold a write-ahead log", SQLITE_IOERR);
  }
  database.exec(durability == Durability::kPowerLoss ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL");
  database.exec("PRAGMA cell_size_check = ON; PRAGMA trusted_schema = OFF; PRAGMA temp_store = MEMORY; PRAGMA journal_size_limit = 4194304");
}

bool is_current(SQLite::Database& database, const Schema& schema) {
  return pragma(database, "user_version") == schema.version && pragma(database, "application_id") == schema.application_id;
}

void create_schema(SQLite::Database& database, const Schema& schema) {
  database.exec(schema.create);
  database.exec("PRAGMA application_id = " + std::to_string(schema.application_id));
  database.exec("PRAGMA user_version = " + std::to_string(schema.version));
}

// Two processes may find the file new at once: all is looked at in one transaction, and the second finds it made.
Status check_schema(SQLite::Database& database, const std::string& path, const Schema& schema) {
  if (is_current(database, schema)) return {};
  SQLite::Transaction transaction(database, SQLite::TransactionBehavior::IMMEDIATE);
  if (is_current(database, schema)) return {};
  const std::string what = std::string("the ") + schema.what + " `" + path + "`";
  const int id = pragma(database, "application_id");
  const int version = pragma(database, "user_version");
  if (id == 0 && version == 0 && pragma(database, "schema_version") == 0) {
    create_schema(database, schema);
    transaction.commit();
    return {};
  }
  if (id != schema.application_id) return fail(ErrorCode::kHost, what + " is a database of something else", "move it away");
  return fail(ErrorCode::kHost, what + " has the form of another version (" + std::to_string(version) + ", this one reads " +
                                    std::to_string(schema.version) + ")",
              "use that version of wardenv, or move the file away: " + std::string(schema.if_lost));
}

// Pages of the cache one by one, as they are needed: SQLite would write into each of the first twenty when it opens a file. Only before its first
// use; where another part of the program was first, it is as it is.
void set_up_library() {
  static const int done = sqlite3_config(SQLITE_CONFIG_PAGECACHE, nullptr, 0, 0);
  (void)done;
}

// SQLite takes what begins with "file:" for a URI, and an empty name for a file of its own choice.
std::string name_of(const std::string& path) {
  if (path.empty()) return ":memory:";
  return path.starts_with('/') ? path : "./" + path;
}

Result<OpenDatabase> open_once(const std::string& path, const Schema& schema, Durability durability) {
  const bool in_file = !path.empty();
  set_up_library();
  OpenDatabase database(new SQLite::Database(name_of(path), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE), {std::make_unique<int>(0)});
  if (sqlite3_db_readonly(database->getHandle(), "main") == 1) throw SQLite::Exception("read-only", SQLITE_READONLY);
  set_up(*database, durability, in_file, *database.get_deleter().log_pages);
  WARDENV_TRY(check_schema(*database, path, schema));
  return database;
}

// The change to a write-ahead log asks no busy handler where another process makes it at the same moment: begin again, for a second.
bool is_worth_another_try(const SQLite::Exception& thrown, std::chrono::steady_clock::time_point begun) {
  if ((thrown.getErrorCode() & 0xff) != SQLITE_BUSY || std::chrono::steady_clock::now() - begun > std::chrono::seconds(1)) return false;
  const timespec pause{0, 10'000'000};
  ::nanosleep(&pause, nullptr);
  return true;
}

}  // namespace

Result<OpenDatabase> open_database(const std::string& path, const Schema& schema, Durability durability) {
  const bool in_file = !path.empty();
  if (in_file) {
    WARDENV_TRY(make_folders(folder_of(path)));
    WARDENV_TRY(check_folder(folder_of(path)));
    WARDENV_TRY(make_file(path, schema));
  }
  const auto begun = std::chrono::steady_clock::now();
  for (;;) {
    try {
      return open_once(path, schema, durability);
    } catch (const SQLite::Exception& thrown) {
      if (!is_worth_another_try(thrown, begun)) return tl::unexpected(database_error(thrown, path, schema));
    }
  }
}

void CloseDatabase::operator()(SQLite::Database* database) const {
  if (log_pages && *log_pages >= kLongLogPagesAtClose) begin_log_anew(*database);
  delete database;
}

Error database_error(const SQLite::Exception& thrown, const std::string& path, const Schema& schema) {
  const std::string what = std::string("the ") + schema.what + " `" + path + "` ";
  const std::string away = "stop wardenv and move it away with its -wal and -shm files: " + std::string(schema.if_lost);
  switch (thrown.getErrorCode() & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return {ErrorCode::kHost, what + "is damaged: " + thrown.what(), away, 0};
    case SQLITE_FULL: return {ErrorCode::kHost, what + "can't grow: the disk is full", "free some space; until then nothing is allowed", 0};
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_CANTOPEN: return {ErrorCode::kHost, what + "can't be written: " + thrown.what(), "make its folder and file writable for this user", 0};
    case SQLITE_BUSY: return {ErrorCode::kHost, what + "was held by another process for too long", "end what holds it, then try again", 0};
    default: return {ErrorCode::kHost, what + "failed: " + thrown.what(), "", 0};
  }
}

FileId file_id(const std::string& path) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) < 0) return {};
  return {info.st_dev, info.st_ino};
}

Error replaced_error(const std::string& path, const Schema& schema) {
  return {ErrorCode::kHost, std::string("the ") + schema.what + " `" + path + "` was moved away or replaced", "start wardenv again", 0};
}

}  // namespace wardenv::policy
