// SPDX-License-Identifier: Apache-2.0
// Asking a program. posix_spawn(3) does not copy our page tables as fork does, which a large process would pay for.
#include "engine/hooks/program.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <iterator>
#include <optional>

#include "engine/trusted.h"
#include "sandbox/base/unique_fd.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

namespace wardenv::engine::hooks {
namespace {

// A sealed file in memory rather than a pipe: nothing to write while the program runs, and no SIGPIPE where it does not read.
Result<UniqueFd> file_with(const std::string& text) {
  constexpr unsigned kFlags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  UniqueFd file(::memfd_create("wardenv-hook", kFlags | MFD_NOEXEC_SEAL));
  if (!file.valid() && errno == EINVAL) file.reset(::memfd_create("wardenv-hook", kFlags));   // before Linux 6.3
  file = above_stdio(std::move(file));
  if (!file.valid()) return fail_errno(ErrorCode::kHost, "memfd_create");
  for (std::size_t done = 0; done < text.size();) {
    const ssize_t written = ::write(file.get(), text.data() + done, text.size() - done);
    if (written <= 0) return fail_errno(ErrorCode::kHost, "memfd");
    done += static_cast<std::size_t>(written);
  }
  ::lseek(file.get(), 0, SEEK_SET);
  ::fcntl(file.get(), F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL);
  return file;
}

// The attributes and actions of a start, released at the end.
struct Start {
  posix_spawnattr_t attributes{};
  posix_spawn_file_actions_t actions{};
  Start() {
    ::posix_spawnattr_init(&attributes);
    ::posix_spawn_file_actions_init(&actions);
  }
  ~Start() {
    ::posix_spawnattr_destroy(&attributes);
    ::posix_spawn_file_actions_destroy(&actions);
  }
  Start(const Start&) = delete;
  Start& operator=(const Start&) = delete;

  // 0 or an errno.
  int prepare(int in, int out) {
    sigset_t none;
    sigset_t all;
    sigemptyset(&none);
    sigfillset(&all);
    ::posix_spawnattr_setsigmask(&attributes, &none);
    ::posix_spawnattr_setsigdefault(&attributes, &all);
    ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    int error = ::posix_spawn_file_actions_adddup2(&actions, in, 0);
    if (error == 0) error = ::posix_spawn_file_actions_adddup2(&actions, out, 1);
    if (error == 0) error = ::posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    if (error == 0) error = ::posix_spawn_file_actions_addchdir_np(&actions, "/");
    if (error == 0) error = ::posix_spawn_file_actions_addclosefrom_np(&actions, 3);
    return error;
  }
};

// A program that was started; ended with its process group and reaped at the latest in the destructor.
class Program {
 public:
  static Result<Program> start(const std::vector<std::string>& argv, int in, int out);
  Program(Program&& other) noexcept : pid_(std::exchange(other.pid_, -1)), pidfd_(std::move(other.pidfd_)) {}
  Program& operator=(Program&&) = delete;
  ~Program() { (void)end(); }

  [[nodiscard]] int pidfd() const { return pidfd_.get(); }
  // Kills what is left of the group and answers whether the program had ended with status 0 by then.
  bool end();

 private:
  explicit Program(pid_t pid) : pid_(pid), pidfd_(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))) {}
  pid_t pid_;
  UniqueFd pidfd_;
};

}  // namespace

Status check_program(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) < 0) return fail_errno(ErrorCode::kHost, "it can't be started");
  return check_trusted(status, ErrorCode::kHost, "its program", path);
}

