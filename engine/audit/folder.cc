// SPDX-License-Identifier: Apache-2.0
// The log's folder: opened, made, listed, locked.
#include "engine/audit/folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cerrno>
#include <chrono>
#include <ctime>
#include <memory>
#include <thread>

namespace wardenv::engine::audit {
namespace {

constexpr std::string_view kAsidePrefix = "audit-";
constexpr std::string_view kSuffix = ".jsonl";
constexpr std::size_t kNumberDigits = 20;
constexpr std::chrono::seconds kLockPatience{10};   // a holder that was stopped must not hang everybody for good
constexpr std::chrono::microseconds kLongestPause{1000};

// The number in "audit-00000000000000000042.jsonl"; 0 where the name is another.
std::uint64_t number_of(std::string_view name) {
  if (name.size() != kAsidePrefix.size() + kNumberDigits + kSuffix.size() || !name.starts_with(kAsidePrefix) || !name.ends_with(kSuffix)) return 0;
  const std::string_view digits = name.substr(kAsidePrefix.size(), kNumberDigits);
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  return error == std::errc() && end == digits.data() + digits.size() ? number : 0;
}

}  // namespace

std::string name_aside(std::uint64_t first) {
  const std::string digits = std::to_string(first);
  return std::string(kAsidePrefix) + std::string(kNumberDigits - digits.size(), '0') + digits + std::string(kSuffix);
}

Result<UniqueFd> open_folder(const std::string& path) {
  UniqueFd folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder.valid() && errno == ENOENT) {
    return fail_errno(ErrorCode::kNotFound, "audit log `" + path + "`", "nothing was judged yet, or WARDENV_STATE names another folder");
  }
  if (!folder.valid()) return fail_errno(ErrorCode::kHost, "audit log `" + path + "`");
  struct stat status {};
  if (::fstat(folder.get(), &status) != 0) return fail_errno(ErrorCode::kHost, "audit log `" + path + "`");
  if (status.st_uid != ::geteuid() && status.st_uid != 0 && ::geteuid() != 0) {
    return fail(ErrorCode::kUnenforceable, "audit log `" + path + "` belongs to another user", "give WARDENV_STATE a folder of your own");
  }
  if ((status.st_mode & 022) != 0) {
    return fail(ErrorCode::kUnenforceable, "audit log `" + path + "` can be written to by others", "chmod 700 it, after `wardenv audit verify`");
  }
  return folder;
}

Result<UniqueFd> open_file(int folder, const std::string& name, int flags) {
  UniqueFd file(::openat(folder, name.c_str(), flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600));
  if (!file.valid()) return fail_errno(ErrorCode::kHost, "audit log: `" + name + "`");
  struct stat status {};
  if (::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) return fail(ErrorCode::kUnenforceable, "audit log: `" + name + "` is not a file");
  return file;
}

Result<std::vector<LogFile>> list_files(int folder) {
  UniqueFd copy(::openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(copy.valid() ? ::fdopendir(copy.get()) : nullptr, ::closedir);
  if (stream == nullptr) return fail_errno(ErrorCode::kHost, "audit log: its folder");
  (void)copy.release();
  std::vector<LogFile> files;
  bool active = false;
  while (const dirent* entry = ::readdir(stream.get())) {
    active = active || std::string_view(entry->d_name) == kActiveFile;
    if (const std::uint64_t first = number_of(entry->d_name); first != 0) files.push_back({entry->d_name, first});
  }
  std::sort(files.begin(), files.end(), [](const LogFile& a, const LogFile& b) { return a.first < b.first; });
  if (active) files.push_back({kActiveFile, 0});
  return files;
}

Result<FolderLock> FolderLock::take(int lock_fd, LockKind kind) {
  const int operation = (kind == LockKind::kExclusive ? LOCK_EX : LOCK_SH) | LOCK_NB;
  const auto deadline = std::chrono::steady_clock::now() + kLockPatience;
  for (auto pause = std::chrono::microseconds(20); ::flock(lock_fd, operation) != 0; pause = std::min(2 * pause, kLongestPause)) {
    if (errno != EWOULDBLOCK && errno != EINTR) return fail_errno(ErrorCode::kHost, "audit log: its lock");
    if (std::chrono::steady_clock::now() > deadline) {
      return fail(ErrorCode::kHost, "audit log: another process keeps it locked", "find it with `fuser` on the file `lock` of the log's folder");
    }
    std::this_thread::sleep_for(pause);
  }
  return FolderLock(lock_fd);
}

FolderLock::~FolderLock() {
  if (fd_ >= 0) ::flock(fd_, LOCK_UN);
}

Status write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return fail_errno(ErrorCode::kHost, "audit log: writing", "nothing runs that can't be recorded: make room or mend the disk");
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

std::int64_t now_microseconds() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return std::int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1000;
}

}  // namespace wardenv::engine::audit
