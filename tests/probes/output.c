// SPDX-License-Identifier: Apache-2.0
// Acts by output: too much of it, and bytes that mean something to whoever reads it (threats, sections A and D).
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "probe.h"

extern char **environ;

// flood DESCRIPTOR MEGABYTES: that much in one line. Zero megabytes: for ever.
static void flood(int argc, char **argv) {
  static char block[1 << 20];
  memset(block, 'x', sizeof block);
  int fd = (int)number(argc, argv, 0);
  long megabytes = number(argc, argv, 1);
  for (long i = 0; megabytes == 0 || i < megabytes; ++i) {
    for (size_t done = 0; done < sizeof block;) {
      ssize_t written = write(fd, block + done, sizeof block - done);
      if (written <= 0) denied(errno);
      done += (size_t)written;
    }
  }
  allowed();
}

static void print_bytes(const char *bytes, size_t length) {
  if (write(1, bytes, length) != (ssize_t)length) broken("write");
}

// Sets the window title, clears the screen, asks the terminal to answer into its own input, writes the clipboard.
static void escapes(int argc, char **argv) {
  (void)argc, (void)argv;
  static const char kEvil[] = "before\033]0;owned\007\033[2J\033[6n\033]52;c;b3duZWQ=\007\2330mafter\n";
  print_bytes(kEvil, sizeof kEvil - 1);
  allowed();
}

static void odd_bytes(int argc, char **argv) {
  (void)argc, (void)argv;
  static const char kOdd[] = "a\0b\377\376\xed\xa0\x80\xc0\xaf\r\n\"\\\x7f\x01\n";
  print_bytes(kOdd, sizeof kOdd - 1);
  allowed();
}

static void environment(int argc, char **argv) {
  (void)argc, (void)argv;
  for (char **variable = environ; *variable; ++variable) data("variable", "%s", *variable);
  allowed();
}

static void arguments(int argc, char **argv) {
  for (int i = 0; i < argc; ++i) data("argument", "%s", argv[i]);
  allowed();
}

const Act kOutputActs[] = {
    {"flood", flood},           {"escapes", escapes},     {"odd_bytes", odd_bytes},
    {"environment", environment}, {"arguments", arguments}, {NULL, NULL},
};
