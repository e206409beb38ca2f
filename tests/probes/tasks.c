// SPDX-License-Identifier: Apache-2.0
// Acts by processes and threads: bombs, orphans, processes that will not end (threats, section D).
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <linux/sched.h>

#include "probe.h"

enum { kMostTasks = 4096 };

static _Noreturn void wait_for_ever(void) {
  for (;;) pause();
}

static void report_tasks(const char *key, long made, long wanted, int error) {
  data(key, "%ld", made);
  if (made < wanted) denied(error);
  allowed();
}

// processes COUNT: how many can be alive at once.
static void many_processes(int argc, char **argv) {
  long wanted = number(argc, argv, 0), made = 0;
  static pid_t children[kMostTasks];
  int error = 0;
  for (; made < wanted && made < kMostTasks; ++made) {
    children[made] = fork();
    if (children[made] == 0) wait_for_ever();
    if (children[made] < 0) {
      error = errno;
      break;
    }
  }
  for (long i = 0; i < made; ++i) kill(children[i], SIGKILL);
  while (wait(NULL) > 0) {
  }
  report_tasks("processes", made, wanted, error);
}

static void *thread_body(void *unused) {
  (void)unused;
  wait_for_ever();
}

static void many_threads(int argc, char **argv) {
  long wanted = number(argc, argv, 0), made = 0;
  int error = 0;
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 64 * 1024);
  for (; made < wanted; ++made) {
    pthread_t thread;
    error = pthread_create(&thread, &attributes, thread_body, NULL);
    if (error) break;
  }
  report_tasks("threads", made, wanted, error);
}

// The real thing: every process forks for ever. Never as root.
static void fork_bomb(int argc, char **argv) {
  (void)argc, (void)argv;
  refuse_as_root();
  signal(SIGCHLD, SIG_IGN);
  for (;;) fork();
}

static void detach(void) {
  if (fork() != 0) _exit(0);
  setsid();
  if (fork() != 0) _exit(0);
}

static void write_token(const char *token) {
  dprintf(1, "DATA orphan %d %s\n", getpid(), token);
}

// orphan TOKEN closed|open: leaves a process behind, with or without our standard streams. The token is in its argv.
static void orphan(int argc, char **argv) {
  const char *token = argument(argc, argv, 0);
  int keep_open = argument(argc, argv, 1)[0] == 'o';
  int ready[2];
  if (pipe(ready) != 0) broken("pipe");
  if (fork() == 0) {
    close(ready[0]);
    detach();
    write_token(token);
    if (!keep_open) {
      for (int fd = 0; fd < 3; ++fd) close(fd);
    }
    if (write(ready[1], "x", 1) != 1) _exit(1);
    close(ready[1]);
    signal(SIGTERM, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    wait_for_ever();
  }
  close(ready[1]);
  char byte;
  if (read(ready[0], &byte, 1) != 1) broken("no orphan");
  allowed();
}

// orphan_reaper TOKEN: as subreaper it would adopt orphans in place of init, and hide them.
static void orphan_reaper(int argc, char **argv) {
  if (prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) denied(errno);
  if (fork() == 0) orphan(argc, argv);
  wait(NULL);
  wait_for_ever();
}

// clone_parent TOKEN: a sibling instead of a child: init becomes its parent.
static void clone_parent(int argc, char **argv) {
  (void)argument(argc, argv, 0);
  long child = syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0);
  if (child == 0) {
    for (int fd = 0; fd < 3; ++fd) close(fd);
    wait_for_ever();
  }
  if (child > 0) data("sibling", "%ld", child);
  finish(child);
}

// stubborn TOKEN: ignores every signal that can be ignored.
static void stubborn(int argc, char **argv) {
  (void)argument(argc, argv, 0);
  for (int i = 1; i < NSIG; ++i) signal(i, SIG_IGN);
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_BLOCK, &all, NULL);
  wait_for_ever();
}

static void stop_self(int argc, char **argv) {
  (void)argc, (void)argv;
  raise(SIGSTOP);
  allowed();
}

static void die_by_signal(int argc, char **argv) {
  raise((int)number(argc, argv, 0));
  wait_for_ever();
}

static void exit_with(int argc, char **argv) { _exit((int)number(argc, argv, 0)); }

static volatile int spinning = 1;
static void *spin(void *unused) {
  (void)unused;
  while (spinning) {
  }
  return NULL;
}

static double milliseconds(struct timespec time) { return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6; }

static double now(clockid_t clock) {
  struct timespec time;
  clock_gettime(clock, &time);
  return milliseconds(time);
}

// spin THREADS MILLISECONDS: keeps every CPU busy that it gets, and says how much it got.
static void spin_threads(int argc, char **argv) {
  long threads = number(argc, argv, 0), duration = number(argc, argv, 1);
  pthread_t handles[64];
  double start = now(CLOCK_MONOTONIC), used = now(CLOCK_PROCESS_CPUTIME_ID);
  for (long i = 0; i < threads; ++i) {
    if (pthread_create(&handles[i], NULL, spin, NULL) != 0) broken("pthread_create");
  }
  while (now(CLOCK_MONOTONIC) - start < (double)duration) usleep(10000);
  spinning = 0;
  for (long i = 0; i < threads; ++i) pthread_join(handles[i], NULL);
  data("cpu_ms", "%.0f", now(CLOCK_PROCESS_CPUTIME_ID) - used);
  data("wall_ms", "%.0f", now(CLOCK_MONOTONIC) - start);
  allowed();
}

const Act kTaskActs[] = {
    {"processes", many_processes},
    {"threads", many_threads},
    {"fork_bomb", fork_bomb},
    {"orphan", orphan},
    {"orphan_reaper", orphan_reaper},
    {"clone_parent", clone_parent},
    {"stubborn", stubborn},
    {"stop_self", stop_self},
    {"die", die_by_signal},
    {"exit", exit_with},
    {"spin", spin_threads},
    {NULL, NULL},
};
