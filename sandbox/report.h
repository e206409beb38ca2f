// SPDX-License-Identifier: Apache-2.0
// SandboxReport: what came of a run, as the launcher and the kernel tell it. Plain data.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace wardenv::sandbox {

enum class Ending { kExited, kSignaled, kTimedOut, kMemoryExceeded, kCancelled, kNotFound, kNotExecutable };

// Who holds a limit. to_string gives the words of the report: cgroup2, cgroup1, watchdog, rlimit, affinity, none.
enum class Holder { kNone, kCgroup2, kCgroup1, kWatchdog, kRlimit, kAffinity };

// System calls that the filter refused, counted by the launcher's supervisor.
struct DeniedSyscall {
  int number = 0;
  std::uint64_t count = 0;
  std::uint64_t args[3] = {0, 0, 0};  // register values of the first refusal; never followed as pointers
  bool operator==(const DeniedSyscall&) const = default;
};

struct Usage {
  double wall_ms = 0;
  double cpu_user_ms = 0;
  double cpu_system_ms = 0;
  std::uint64_t peak_memory_bytes = 0;
  std::uint32_t peak_processes = 0;
  bool operator==(const Usage&) const = default;
};

// What was in force. Filled from the plan, so it says what was done and not what was wished.
struct Enforced {
  std::vector<std::string> namespaces{};
  bool seccomp = false;
  int landlock_abi = 0;                 // 0: not applied
  Holder memory = Holder::kNone;
  Holder processes = Holder::kNone;
  Holder cpu = Holder::kNone;
  std::vector<std::string> degraded{};    // what is weaker than the default: names of --allow-degraded that took effect, network:host, seccomp:NAME of a profile
  bool operator==(const Enforced&) const = default;
};

struct SandboxReport {
  Ending ending = Ending::kExited;
  int exit_code = 0;      // only with kExited
  int signal = 0;         // only with kSignaled, kTimedOut, kMemoryExceeded, kCancelled
  int exec_errno = 0;     // only with kNotFound and kNotExecutable
  Usage usage;
  std::vector<DeniedSyscall> denied{};
  bool operator==(const SandboxReport&) const = default;
};

}  // namespace wardenv::sandbox
