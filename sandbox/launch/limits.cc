// SPDX-License-Identifier: Apache-2.0
// Limits that a process sets on itself: its control group, resource limits, CPU affinity.
#include <sys/resource.h>

#include "sandbox/launch/context.h"

namespace wardenv::launch {

// A thread that moves only itself ("0") through the v1 `tasks` file skips the global lock that makes
// moving a process cost milliseconds after quiet (kernel/cgroup: since 5.4). Rights are those of who opened the file.
int join_cgroup1_step(Context& context, const wire::Step& step) {
  return write(context.slots[step.slot], "0", 1) == 1 ? 0 : errno;
}

// Where the hard limit is lower already, that stricter one stays: raising it would need a privilege (getrlimit(2)).
int rlimit_step(Context&, const wire::Step& step) {
  const int resource = static_cast<int>(step.a);
  rlimit limit{};
  if (getrlimit(resource, &limit) < 0) return errno;
  if (step.b < limit.rlim_max) limit.rlim_max = step.b;
  limit.rlim_cur = limit.rlim_max;
  return error_of(setrlimit(resource, &limit));
}

// b CPUs out of mask a; which ones differs from run to run, so that runs beside each other spread.
int affinity_step(Context& context, const wire::Step& step) {
  const auto available = static_cast<uint64_t>(__builtin_popcountll(step.a));
  if (available == 0 || step.b == 0) return EINVAL;
  uint64_t chosen = 0;
  uint64_t position = 0;
  const uint64_t first = context.sequence % available;
  for (int cpu = 0; cpu < 64; ++cpu) {
    if ((step.a >> cpu & 1) == 0) continue;
    if ((position++ + available - first) % available < step.b) chosen |= 1ULL << cpu;
  }
  return error_of(syscall(SYS_sched_setaffinity, 0, sizeof chosen, &chosen));
}

}  // namespace wardenv::launch
