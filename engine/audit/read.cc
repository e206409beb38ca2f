// SPDX-License-Identifier: Apache-2.0
// Reading a log: from the first file to the last, and on.
#include "engine/audit/read.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <deque>
#include <nlohmann/json.hpp>
#include <vector>

#include "engine/audit/folder.h"
#include "engine/audit/line_reader.h"

namespace wardenv::engine {
namespace {

using audit::LineReader;
using audit::LogFile;

constexpr int kTries = 100;
constexpr int kLookAgainMs = 1000;   // also without a word of inotify: it says nothing on some network file systems

bool passes(std::string_view line, const AuditFilter& filter) {
  if (filter.since.empty() && filter.tool.empty() && filter.run_id.empty()) return true;
  const auto document = nlohmann::json::parse(line, nullptr, false);
  if (!document.is_object()) return true;   // damage is shown, whatever is asked for
  const auto is = [&document](const char* name, const std::string& wanted) {
    const auto found = document.find(name);
    return wanted.empty() || (found != document.end() && found->is_string() && found->get_ref<const std::string&>() == wanted);
  };
  const auto time = document.find("time");
  const bool late = filter.since.empty() || time == document.end() || !time->is_string() || time->get_ref<const std::string&>() >= filter.since;
  return late && is("tool", filter.tool) && is("run_id", filter.run_id);
}

// Goes through the files in order; knows where it is, so that it can go on later.
class Cursor {
 public:
  static Result<Cursor> open(const std::string& path);

  // Everything there is from here on. The answer: whether the sink wants more.
  Result<GoOn> read(const AuditFilter& filter, const AuditSink& sink);
  // Skips files that are surely not needed for the newest `records`.
  Status start_near_end(std::uint64_t records);

 private:
  explicit Cursor(UniqueFd folder) : folder_(std::move(folder)) {}
  Result<GoOn> read_file(const AuditFilter& filter, const AuditSink& sink);
  Result<bool> enter_next();
  [[nodiscard]] Result<std::vector<LogFile>> files_behind() const;
  [[nodiscard]] bool is_active() const;

