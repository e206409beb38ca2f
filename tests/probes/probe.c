// SPDX-License-Identifier: Apache-2.0
// probe ACT NONCE [ARG...]: prints its nonce, attempts one forbidden act, and says what came of it.
#define _GNU_SOURCE
#include "probe.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const Act *const kTables[] = {kProcessActs, kFileActs,   kMountActs, kKernelActs, kSocketActs,
                                     kMemoryActs,  kTaskActs, kOutputActs, kSweepActs, kOrderActs};

void allowed(void) {
  dprintf(1, "RESULT allowed\n");
  _exit(0);
}

void denied(int error) {
  const char *name = strerrorname_np(error);
  dprintf(1, "RESULT denied %s\n", name ? name : "UNKNOWN");
  _exit(0);
}

void denied_by_signal(int signal_number) {
  const char *name = sigabbrev_np(signal_number);
  dprintf(1, "RESULT denied SIG%s\n", name ? name : "UNKNOWN");
  _exit(0);
}

void finish(long result) {
  if (result < 0) denied(errno);
  allowed();
}

void data(const char *key, const char *format, ...) {
  char value[4096];
  va_list args;
  va_start(args, format);
  vsnprintf(value, sizeof value, format, args);
  va_end(args);
  dprintf(1, "DATA %s %s\n", key, value);
}

void broken(const char *why) {
  dprintf(1, "BROKEN %s: %s\n", why, strerror(errno));
  _exit(99);
}

void refuse_as_root(void) {
  if (getuid() == 0 || geteuid() == 0) {
    errno = EPERM;
    broken("refused: this act never runs as root");
  }
}

const char *argument(int argc, char **argv, int index) {
  if (index >= argc) {
    errno = EINVAL;
    broken("missing argument");
  }
  return argv[index];
}

long number(int argc, char **argv, int index) { return strtol(argument(argc, argv, index), NULL, 0); }

void in_child(void (*act)(int, char **), int argc, char **argv) {
  pid_t child = fork();
  if (child < 0) broken("fork");
  if (child == 0) act(argc, argv);
  int status = 0;
  if (waitpid(child, &status, 0) != child) broken("waitpid");
  if (WIFSIGNALED(status)) denied_by_signal(WTERMSIG(status));
  _exit(WEXITSTATUS(status));
}

static const Act *find_act(const char *name) {
  for (size_t table = 0; table < sizeof kTables / sizeof kTables[0]; ++table) {
    for (const Act *act = kTables[table]; act->name; ++act) {
      if (strcmp(act->name, name) == 0) return act;
    }
  }
  return NULL;
}

int main(int argc, char **argv) {
  if (argc < 3) broken("usage: probe ACT NONCE [ARG...]");
  dprintf(1, "NONCE %s\n", argv[2]);
  const Act *act = find_act(argv[1]);
  if (!act) broken("no such act");
  act->run(argc - 3, argv + 3);
  broken("act did not answer");
}
