// SPDX-License-Identifier: Apache-2.0
// Memory limit without control groups: what the whole PID namespace and the private tmpfs hold, added up every few milliseconds.
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/statfs.h>

#include "sandbox/launch/launcher.h"

namespace wardenv::launch {
namespace {

struct Sum {
  uint64_t bytes = 0;
  uint32_t processes = 0;
};

ssize_t read_small(int dir, const char* pid, const char* name, char* buffer, size_t size) {
  char path[64];
  snprintf(path, sizeof path, "%s/%s", pid, name);
  int fd = open_file(dir, path, O_RDONLY);
  if (fd < 0) return -1;
  ssize_t got = read(fd, buffer, size - 1);
  close(fd);
  buffer[got > 0 ? got : 0] = 0;
  return got;
}

uint64_t kib_after(const char* text, const char* key) {
  const char* found = strstr(text, key);
  return found == nullptr ? 0 : strtoull(found + strlen(key), nullptr, 10) * 1024;
}

// Upper bound: everything resident, shared pages counted for each process that maps them (proc(5), statm).
uint64_t resident(int proc, const char* pid) {
  char text[128];
  if (read_small(proc, pid, "statm", text, sizeof text) <= 0) return 0;
  const char* second = strchr(text, ' ');
  return second == nullptr ? 0 : strtoull(second, nullptr, 10) * 4096;
}

// Exact: its share of anonymous and shared memory (proc(5), smaps_rollup). Slow, so only asked where the bound is passed.
uint64_t proportional(int proc, const char* pid) {
  char text[2048];
  if (read_small(proc, pid, "smaps_rollup", text, sizeof text) <= 0) return resident(proc, pid);
  return kib_after(text, "Pss_Anon:") + kib_after(text, "Pss_Shmem:");
}

using Measure = uint64_t (*)(int, const char*);

Sum add_up(int proc, Measure measure) {
  Sum sum;
  int fd = open_file(proc, ".", O_RDONLY | O_DIRECTORY);
  DIR* folder = fd < 0 ? nullptr : fdopendir(fd);
  if (folder == nullptr) return close_and(fd, 0), sum;
  while (const dirent* entry = readdir(folder)) {
    if (entry->d_name[0] < '0' || entry->d_name[0] > '9' || same(entry->d_name, "1")) continue;
    sum.bytes += measure(proc, entry->d_name);
    ++sum.processes;
  }
  closedir(folder);
  return sum;
}

uint64_t tmpfs_bytes(int root) {
  struct statfs status {};
  if (fstatfs(root, &status) < 0) return 0;
  return (status.f_blocks - status.f_bfree) * static_cast<uint64_t>(status.f_bsize);
}

}  // namespace

void watch_memory(Run& run) {
  if (run.proc < 0 || run.killed) return;
  uint64_t files = tmpfs_bytes(run.root);
  Sum sum = add_up(run.proc, resident);
  if (sum.bytes + files > run.memory_bytes) sum.bytes = add_up(run.proc, proportional).bytes;
  uint64_t total = sum.bytes + files;
  if (total > run.peak_memory) run.peak_memory = total;
  if (sum.processes > run.peak_processes) run.peak_processes = sum.processes;
  if (total > run.memory_bytes) kill_run(run, wire::Cause::kMemory);
}

}  // namespace wardenv::launch