  UniqueFd folder_;
  UniqueFd file_;
  std::uint64_t first_ = 0;    // number of the record that the open file begins with
  std::uint64_t offset_ = 0;
};

Result<Cursor> Cursor::open(const std::string& path) {
  auto folder = audit::open_folder(path);
  if (!folder) return tl::unexpected(folder.error());
  return Cursor(std::move(*folder));
}

// The number that a file's first line says. 0: nothing is in it yet. Damage counts as the highest number: nothing comes after it.
std::uint64_t first_number(int fd) {
  char text[32] = {};
  const ssize_t length = ::pread(fd, text, sizeof text - 1, 0);
  if (length <= 0) return 0;
  const std::uint64_t number = std::string_view(text).starts_with(R"({"seq":)") ? std::strtoull(text + 7, nullptr, 10) : 0;
  return number == 0 ? UINT64_MAX : number;
}

bool Cursor::is_active() const {
  struct stat ours {};
  struct stat there {};
  return ::fstat(file_.get(), &ours) == 0 && ::fstatat(folder_.get(), audit::kActiveFile, &there, AT_SYMLINK_NOFOLLOW) == 0 && ours.st_ino == there.st_ino &&
         ours.st_dev == there.st_dev;
}

// The files behind the one that is open, in order.
Result<std::vector<LogFile>> Cursor::files_behind() const {
  auto files = audit::list_files(folder_.get());
  if (files) std::erase_if(*files, [this](const LogFile& file) { return file.first != 0 && file.first <= first_; });
  return files;
}

// Opens the file after the one that is open; false where there is none yet, or nothing in it.
Result<bool> Cursor::enter_next() {
  for (int tries = 0; tries < kTries; ++tries) {
    const auto files = files_behind();
    if (!files) return tl::unexpected(files.error());
    if (files->empty()) return false;
    const LogFile& next = files->front();
    auto file = audit::open_file(folder_.get(), next.name, O_RDONLY);
    if (!file && file.error().sys_errno == ENOENT) continue;   // put aside just now
    if (!file) return tl::unexpected(file.error());
    const std::uint64_t first = next.first != 0 ? next.first : first_number(file->get());
    if (first == 0) return false;
    // The active file may have been put aside, and another begun, between the listing and the opening: then that one comes first.
    const auto again = next.first != 0 ? files : files_behind();
    if (!again) return tl::unexpected(again.error());
    if (next.first == 0 && !again->empty() && again->front().first != 0 && again->front().first != first) continue;
    file_ = std::move(*file);
    first_ = first;
    offset_ = 0;
    return true;
  }
  return false;
}

Status Cursor::start_near_end(std::uint64_t records) {
  auto files = audit::list_files(folder_.get());
  if (!files) return tl::unexpected(files.error());
  // A file's number says how many records are before it: the newest file that has enough behind its beginning will do.
  std::uint64_t newest = 0;
  for (const LogFile& file : *files) newest = std::max(newest, file.first);
  for (const LogFile& file : *files) {
    if (file.first != 0 && file.first + records <= newest) first_ = file.first - 1;
  }
  return {};
}

Result<GoOn> Cursor::read_file(const AuditFilter& filter, const AuditSink& sink) {
  struct stat status {};
  if (::fstat(file_.get(), &status) == 0) offset_ = std::min(offset_, static_cast<std::uint64_t>(status.st_size));   // a torn end was cut off
  LineReader reader(file_.get(), offset_);
  std::string_view line;
  for (;;) {
    const LineReader::Next next = reader.next(line);
    if (next == LineReader::Next::kError) return fail_errno(ErrorCode::kHost, "audit log: reading it");
    if (next == LineReader::Next::kLong) return fail(ErrorCode::kHost, "audit log: a line is too long to be a record", "`wardenv audit verify` says where");
    if (next != LineReader::Next::kLine) return GoOn::kYes;
    offset_ = reader.offset();
    if (passes(line, filter) && sink(line) == GoOn::kNo) return GoOn::kNo;
  }
}

Result<GoOn> Cursor::read(const AuditFilter& filter, const AuditSink& sink) {
  if (!file_.valid()) {
    auto entered = enter_next();
    if (!entered) return tl::unexpected(entered.error());
    if (!*entered) return GoOn::kYes;
  }
  for (;;) {
    const bool active = is_active();   // before reading: what is written until it is put aside is in it then
    auto more = read_file(filter, sink);
    if (!more || *more == GoOn::kNo || active) return more;
    auto entered = enter_next();
    if (!entered) return tl::unexpected(entered.error());
    if (!*entered) return GoOn::kYes;
  }
}

// What is there now, of which perhaps only the last.
Result<GoOn> read_so_far(Cursor& cursor, const AuditFilter& filter, const AuditSink& sink) {
  if (filter.last == 0) return cursor.read(filter, sink);
  if (filter.since.empty() && filter.tool.empty() && filter.run_id.empty()) WARDENV_TRY(cursor.start_near_end(filter.last));
  std::deque<std::string> newest;
  const auto keep = [&](std::string_view line) {
    if (newest.size() == filter.last) newest.pop_front();
    newest.emplace_back(line);
    return GoOn::kYes;
  };
  auto more = cursor.read(filter, keep);
  if (!more) return more;
  for (const std::string& line : newest) {
    if (sink(line) == GoOn::kNo) return GoOn::kNo;
  }
  return GoOn::kYes;
}

// Waits until something happens in the folder. False: `stop_fd` became readable.
Result<bool> wait_for_more(int inotify, int stop_fd) {
  pollfd fds[] = {{stop_fd, POLLIN, 0}, {inotify, POLLIN, 0}};
  if (::poll(fds, 2, kLookAgainMs) < 0 && errno != EINTR) return fail_errno(ErrorCode::kHost, "audit log: waiting");
  if (fds[0].revents != 0) return false;
  char events[8192];
  while (::read(inotify, events, sizeof events) > 0) {
  }
  return true;
}

}  // namespace

Status read_audit_log(const std::string& folder, const AuditFilter& filter, const AuditSink& sink) {
  auto cursor = Cursor::open(folder);
  if (!cursor) return tl::unexpected(cursor.error());
  const auto more = read_so_far(*cursor, filter, sink);
  return more ? Status{} : tl::unexpected(more.error());
}

Status follow_audit_log(const std::string& folder, const AuditFilter& filter, const AuditSink& sink, int stop_fd) {
  auto cursor = Cursor::open(folder);
  if (!cursor) return tl::unexpected(cursor.error());
  const UniqueFd inotify(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (!inotify.valid() || ::inotify_add_watch(inotify.get(), folder.c_str(), IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF) < 0) {
    return fail_errno(ErrorCode::kHost, "audit log: watching `" + folder + "`");
  }
  for (auto more = read_so_far(*cursor, filter, sink);; more = cursor->read(filter, sink)) {
    if (!more) return tl::unexpected(more.error());
    if (*more == GoOn::kNo) return {};
    auto waited = wait_for_more(inotify.get(), stop_fd);
    if (!waited) return tl::unexpected(waited.error());
    if (!*waited) return {};
  }
}

}  // namespace wardenv::engine
