// SPDX-License-Identifier: Apache-2.0
// The resident launcher's runs: one entry for each sandbox that lives.
#pragma once

#include "sandbox/launch/context.h"

namespace wardenv::launch {

inline constexpr int kMaxRuns = 128;
inline constexpr int kMaxDenied = 64;  // different refused system calls that a run's report names; the last one takes the rest

struct Denied {
  int32_t number;
  uint64_t count;
  uint64_t args[3];
};

struct Run {
  bool used = false;
  bool killed = false;
  int control = -1;    // to the engine
  int status = -1;     // to init
  int pidfd = -1;
  int listener = -1;   // seccomp notifications
  int proc = -1;       // the sandbox's procfs (watchdog)
  int root = -1;       // the sandbox's tmpfs (watchdog)
  pid_t pid = -1;
  wire::Cause cause = wire::Cause::kOwn;
  uint64_t deadline_ms = 0;
  uint64_t memory_bytes = 0;
  uint32_t last_syscall = 0;
  bool watched = false;
  bool have_status = false;
  int32_t wait_status = 0;
  wire::Frame failure{};   // kFailed or kExecFailed, where there was one
  uint64_t peak_memory = 0;
  uint32_t peak_processes = 0;
  int denied_count = 0;
  Denied denied[kMaxDenied];
};

uint64_t now_ms();
void kill_run(Run& run, wire::Cause cause);

// Watchdog: sums the memory of the run's PID namespace and its tmpfs, kills the run where it passes the limit.
void watch_memory(Run& run);

// Answers one seccomp notification. The arguments are values: nothing is ever followed or continued (seccomp_unotify(2)).
void answer_notification(Run& run);

}  // namespace wardenv::launch
