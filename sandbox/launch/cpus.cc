// SPDX-License-Identifier: Apache-2.0
// On which CPUs the launcher that `wardenv` forks begins its work.
//
// A forked process starts on the CPU of its parent, and a message wakes its reader where it slept, or on the CPU of the writer as if the
// writer had nothing more to do: left alone, two of front end, launcher and sandbox share one CPU while the next is idle. Where the next is
// idle, the launcher keeps off the front end's CPU at first; for the run itself the engine, which has to wait then, lends its own
// (launcher_client.cc), so that the launcher does not wait behind a sandbox that is busy with what was begun ahead. On a busy host the
// kernel decides. The sandbox may use every CPU from its first step on, and so may the launcher once it has the run.
#include <sched.h>

#include "sandbox/launch/context.h"
#include "sandbox/launch/serve.h"

namespace wardenv::launch {
namespace {

struct CpuMask {
  unsigned long bits[128];   // of 8192 CPUs, more than any kernel is built for
};
constexpr unsigned kBits = 8 * sizeof(unsigned long);

CpuMask home;
long home_size = 0;    // in bytes; 0: we are not apart

unsigned count(const CpuMask& mask) {
  unsigned sum = 0;
  for (unsigned long bits : mask.bits) sum += static_cast<unsigned>(__builtin_popcountl(bits));
  return sum;
}

// How many processes run or want to: the fourth word of /proc/loadavg, "2/345" (proc(5)). 0 where it can't be told.
unsigned running() {
  char text[128] = {};
  const int fd = open_file(AT_FDCWD, "/proc/loadavg", O_RDONLY);
  if (fd < 0 || close_and(fd, read(fd, text, sizeof text - 1) > 0 ? 0 : EIO) != 0) return 0;
  const char* word = text;
  for (int i = 0; i < 3 && word != nullptr; ++i) word = strchr(word + 1, ' ');
  unsigned number = 0;
  if (word != nullptr) while (*++word >= '0' && *word <= '9') number = 10 * number + static_cast<unsigned>(*word - '0');
  return number;
}

}  // namespace

void remember_cpus() { home_size = syscall(SYS_sched_getaffinity, 0, sizeof home, &home); }

bool keep_apart(int launcher) {
  const int here = sched_getcpu();
  if (home_size <= 0 || here < 0 || static_cast<size_t>(here) >= 8 * sizeof home) return false;
  const unsigned busy = running();
  if (busy == 0 || busy > count(home)) return false;   // we, the launcher, and one fewer than there are CPUs
  CpuMask others = home;
  others.bits[static_cast<unsigned>(here) / kBits] &= ~(1UL << static_cast<unsigned>(here) % kBits);
  return syscall(SYS_sched_setaffinity, launcher, static_cast<size_t>(home_size), &others) == 0;
}

int use_all_cpus() {
  if (home_size <= 0) return 0;
  const int error = error_of(syscall(SYS_sched_setaffinity, 0, static_cast<size_t>(home_size), &home));
  home_size = 0;
  return error;
}

}  // namespace wardenv::launch
