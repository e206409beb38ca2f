// SPDX-License-Identifier: Apache-2.0
// Acts that take memory and disk space, each up to a bound so that the positive control ends (threats, section D).
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "probe.h"

enum { kMebibyte = 1 << 20 };
static char block[kMebibyte];

// memory_anonymous MEGABYTES: touches every page.
static void take_anonymous(int argc, char **argv) {
  for (long i = 0; i < number(argc, argv, 0); ++i) {
    char *memory = mmap(NULL, kMebibyte, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) denied(errno);
    memset(memory, 1, kMebibyte);
  }
  allowed();
}

static void write_blocks(int fd, long megabytes) {
  if (fd < 0) denied(errno);
  memset(block, 1, sizeof block);
  for (long i = 0; i < megabytes; ++i) {
    ssize_t written = write(fd, block, sizeof block);
    if (written < 0) denied(errno);
    if (written != kMebibyte) denied(ENOSPC);
  }
}

// memory_file PATH MEGABYTES: fills one file; the file is removed by name first, so nothing is left behind.
static void take_file(int argc, char **argv) {
  const char *path = argument(argc, argv, 0);
  int fd = open(path, O_CREAT | O_EXCL | O_RDWR, 0600);
  if (fd >= 0) unlink(path);
  write_blocks(fd, number(argc, argv, 1));
  allowed();
}

static void take_memfd(int argc, char **argv) {
  write_blocks((int)syscall(SYS_memfd_create, "probe", 0), number(argc, argv, 0));
  allowed();
}

static void take_shared(int argc, char **argv) {
  size_t length = (size_t)number(argc, argv, 0) * kMebibyte;
  char *memory = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) denied(errno);
  for (size_t offset = 0; offset < length; offset += 4096) memory[offset] = 1;
  allowed();
}

// memory_processes MEGABYTES COUNT: the same from many processes, each below what a limit per process would notice.
static void take_processes(int argc, char **argv) {
  long megabytes = number(argc, argv, 0), count = number(argc, argv, 1);
  int ready[2];
  if (pipe(ready) != 0) broken("pipe");
  for (long i = 0; i < count; ++i) {
    if (fork() != 0) continue;
    size_t length = (size_t)megabytes * kMebibyte;
    char *memory = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) _exit(1);
    memset(memory, 1, length);
    if (write(ready[1], "x", 1) != 1) _exit(1);
    sleep(2);  // all of them hold it at the same time
    _exit(0);
  }
  close(ready[1]);
  long full = 0;
  for (char byte; read(ready[0], &byte, 1) == 1;) ++full;
  while (wait(NULL) > 0) {
  }
  data("full", "%ld", full);
  if (full < count) denied(ENOMEM);
  allowed();
}

// memory_pipes COUNT: kernel memory, a mebibyte in each pipe where the kernel lets it grow.
static void take_pipes(int argc, char **argv) {
  memset(block, 1, sizeof block);
  long filled = 0;
  for (long i = 0; i < number(argc, argv, 0); ++i) {
    int ends[2];
    if (pipe2(ends, O_NONBLOCK) != 0) break;
    fcntl(ends[1], F_SETPIPE_SZ, kMebibyte);
    for (ssize_t written; (written = write(ends[1], block, sizeof block)) > 0;) filled += written;
  }
  data("bytes", "%ld", filled);
  allowed();
}

// files_fill FOLDER COUNT: empty files, until there is no room for another name; removes them again.
static void fill_inodes(int argc, char **argv) {
  const char *folder = argument(argc, argv, 0);
  long count = number(argc, argv, 1), made = 0;
  int error = 0;
  char path[PATH_MAX];
  for (; made < count; ++made) {
    snprintf(path, sizeof path, "%s/probe-%ld", folder, made);
    int fd = open(path, O_CREAT | O_EXCL | O_WRONLY, 0600);
    if (fd < 0) {
      error = errno;
      break;
    }
    close(fd);
  }
  for (long i = 0; i < made; ++i) {
    snprintf(path, sizeof path, "%s/probe-%ld", folder, i);
    unlink(path);
  }
  data("files", "%ld", made);
  if (error) denied(error);
  allowed();
}

const Act kMemoryActs[] = {
    {"memory_anonymous", take_anonymous}, {"memory_file", take_file},           {"memory_memfd", take_memfd},
    {"memory_shared", take_shared},       {"memory_processes", take_processes}, {"memory_pipes", take_pipes},
    {"files_fill", fill_inodes},          {NULL, NULL},
};
