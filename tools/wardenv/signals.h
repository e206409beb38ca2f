// SPDX-License-Identifier: Apache-2.0
// The signals that end a run. They wait from main() on until a run catches them, also while one program becomes another (execve(2) keeps the mask).
#pragma once

#include <signal.h>

namespace wardenv::cli {

inline constexpr int kEnding[] = {SIGINT, SIGTERM, SIGHUP};

// `how` as of sigprocmask(2).
inline void block_ending(int how) {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int number : kEnding) ::sigaddset(&set, number);
  ::sigprocmask(how, &set, nullptr);
}

}  // namespace wardenv::cli
