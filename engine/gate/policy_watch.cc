// SPDX-License-Identifier: Apache-2.0
// PolicySource: watches the policy (inotify(7)) and swaps it.
#include <limits.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <system_error>
#include <utility>

#include "engine/gate/policy_source.h"
#include "engine/paths.h"

namespace wardenv::engine {
namespace {

constexpr int kSettleMs = 20;   // an editor writes in several steps
constexpr int kLookMs = 1000;   // for what no watch tells: a folder further up that is exchanged, a file system that others write to

FileMark mark_of(const std::string& file) {
  struct stat status {};
  if (::stat(file.c_str(), &status) < 0) return {};
  return {{static_cast<std::int64_t>(status.st_dev), static_cast<std::int64_t>(status.st_ino), status.st_size, status.st_mtim.tv_sec,
           status.st_mtim.tv_nsec, status.st_ctim.tv_sec, status.st_ctim.tv_nsec}};
}

}  // namespace

PolicySource::~PolicySource() {
  if (!thread_.joinable()) return;
  (void)::eventfd_write(stop_.get(), 1);
  thread_.join();
}

Status PolicySource::watch(std::function<void()> on_change, std::function<void(std::string_view)> on_notice) try {
  if (file_.empty()) return {};
  on_change_ = std::move(on_change);
  on_notice_ = std::move(on_notice);
  inotify_.reset(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  stop_.reset(::eventfd(0, EFD_CLOEXEC));
  if (!inotify_.valid() || !stop_.valid()) return fail_errno(ErrorCode::kHost, "cannot watch the policy", "raise fs.inotify.max_user_instances");
  WARDENV_TRY(watch_folders());
  reload();   // what was edited between reading and watching
  thread_ = std::thread([this] { follow(); });
  return {};
} catch (const std::system_error& error) {
  return fail(ErrorCode::kHost, std::string("cannot start a thread: ") + error.what());
}

// The folder is watched, not the file: editors and configuration tools rename a new file over the old one. The real folder of the file as
// well, where the file is a link. To watch a folder that is watched already changes nothing (inotify_add_watch(2)).
Status PolicySource::watch_folders() {
  const auto real = resolve_path(file_);
  constexpr std::uint32_t kEvents = IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_DELETE | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;
  std::set<int> watches;
  Status watched;
  for (const std::string& folder : {parent_of(file_), parent_of(real ? real->real : file_)}) {
    const int watch = ::inotify_add_watch(inotify_.get(), folder.c_str(), kEvents);
    if (watch >= 0) watches.insert(watch);
    else watched = fail_errno(ErrorCode::kHost, "cannot watch the policy's folder `" + folder + "`", "raise fs.inotify.max_user_watches");
  }
  for (const int old : watches_) {
    if (!watches.contains(old)) ::inotify_rm_watch(inotify_.get(), old);
  }
  watches_ = std::move(watches);
  return watched;
}

void PolicySource::follow() {
  for (;;) {
    pollfd fds[2] = {{inotify_.get(), POLLIN, 0}, {stop_.get(), POLLIN, 0}};
    const int happened = ::poll(fds, 2, kLookMs);
    if (happened < 0 || (happened == 0 && mark_of(file_) == mark_)) continue;
    if (fds[1].revents != 0) return;
    pollfd stop{stop_.get(), POLLIN, 0};
    if (::poll(&stop, 1, kSettleMs) > 0) return;
    alignas(inotify_event) char buffer[4096];
    while (::read(inotify_.get(), buffer, sizeof buffer) > 0) {}
    (void)watch_folders();   // where one is gone for now, the look once a second finds what comes in its place
    reload();
  }
}

// Also where the file is gone for a moment, or for good: the old policy stays.
void PolicySource::reload() {
  mark_ = mark_of(file_);   // before it is read: what is written meanwhile is another mark
  auto next = load_file(file_, "");
  std::string notice;
  bool changed = false;
  {
    const std::lock_guard lock(mutex_);
    if (next && (*next)->digest_sha256 != edition_->digest_sha256) {
      edition_ = std::move(*next);
      changed = true;
      refusal_.clear();
    } else if (next) {
      refusal_.clear();
    } else if (next.error().message != refusal_) {
      refusal_ = next.error().message;
      const bool gone = mark_ == FileMark{};
      notice = (gone ? "the policy is gone, the old one stays in force and nothing is run until it is back: " : "the edit of the policy was refused, the old one stays in force: ") +
               next.error().message;
    }
  }
  if (changed && on_change_) on_change_();
  if (!notice.empty() && on_notice_) on_notice_(notice);
}

}  // namespace wardenv::engine
