// SPDX-License-Identifier: Apache-2.0
// An SQLite file of the state folder: made private, opened, checked.
#pragma once

#include <memory>
#include <string>

#include "policy/state/durability.h"
#include "sandbox/base/error.h"

namespace SQLite {
class Database;
class Exception;
}  // namespace SQLite

namespace wardenv::policy {

struct Schema {
  const char* what;       // "quota store", for messages
  int application_id;     // PRAGMA application_id: tells the file from anybody else's
  int version;            // PRAGMA user_version
  const char* create;     // SQL of a new file
  const char* if_lost;    // what it means to begin with an empty file
};

// Closes the file. A log that has become long is moved into it before, and begun anew: SQLite would do the latter only for who stays and writes
// again, so that programs which make one call each would read a longer log every time.
struct CloseDatabase {
  std::unique_ptr<int> log_pages{};   // after the last commit of this connection
  void operator()(SQLite::Database* database) const;
};
using OpenDatabase = std::unique_ptr<SQLite::Database, CloseDatabase>;

// A new file has mode 0600, a new folder 0700; a folder that others may write to is refused. Write-ahead log, full sync unless told otherwise;
// a writer waits up to five seconds for another. An empty path is a database in memory.
Result<OpenDatabase> open_database(const std::string& path, const Schema& schema, Durability durability);

// Says what is wrong with the file and what to do.
Error database_error(const SQLite::Exception& thrown, const std::string& path, const Schema& schema);

// Which file a path names now. A store whose file was moved away or replaced must not count on in the old one.
struct FileId {
  unsigned long device = 0;
  unsigned long inode = 0;
  bool operator==(const FileId&) const = default;
};
FileId file_id(const std::string& path);   // zero where there is none
Error replaced_error(const std::string& path, const Schema& schema);

}  // namespace wardenv::policy
