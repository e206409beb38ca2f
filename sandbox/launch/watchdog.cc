// SPDX-License-Identifier: Apache-2.0
// Memory limit without control groups: what the whole PID namespace and the private tmpfs hold, added up every few
// milliseconds.
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/statfs.h>

#include "sandbox/launch/launcher.h"

namespace wardenv::launch {
namespace {

enum class Detail { kBound, kExact };

// Bytes.
struct Held {
  uint64_t anonymous = 0;
  uint64_t shared = 0;  // mapped parts of tmpfs and of shared anonymous memory
  uint64_t other = 0;   // page tables, huge pages, what is swapped out
};

struct Sum {
  Held held;
  uint32_t tasks = 0;
  uint32_t living = 0;    // those that have memory
  uint64_t fleeting = 0;  // the highest id that had no memory to tell of: a zombie, or gone meanwhile
  int error = 0;
};

bool is_gone(int error) { return error == ENOENT || error == ESRCH; }

// 0 or an errno. A text that does not fit is cut.
int read_text(int folder, const char* id, const char* name, char* text, size_t size) {
  char path[64];
  snprintf(path, sizeof path, "%s/%s", id, name);
  int fd = open_file(folder, path, O_RDONLY);
  if (fd < 0) return errno;
  ssize_t got = read(fd, text, size - 1);
  text[got > 0 ? got : 0] = 0;
  return close_and(fd, error_of(got));
}

// The line break belongs to the key: a process may choose what its name says, but a line break in it is escaped
// (proc(5)).
uint64_t kib_after(const char* text, const char* key) {
  const char* found = strstr(text, key);
  return found == nullptr ? 0 : strtoull(found + strlen(key), nullptr, 10) * 1024;
}

// Its share of what several processes map (proc(5), smaps_rollup). Slow, so only asked where the bound is passed; where
// we may not look, the bound stands.
int read_share(int folder, const char* id, Held& held) {
  char text[2048];
  int error = read_text(folder, id, "smaps_rollup", text, sizeof text);
  if (error == EACCES || error == EPERM) return 0;
  if (error != 0) return is_gone(error) ? ENODATA : error;
  held.anonymous = kib_after(text, "\nPss_Anon:");
  held.shared = kib_after(text, "\nPss_Shmem:");
  return 0;
}

// One process or thread. The bound counts shared pages for each process that maps them. ENODATA: it has no memory (any
// more).
int read_task(int folder, const char* id, Detail detail, Held& held) {
  static char text[32 * 1024];  // a user may be in thousands of groups, and they come first
  int error = read_text(folder, id, "status", text, sizeof text);
  if (is_gone(error)) return ENODATA;
  if (error != 0) return error;
  if (strstr(text, "\nVmSize:") == nullptr) return strlen(text) == sizeof text - 1 ? EOVERFLOW : ENODATA;
  held.anonymous = kib_after(text, "\nRssAnon:");
  held.shared = kib_after(text, "\nRssShmem:");
  held.other = kib_after(text, "\nVmPTE:") + kib_after(text, "\nVmSwap:") + kib_after(text, "\nHugetlbPages:");
  return detail == Detail::kExact ? read_share(folder, id, held) : 0;
}

void add(Sum& sum, const Held& held) {
  ++sum.living;
  sum.held.anonymous += held.anonymous;
  sum.held.shared += held.shared;
  sum.held.other += held.other;
}

using Measure = int (*)(int, const char*, Detail, Held&);

struct Which {
  const char* skipped;
  uint32_t most;  // so many that have memory are enough
};

// The tasks of a folder. One that is gone is empty.
Sum add_up(int folder, const char* path, const Which& which, Measure measure, Detail detail) {
  Sum sum;
  int fd = open_file(folder, path, O_RDONLY | O_DIRECTORY);
  DIR* listing = fd < 0 ? nullptr : fdopendir(fd);
  if (listing == nullptr) return sum.error = close_and(fd, is_gone(errno) ? 0 : errno), sum;
  while (sum.error == 0 && sum.living < which.most) {
    errno = 0;
    const dirent* entry = readdir(listing);
    if (entry == nullptr) {
      sum.error = is_gone(errno) ? 0 : errno;
      break;
    }
    const char* id = entry->d_name;
    if (id[0] < '0' || id[0] > '9' || same(id, which.skipped)) continue;
    Held held;
    const int error = measure(dirfd(listing), id, detail, held);
    const uint64_t number = strtoull(id, nullptr, 10);
    ++sum.tasks;
    if (error == 0) add(sum, held);
    if (error == ENODATA && number > sum.fleeting) sum.fleeting = number;
    if (error != 0 && error != ENODATA) sum.error = error;
  }
  closedir(listing);
  return sum;
}

// A process whose first thread has ended (exit(2)) is a zombie to all appearance; any other of its threads tells of the
// memory of all. They may take turns in being gone when we look: we look until there is nothing new, and a process that
// never lets us see is an error.
int read_threads(int folder, const char* id, Detail detail, Held& held) {
  constexpr int kTries = 200;
  char path[32];
  snprintf(path, sizeof path, "%s/task", id);
  uint64_t seen = 0;
  for (int i = 0; i < kTries; ++i) {
    const Sum sum = add_up(folder, path, {id, 1}, read_task, detail);
    if (sum.error != 0) return sum.error;
    if (sum.living > 0) return held = sum.held, 0;
    if (sum.fleeting == seen) return ENODATA;
    seen = sum.fleeting;
  }
  return EAGAIN;
}

int read_process(int folder, const char* id, Detail detail, Held& held) {
  const int error = read_task(folder, id, detail, held);
  return error == ENODATA ? read_threads(folder, id, detail, held) : error;
}

// All but init. A process may hand its memory on (CLONE_VM) and be gone when we come to it: then we look again, a few
// times, as every shell's children are gone soon, too.
Sum add_up_run(Run& run, Detail detail) {
  constexpr int kTries = 4;
  Sum sum;
  for (int i = 0; i < kTries; ++i) {
    sum = add_up(run.proc, ".", {"1", UINT32_MAX}, read_process, detail);
    if (sum.error != 0 || sum.fleeting == run.fleeting) break;
    run.fleeting = sum.fleeting;
  }
  return sum;
}

// Anonymous shared memory lives as long as anything of it is mapped anywhere, and nobody tells how much of it there is:
// all that was ever asked for counts. What is mapped of that and of the private tmpfs is seen once more in the
// processes.
uint64_t total(const Sum& sum, uint64_t files, const Run& run) {
  const uint64_t outside = files + run.shared_bytes;
  return sum.held.anonymous + sum.held.other + (sum.held.shared > outside ? sum.held.shared : outside);
}

}  // namespace

void watch_memory(Run& run) {
  if (run.proc < 0) return;  // nothing of the command exists yet
  struct statfs status {};
  if (fstatfs(run.root, &status) < 0) return lose(run, errno);
  const uint64_t files = (status.f_blocks - status.f_bfree) * static_cast<uint64_t>(status.f_bsize);
  Sum sum = add_up_run(run, Detail::kBound);
  if (sum.error == 0 && total(sum, files, run) > run.memory_bytes) sum = add_up_run(run, Detail::kExact);
  if (sum.error != 0) return lose(run, sum.error);
  run.seen_memory = total(sum, files, run);
  if (run.seen_memory > run.peak_memory) run.peak_memory = run.seen_memory;
  if (sum.tasks > run.peak_processes) run.peak_processes = sum.tasks;
  if (run.seen_memory > run.memory_bytes) kill_run(run, wire::Cause::kMemory);
}

// Memory that is only asked for counts as if it were used; more than there is room for is not given.
bool give_shared(Run& run, uint64_t bytes) {
  if (bytes > run.memory_bytes || run.seen_memory + bytes > run.memory_bytes) return false;
  run.seen_memory += bytes;
  run.shared_bytes += bytes;
  return true;
}

void take_back_shared(Run& run, uint64_t bytes) {
  run.seen_memory -= bytes;
  run.shared_bytes -= bytes;
}

}  // namespace wardenv::launch
