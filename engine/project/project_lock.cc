// SPDX-License-Identifier: Apache-2.0
// flock(2): it belongs to the open file, so that two threads of one process keep each other out as two processes do.
#include "engine/project/project_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <thread>

#include "engine/paths.h"
#include "engine/state_place.h"

namespace wardenv::engine {
namespace {

constexpr auto kPatience = std::chrono::seconds(30);
constexpr auto kPause = std::chrono::milliseconds(50);

}  // namespace

ProjectLock::ProjectLock(const Runner& runner, const std::string& venv) {
  held_ = open(venv);
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (held_ && !take()) {
    if (errno != EWOULDBLOCK && errno != EINTR) {
      held_ = fail_errno(ErrorCode::kHost, "cannot lock the environment");
    } else if (std::chrono::steady_clock::now() > deadline || (runner.cancelled && runner.cancelled())) {
      held_ = fail(ErrorCode::kHost, "another operation on this environment is under way" + holder(), "call again when it is over");
    } else {
      waited_for_ = "another operation on this environment" + holder();
      if (runner.say) runner.say("waiting for " + waited_for_);
      std::this_thread::sleep_for(kPause);
    }
  }
  if (runner.say && !waited_for_.empty()) runner.say({});
}

Status ProjectLock::open(const std::string& venv) {
  struct stat folder {};
  if (::stat(parent_of(venv).c_str(), &folder) < 0) return fail_errno(ErrorCode::kBadInput, "`" + parent_of(venv) + "`");
  const auto locks = make_state_place("locks");
  if (!locks) return fail(locks.error().code, "cannot lock the environment: " + locks.error().message, locks.error().hint);
  const std::string path = *locks + "/" + std::to_string(folder.st_dev) + "-" + std::to_string(folder.st_ino);
  file_.reset(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (file_.valid()) return {};
  return fail_errno(ErrorCode::kHost, "cannot lock the environment: `" + path + "`", "name another state folder with WARDENV_STATE");
}

bool ProjectLock::take() {
  if (::flock(file_.get(), LOCK_EX | LOCK_NB) < 0) return false;
  const std::string pid = std::to_string(::getpid());
  if (::ftruncate(file_.get(), 0) == 0) (void)!::pwrite(file_.get(), pid.data(), pid.size(), 0);
  return true;
}

// As whoever holds it wrote it: empty for a moment at first.
std::string ProjectLock::holder() const {
  char text[16];
  const ssize_t size = ::pread(file_.get(), text, sizeof text, 0);
  return size <= 0 ? "" : " (of process " + std::string(text, static_cast<std::size_t>(size)) + ")";
}

}  // namespace wardenv::engine
