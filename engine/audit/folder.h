// SPDX-License-Identifier: Apache-2.0
// The log's folder: key file, lock, anchor, and the files in their order.
//
//   key             the secret (0600): without it nobody can add a record that holds, or guess the values behind the hashes
//   audit.jsonl     the file that grows
//   audit-N.jsonl   files put aside; N is the sequence number of their first record, 20 digits
//   anchor          how far the log goes, on disk and written, under a MAC: makes a cut at the end visible
//   lock            flock(2)ed by who appends
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/audit/line.h"
#include "sandbox/base/error.h"
#include "sandbox/base/unique_fd.h"

namespace wardenv::engine::audit {

inline constexpr const char* kActiveFile = "audit.jsonl";

// Everything that is derived from the key file.
struct Keys {
  Hmac values;    // argument values
  Hmac records;   // the MAC of each record
  Hmac anchor;
  Digest heads;       // the seed of the signing key
  std::string start;  // the `prev` of the first record, 64 digits
};

struct Anchor {
  ChainEnd end{};           // the last record that is known to be on disk
  std::uint64_t file = 1;   // sequence number of the first record of the file that it is in
  std::uint64_t bytes = 0;  // size of that file with it
  ChainEnd written{};       // the last record that was given to the kernel: that or later; a power cut may take it back
  bool operator==(const Anchor&) const = default;
};

struct LogFile {
  std::string name{};
  std::uint64_t first = 0;   // sequence number of its first record; of the active file: 0 until it is read
};

// Opens the folder. Error kNotFound where it isn't there; kUnenforceable where others may write to it.
Result<UniqueFd> open_folder(const std::string& path);

// Makes the folder with a key, a first record and an anchor, all or nothing; another process that does so first wins, which is no error.
Status create_folder(const std::string& path);

// Errors: kUnenforceable where the file is missing, readable by others or not a key.
Result<Keys> read_keys(int folder);

// The anchor, its MAC checked. Error kUnenforceable where it is missing or not of this key.
Result<Anchor> read_anchor(int folder, const Keys& keys);
// Overwrites it in place (one block: whole or not at all). Not synced: after a power cut an older one may be there, which holds too.
Status write_anchor(int fd, const Anchor& anchor, const Keys& keys);
Result<UniqueFd> open_anchor(int folder);

// Files that were put aside in the order of their records, then the active one where it exists.
Result<std::vector<LogFile>> list_files(int folder);
std::string name_aside(std::uint64_t first);

Result<UniqueFd> open_file(int folder, const std::string& name, int flags);

// Holds the lock until the end of the scope. kExclusive: to append. kShared: to read a state that is whole.
enum class LockKind { kShared, kExclusive };
class FolderLock {
 public:
  static Result<FolderLock> take(int lock_fd, LockKind kind);
  FolderLock(FolderLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FolderLock& operator=(FolderLock&&) = delete;
  ~FolderLock();

 private:
  explicit FolderLock(int fd) : fd_(fd) {}
  int fd_;
};

Status write_all(int fd, std::string_view bytes);   // to the end of the file or at the file's offset; may have written a part when it fails
std::int64_t now_microseconds();

}  // namespace wardenv::engine::audit