namespace {

// A script that an interpreter is given, say.
Status check_argument(const std::string& argument) {
  struct stat status {};
  const bool is_open = argument.starts_with('/') && ::stat(argument.c_str(), &status) == 0 && S_ISREG(status.st_mode) && (status.st_mode & S_IWOTH) != 0;
  return is_open ? Status(fail(ErrorCode::kHost, "a file that it is called with can be written by everybody", "chmod o-w " + argument)) : Status();
}

Result<Program> Program::start(const std::vector<std::string>& argv, int in, int out) {
  Start start;
  std::vector<char*> arguments;
  for (const std::string& argument : argv) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  char path[] = "PATH=/usr/local/bin:/usr/bin:/bin";
  char language[] = "LANG=C.UTF-8";
  char* environment[] = {path, language, nullptr};
  pid_t pid = -1;
  WARDENV_TRY(check_program(argv[0]));
  for (const std::string& argument : argv) WARDENV_TRY(check_argument(argument));
  int error = start.prepare(in, out);
  if (error == 0) error = ::posix_spawn(&pid, argv[0].c_str(), &start.actions, &start.attributes, arguments.data(), environment);
  if (error != 0) return fail_errno(ErrorCode::kHost, "it can't be started", error);
  return Program(pid);
}

bool Program::end() {
  if (pid_ < 0) return false;
  // The leader is not reaped yet, so the number can't be another group's.
  siginfo_t info{};
  const bool ended = ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == pid_;
  const bool good = ended && info.si_code == CLD_EXITED && info.si_status == 0;
  ::kill(-pid_, SIGKILL);
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  return good;
}

int milliseconds_until(Deadline deadline) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
  return left <= 0 ? 0 : static_cast<int>(std::min<std::int64_t>(left, 3'600'000));
}

// Takes what is there to read. False: it is too much.
bool take(int fd, std::string& output, std::size_t max_bytes, bool& open) {
  char buffer[16384];
  for (;;) {
    const ssize_t got = ::read(fd, buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return true;   // nothing now
    if (got == 0) {
      open = false;
      return true;
    }
    output.append(buffer, static_cast<std::size_t>(got));
    if (output.size() > max_bytes) return false;
  }
}

// Hears the program out: until it has ended, whatever else may still hold its output.
Status hear(const Program& program, int out, Deadline deadline, std::size_t max_bytes, int cancel_fd, std::string& output) {
  for (bool open = true, ended = false; !ended;) {
    pollfd fds[] = {{program.pidfd(), POLLIN, 0}, {open ? out : -1, POLLIN, 0}, {cancel_fd, POLLIN, 0}};
    const int left = milliseconds_until(deadline);
    const int ready = ::poll(fds, std::size(fds), left);
    if (ready < 0 && errno != EINTR) return fail_errno(ErrorCode::kHost, "poll");
    if (ready == 0 && milliseconds_until(deadline) == 0) return fail(ErrorCode::kHost, "it took too long");
    ended = ready > 0 && fds[0].revents != 0;
    if (open && !take(out, output, max_bytes, open)) return fail(ErrorCode::kHost, "its answer is too long");
    if (ready > 0 && fds[2].revents != 0 && !ended) return fail(ErrorCode::kHost, "it was not waited for");
    if (std::chrono::steady_clock::now() >= deadline && !ended) return fail(ErrorCode::kHost, "it took too long");
  }
  return {};
}

}  // namespace

Result<std::string> ask_program(const std::vector<std::string>& argv, const std::string& input, Deadline deadline, std::size_t max_bytes, int cancel_fd) {
  if (argv.empty() || !argv[0].starts_with('/')) return fail(ErrorCode::kBadInput, "its program is not an absolute path");
  auto in = file_with(input);
  if (!in) return tl::unexpected(in.error());
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return fail_errno(ErrorCode::kHost, "pipe");
  UniqueFd out = above_stdio(UniqueFd(ends[0]));
  UniqueFd theirs = above_stdio(UniqueFd(ends[1]));
  if (!out.valid() || !theirs.valid() || ::fcntl(out.get(), F_SETFL, O_NONBLOCK) != 0) return fail_errno(ErrorCode::kHost, "pipe");
  auto program = Program::start(argv, in->get(), theirs.get());
  if (!program) return tl::unexpected(program.error());
  if (program->pidfd() < 0) return fail_errno(ErrorCode::kHost, "pidfd_open");
  theirs.reset();
  std::string output;
  WARDENV_TRY(hear(*program, out.get(), deadline, max_bytes, cancel_fd, output));
  if (!program->end()) return fail(ErrorCode::kHost, "it failed");
  return output;
}

}  // namespace wardenv::engine::hooks
