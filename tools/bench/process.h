// SPDX-License-Identifier: Apache-2.0
// One child process, from start to exit, timed.
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <string>
#include <utility>
#include <vector>

namespace wardenv::bench {

using Strings = std::vector<std::string>;

inline constexpr int kInputFd = 9;  // where Command::input_file is open in the child
inline constexpr int kCannotExec = 127;

struct Command {
  Strings argv{};  // argv[0]: a path, no search
  Strings env{"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/tmp", "LANG=C.UTF-8"};
  std::string cwd = "/";
  std::string stdout_path = "/dev/null";  // written from the start
  std::string stderr_path = "/dev/null";
  std::string input_file{};                      // opened anew for every start, as descriptor kInputFd
  std::vector<std::pair<int, rlim_t>> limits{};  // RLIMIT_…, soft and hard
  uid_t run_as = 0;                              // other than 0: this user and group
  int mount_namespace = -1;                      // not owned; other than -1: entered before the start
};

// What one start cost and how it ended.
struct Sample {
  double ms = 0;
  int status = 0;       // exit status, or 128 + signal
  std::string error{};  // why, where we know more than the status
};

double now_ms();  // CLOCK_MONOTONIC

// Starts (vfork, execve), waits (wait4) and times. Thread-safe.
Sample run_timed(const Command& command);

// The path of a program in PATH, "" where it is not installed.
std::string find_program(const std::string& name);

// The first line that a shell command prints, "" where it prints nothing.
std::string first_line_of(const std::string& shell_command);

}  // namespace wardenv::bench
