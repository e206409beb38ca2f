// SPDX-License-Identifier: Apache-2.0
// Acts that take memory and disk space, each up to a bound so that the positive control ends (threats, section D).
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/sem.h>
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

// memory_hold MEGABYTES: and does nothing with it.
static void hold(int argc, char** argv) {
  size_t length = (size_t)number(argc, argv, 0) * kMebibyte;
  char* memory = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) denied(errno);
  memset(memory, 1, length);
  data("holds", "%zu", length);
  for (;;) pause();
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

static void* touch(size_t megabytes, int flags, int fd) {
  char* memory = mmap(NULL, megabytes * kMebibyte, PROT_READ | PROT_WRITE, flags, fd, 0);
  if (memory == MAP_FAILED) denied(errno);
  memset(memory, 1, megabytes * kMebibyte);
  return memory;
}

// All but one page is unmapped again: the rest stays for as long as that page is mapped, in nobody's count.
static void keep_a_page_of_each(long megabytes, int flags, int fd) {
  for (long i = 0; i < megabytes; ++i) munmap((char*)touch(1, flags, fd) + 4096, kMebibyte - 4096);
  allowed();
}

static void take_unmapped(int argc, char** argv) {
  keep_a_page_of_each(number(argc, argv, 0), MAP_SHARED | MAP_ANONYMOUS, -1);
}

// memory_unmapped_zero MEGABYTES: a shared mapping of /dev/zero is the same thing by another name.
static void take_unmapped_zero(int argc, char** argv) {
  int fd = open("/dev/zero", O_RDWR);
  if (fd < 0) broken("open");
  keep_a_page_of_each(number(argc, argv, 0), MAP_SHARED, fd);
}

static void wait_for_the_end_of(pid_t thread) {
  char path[64], text[256] = "";
  snprintf(path, sizeof path, "/proc/self/task/%d/stat", thread);
  for (;;) {
    int fd = open(path, O_RDONLY);
    if (fd < 0 || read(fd, text, sizeof text - 1) <= 0) return;
    close(fd);
    if (strstr(text, ") Z ")) return;
  }
}

static void* take_once_alone(void* megabytes) {
  wait_for_the_end_of(getpid());
  touch((size_t)megabytes, MAP_PRIVATE | MAP_ANONYMOUS, -1);
  usleep(100 * 1000);
  allowed();
}

// memory_without_leader MEGABYTES: the first thread is gone, and all that /proc/PID says with it.
static void take_without_leader(int argc, char** argv) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, take_once_alone, (void*)number(argc, argv, 0)) != 0) broken("pthread_create");
  syscall(SYS_exit, 0);
}

enum { kRelayStep = 64 * 1024, kRelayRounds = 4000, kRelayStacks = 4 };
static char* relay_memory;
static long relay_size, relay_done, relay_rounds;
static char relay_stacks[kRelayStacks][64 * 1024] __attribute__((aligned(16)));

static int take_a_step(void) {
  if (relay_done < relay_size) memset(relay_memory + relay_done, 1, kRelayStep), relay_done += kRelayStep;
  return relay_done < relay_size || ++relay_rounds < kRelayRounds;
}

