// SPDX-License-Identifier: Apache-2.0
// wardenv-bench-hog: allocates memory as fast as the machine can, in several processes, and says how far it came.
// Usage: wardenv-bench-hog small|huge PROCESSES STOP_BYTES PROGRESS_FILE (at least 8 bytes long)
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const size_t kHuge = 2U << 20;

// Huge pages come by request only; the request has to be made before the pages are there.
static int take_huge(void) {
  char* start = mmap(NULL, 2 * kHuge, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (start == MAP_FAILED) return 0;
  char* aligned = (char*)(((uintptr_t)start + kHuge - 1) & ~(uintptr_t)(kHuge - 1));
  madvise(aligned, kHuge, MADV_HUGEPAGE);
  return madvise(aligned, kHuge, MADV_POPULATE_WRITE) == 0;
}

static int take_small(void) {
  return mmap(NULL, kHuge, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0) != MAP_FAILED;
}

// Where a process may have no more, it holds what it has: the others go on.
static void take_all(int (*take)(void), atomic_ullong* progress, unsigned long long stop) {
  while (atomic_load(progress) < stop) {
    if (!take()) pause();
    atomic_fetch_add(progress, kHuge);
  }
  _exit(3);  // nobody stopped us
}

int main(int argc, char** argv) {
  if (argc != 5) return 2;
  int (*take)(void) = strcmp(argv[1], "huge") == 0 ? take_huge : take_small;
  const int file = open(argv[4], O_RDWR);
  atomic_ullong* progress = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (file < 0 || progress == MAP_FAILED) return 2;
  for (int others = atoi(argv[2]) - 1; others > 0; --others) {
    if (fork() == 0) break;
  }
  take_all(take, progress, strtoull(argv[3], NULL, 10));
}
