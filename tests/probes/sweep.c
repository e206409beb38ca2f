// SPDX-License-Identifier: Apache-2.0
// The sweep: every system call there is, with arguments drawn at random from a seed (threats, section C).
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "probe.h"

enum { kPatience_ms = 60 };
static char page[65536];
static uint64_t state;

// xorshift64*: good enough to choose arguments, and the same everywhere.
static uint64_t next_random(void) {
  state ^= state >> 12;
  state ^= state << 25;
  state ^= state >> 27;
  return state * UINT64_C(2685821657736338717);
}

static uint64_t random_argument(void) {
  static const uint64_t kEdges[] = {0, 1, 2, 3, 8, 16, 64, 4096, 65536, 0x7fffffff, 0x80000000, 0xffffffff};
  uint64_t choice = next_random();
  switch (choice % 6) {
    case 0: return kEdges[(choice >> 8) % (sizeof kEdges / sizeof kEdges[0])];
    case 1: return UINT64_C(1) << ((choice >> 8) % 64);
    case 2: return (uint64_t)-1 - (choice >> 8) % 3;
    case 3: return next_random();
    default: return (uint64_t)(uintptr_t)(page + (choice >> 8) % 4096);
  }
}

static int sends_signals(long call) {
  static const long kSenders[] = {SYS_kill, SYS_tkill, SYS_tgkill, SYS_rt_sigqueueinfo, SYS_rt_tgsigqueueinfo};
  for (size_t i = 0; i < sizeof kSenders / sizeof kSenders[0]; ++i) {
    if ((call & 0xffff) == kSenders[i]) return 1;
  }
  return 0;
}

// What would only end or stop the child itself.
static int is_pointless(long call) {
  static const long kOwnEnd[] = {SYS_exit, SYS_exit_group, SYS_pause, SYS_rt_sigreturn, SYS_rt_sigsuspend};
  for (size_t i = 0; i < sizeof kOwnEnd / sizeof kOwnEnd[0]; ++i) {
    if (call == kOwnEnd[i]) return 1;
  }
  return 0;
}

static void attempt(long call) {
  uint64_t a[6];
  for (int i = 0; i < 6; ++i) a[i] = random_argument();
  if (sends_signals(call)) a[0] = 2 + next_random() % 4000000;  // anyone but this sweep and everyone at once
  syscall(call, a[0], a[1], a[2], a[3], a[4], a[5]);
  _exit(errno & 0x7f);
}

static double now_ms(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

// Reaps the child, which gets little time: some calls wait for ever by right.
static int await(pid_t child) {
  int status = 0;
  for (double start = now_ms(); now_ms() - start < kPatience_ms;) {
    if (waitpid(child, &status, WNOHANG) == child) return status;
    usleep(50);
  }
  kill(child, SIGKILL);
  waitpid(child, &status, 0);
  return status;
}

static struct { long done, killed, kept_waiting; } tally;

static void sweep_one(long call) {
  if (is_pointless(call)) return;
  next_random();
  pid_t child = fork();
  if (child < 0) {  // strays of earlier calls are in the way: init reaps them in time
    usleep(20000);
    child = fork();
  }
  if (child < 0) broken("fork");
  if (child == 0) attempt(call);
  int status = await(child);
  ++tally.done;
  if (WIFSIGNALED(status)) ++*(WTERMSIG(status) == SIGKILL ? &tally.kept_waiting : &tally.killed);
}

// sweep SEED FIRST LAST: calls each number in a child of its own. Never as root.
static void sweep(int argc, char **argv) {
  refuse_as_root();
  state = (uint64_t)number(argc, argv, 0) | 1;
  long first = number(argc, argv, 1), last = number(argc, argv, 2);
  strcpy(page, "sweep-file");
  for (long call = first; call <= last; ++call) sweep_one(call);
  fcntl(1, F_SETFL, fcntl(1, F_GETFL) & ~O_NONBLOCK);
  data("\nsweep", "seed %s", argv[0]);
  data("calls", "%ld", tally.done);
  data("killed", "%ld", tally.killed);
  data("kept_waiting", "%ld", tally.kept_waiting);
  allowed();
}

const Act kSweepActs[] = {{"sweep", sweep}, {NULL, NULL}};
