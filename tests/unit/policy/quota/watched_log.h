// SPDX-License-Identifier: Apache-2.0
// Counts how often SQLite puts write-ahead logs on disk, for every store that is opened while it lives; and fails that on demand.
#pragma once

#include <sqlite3.h>

#include <atomic>
#include <string_view>

namespace wardenv::testing {

class WatchedLog {
 public:
  WatchedLog() {
    below = sqlite3_vfs_find(nullptr);
    syncs = 0;
    fails = false;
    vfs_ = *below;
    vfs_.zName = "wardenv-watched";
    vfs_.xOpen = open;
    sqlite3_vfs_register(&vfs_, 1);
  }
  ~WatchedLog() {
    sqlite3_vfs_unregister(&vfs_);
    sqlite3_vfs_register(below, 1);
  }
  WatchedLog(const WatchedLog&) = delete;
  WatchedLog& operator=(const WatchedLog&) = delete;

  static inline std::atomic<int> syncs = 0;
  static inline std::atomic<bool> fails = false;

 private:
  static int open(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* out) {
    const int opened = below->xOpen(below, name, file, flags, out);
    if (opened != SQLITE_OK || name == nullptr || !std::string_view(name).ends_with("-wal")) return opened;
    plain_sync = file->pMethods->xSync;
    methods = *file->pMethods;
    methods.xSync = sync;
    file->pMethods = &methods;
    return opened;
  }
  static int sync(sqlite3_file* file, int flags) {
    if (fails) return SQLITE_IOERR_FSYNC;
    ++syncs;
    return plain_sync(file, flags);
  }

  static inline sqlite3_vfs* below = nullptr;
  static inline sqlite3_io_methods methods{};
  static inline int (*plain_sync)(sqlite3_file*, int) = nullptr;
  sqlite3_vfs vfs_{};
};

}  // namespace wardenv::testing