static void prepare_relay(int argc, char** argv) {
  relay_size = number(argc, argv, 0) * kMebibyte;
  relay_memory = mmap(NULL, (size_t)relay_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (relay_memory == MAP_FAILED) denied(errno);
}

// memory_relay_threads MEGABYTES: each thread does a little, starts the next one, and is gone before anybody has
// looked.
static void* run_thread_relay(void* unused) {
  (void)unused;
  if (!take_a_step()) allowed();
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_attr_setstacksize(&attributes, 64 * 1024);
  pthread_t next;
  while (pthread_create(&next, &attributes, run_thread_relay, NULL) != 0) sched_yield();
  return NULL;
}

static void take_by_threads(int argc, char** argv) {
  prepare_relay(argc, argv);
  pthread_t first;
  if (pthread_create(&first, NULL, run_thread_relay, NULL) != 0) broken("pthread_create");
  syscall(SYS_exit, 0);
}

// memory_relay_processes MEGABYTES: the same with processes that share their memory. A stack is free once the kernel says that who ran on
// it is gone (CLONE_CHILD_CLEARTID).
static volatile pid_t relay_runs[kRelayStacks];

static int run_process_relay(void *place) {
  if (!take_a_step()) allowed();
  long next = ((long)place + 1) % kRelayStacks;
  while (relay_runs[next]) sched_yield();
  relay_runs[next] = 1;
  const int flags = CLONE_VM | CLONE_CHILD_CLEARTID | SIGCHLD;
  char *stack = relay_stacks[next] + sizeof *relay_stacks;
  while (clone(run_process_relay, stack, flags, (void *)next, NULL, NULL, &relay_runs[next]) < 0) sched_yield();
  _exit(0);
}

static void take_by_processes(int argc, char** argv) {
  prepare_relay(argc, argv);
  if (prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) broken("prctl");
  if (fork() == 0) run_process_relay(0);
  while (wait(NULL) > 0) {
  }
  _exit(0);
}

// memory_page_tables MEGABYTES PROCESSES: each process reads one byte of every two mebibytes. No page is its own, the
// tables are.
static void take_page_tables(int argc, char** argv) {
  size_t length = (size_t)number(argc, argv, 0) * kMebibyte;
  long count = number(argc, argv, 1);
  int ready[2];
  if (pipe(ready) != 0) broken("pipe");
  for (long i = 0; i < count; ++i) {
    if (fork() != 0) continue;
    char* memory = mmap(NULL, length, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) _exit(1);
    madvise(memory, length, MADV_NOHUGEPAGE);
    volatile char sum = 0;
    for (size_t offset = 0; offset < length; offset += 2 * kMebibyte) sum = (char)(sum + memory[offset]);
    if (write(ready[1], "x", 1) != 1) _exit(1);
    sleep(2);  // all of them hold them at the same time
    _exit(0);
  }
  close(ready[1]);
  long full = 0;
  for (char byte; read(ready[0], &byte, 1) == 1;) ++full;
  data("full", "%ld", full);
  if (full < count) denied(ENOMEM);
  allowed();
}

// memory_messages MEGABYTES: in System V queues, which it removes again.
static void take_messages(int argc, char** argv) {
  enum { kSize = 8192 };
  static int queues[32 * 1024];
  struct {
    long type;
    char text[kSize];
  } message = {1, {1}};
  long wanted = number(argc, argv, 0) * kMebibyte / kSize, sent = 0, made = 0;
  int error = 0;
  while (sent < wanted && !error) {
    if (made > 0 && msgsnd(queues[made - 1], &message, kSize, IPC_NOWAIT) == 0) {
      ++sent;
    } else if (made < 32 * 1024 && (queues[made] = msgget(IPC_PRIVATE, 0600)) >= 0) {
      ++made;
    } else {
      error = errno;
    }
  }
  for (long i = 0; i < made; ++i) msgctl(queues[i], IPC_RMID, NULL);
  if (error) denied(error);
  allowed();
}

// memory_semaphores MEGABYTES: sets of 32000, of at least 64 bytes each.
static void take_semaphores(int argc, char** argv) {
  static int sets[4096];
  long wanted = number(argc, argv, 0) / 2, made = 0;
  int error = 0;
  for (; made < wanted && made < 4096 && !error; ++made) {
    if ((sets[made] = semget(IPC_PRIVATE, 32000, 0600)) < 0) error = errno;
  }
  for (long i = 0; i < made; ++i) semctl(sets[i], 0, IPC_RMID);
  if (error) denied(error);
  allowed();
}

// memory_sockets COUNT: kernel memory, as much as each pair of sockets takes.
static void take_sockets(int argc, char** argv) {
  long filled = 0;
  for (long i = 0; i < number(argc, argv, 0); ++i) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) != 0) break;
    for (int side = 0; side < 2; ++side) {
      for (ssize_t written; (written = write(ends[side], block, 32 * 1024)) > 0;) filled += written;
    }
  }
  data("bytes", "%ld", filled);
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
    {"memory_anonymous", take_anonymous},
    {"memory_file", take_file},
    {"memory_memfd", take_memfd},
    {"memory_shared", take_shared},
    {"memory_processes", take_processes},
    {"memory_pipes", take_pipes},
    {"files_fill", fill_inodes},
    {"memory_hold", hold},
    {"memory_unmapped", take_unmapped},
    {"memory_unmapped_zero", take_unmapped_zero},
    {"memory_without_leader", take_without_leader},
    {"memory_relay_threads", take_by_threads},
    {"memory_relay_processes", take_by_processes},
    {"memory_page_tables", take_page_tables},
    {"memory_messages", take_messages},
    {"memory_semaphores", take_semaphores},
    {"memory_sockets", take_sockets},
    {NULL, NULL},
};
