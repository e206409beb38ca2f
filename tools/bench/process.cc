// SPDX-License-Identifier: Apache-2.0
// One child process, from start to exit, timed.
#include "tools/bench/process.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

namespace wardenv::bench {
namespace {

std::vector<char*> pointers(const Strings& strings) {
  std::vector<char*> result;
  for (const std::string& text : strings) result.push_back(const_cast<char*>(text.c_str()));
  result.push_back(nullptr);
  return result;
}

bool open_as(const std::string& path, int flags, int wanted) {
  const int fd = ::open(path.c_str(), flags, 0644);
  if (fd < 0) return false;
  return fd == wanted || (::dup2(fd, wanted) >= 0 && ::close(fd) == 0);
}

bool open_files(const Command& command) {
  constexpr int kWrite = O_WRONLY | O_CREAT | O_TRUNC;
  return open_as("/dev/null", O_RDONLY, 0) && open_as(command.stdout_path, kWrite, 1) &&
         open_as(command.stderr_path, kWrite, 2) &&
         (command.input_file.empty() || open_as(command.input_file, O_RDONLY, kInputFd));
}

// By system call: the library's setuid() would change the threads of the parent, whose memory the child of a vfork
// shares.
bool become(uid_t user) {
  return user == 0 || (::syscall(SYS_setgroups, 0, nullptr) == 0 && ::syscall(SYS_setresgid, user, user, user) == 0 &&
                       ::syscall(SYS_setresuid, user, user, user) == 0);
}

bool enter(int mount_namespace) { return mount_namespace < 0 || ::setns(mount_namespace, CLONE_NEWNS) == 0; }

bool set_limits(const Command& command) {
  for (const auto& [resource, value] : command.limits) {
    rlimit limit{};
    if (::syscall(SYS_prlimit64, 0, resource, nullptr, &limit) < 0) return false;
    limit.rlim_cur = limit.rlim_max = value < limit.rlim_max ? value : limit.rlim_max;
    if (::syscall(SYS_prlimit64, 0, resource, &limit, nullptr) < 0) return false;
  }
  return true;
}

// In the child of a vfork: nothing here allocates, throws or returns to the caller's frame.
[[noreturn]] __attribute__((noinline)) void become_command(const Command& command, char* const* argv,
                                                           char* const* env) {
  if (open_files(command) && set_limits(command) && enter(command.mount_namespace) &&
      ::chdir(command.cwd.c_str()) == 0 && become(command.run_as)) {
    ::execve(argv[0], argv, env);
  }
  ::_exit(kCannotExec);
}

__attribute__((noinline)) pid_t start(const Command& command, char* const* argv, char* const* env) {
  const pid_t child = ::vfork();
  if (child == 0) become_command(command, argv, env);
  return child;
}

}  // namespace

double now_ms() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

Sample run_timed(const Command& command) {
  const std::vector<char*> argv = pointers(command.argv);
  const std::vector<char*> env = pointers(command.env);
  int status = 0;
  rusage usage{};
  const double begin = now_ms();
  const pid_t child = start(command, argv.data(), env.data());
  if (child < 0) return {0, kCannotExec, std::string("vfork: ") + std::strerror(errno)};
  while (::wait4(child, &status, 0, &usage) < 0 && errno == EINTR) {
  }
  const double end = now_ms();
  return {end - begin, WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), {}};
}

std::string find_program(const std::string& name) {
  const char* path = std::getenv("PATH");
  std::string folders = std::string(path != nullptr ? path : "") + ":/usr/bin:/usr/sbin:";
  for (std::size_t begin = 0, end = 0; (end = folders.find(':', begin)) != std::string::npos; begin = end + 1) {
    const std::string candidate = folders.substr(begin, end - begin) + "/" + name;
    if (candidate[0] == '/' && candidate[1] != '/' && ::access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return "";
}

std::string first_line_of(const std::string& shell_command) {
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(::popen(shell_command.c_str(), "re"), ::pclose);
  char line[512] = {};
  if (pipe == nullptr || std::fgets(line, sizeof line, pipe.get()) == nullptr) return "";
  line[std::strcspn(line, "\n")] = '\0';
  return line;
}

}  // namespace wardenv::bench
