// SPDX-License-Identifier: Apache-2.0
// probe.h: what every probe shares: the table of acts and the lines they answer with.
#pragma once

#include <stddef.h>

#ifdef __cplusplus
#define _Noreturn [[noreturn]]
#endif

// One forbidden act. `run` gets its own arguments only and ends the process through finish(), allowed() or denied().
typedef struct {
  const char *name;
  void (*run)(int argc, char **argv);
} Act;

// Each table ends with a null name.
extern const Act kProcessActs[];
extern const Act kFileActs[];
extern const Act kMountActs[];
extern const Act kKernelActs[];
extern const Act kSocketActs[];
extern const Act kMemoryActs[];
extern const Act kTaskActs[];
extern const Act kOutputActs[];
extern const Act kSweepActs[];
extern const Act kOrderActs[];

// "RESULT allowed" / "RESULT denied <errno or signal name>", and the end of the process.
_Noreturn void allowed(void);
_Noreturn void denied(int error);
_Noreturn void denied_by_signal(int signal_number);
_Noreturn void finish(long result);  // negative: denied(errno)

// "DATA <key> <value>": what the runner judges beyond yes and no.
void data(const char *key, const char *format, ...) __attribute__((format(printf, 2, 3)));

// "BROKEN <why>" and exit status 99: the probe itself could not get as far as its act. Never a pass.
_Noreturn void broken(const char *why);

// Ends the probe unless it runs under an unprivileged uid: for acts that would harm a host whose sandbox failed.
void refuse_as_root(void);

const char *argument(int argc, char **argv, int index);
long number(int argc, char **argv, int index);

// Runs `act` in a child and passes its answer on; a child that a signal ended was denied by that signal.
_Noreturn void in_child(void (*act)(int, char **), int argc, char **argv);
