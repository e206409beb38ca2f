// SPDX-License-Identifier: Apache-2.0
// A launcher that is forked instead of started: for a program that runs one command, and has done nothing else yet.
#pragma once

namespace wardenv::launch {

struct Forked {
  int socket = -1;      // our end; not close-on-exec, for the program that this one may become
  int pid = -1;         // -1: there is none, and whoever needs one starts the program wardenv-launcher
  bool apart = false;   // it keeps off the CPU that we were on, see cpus.cc
};

// It begins a sandbox at once, with the steps that nearly every run begins with (first_steps.h). Nothing that we inherited stays open in it, so that
// a pipe of the caller ends when we do. REQUIRES: no thread, and nothing in memory that is not the launcher's to have: it keeps our image.
// `argv` is main's, with the environment behind it (proc(5)): the launcher wipes both out of its own memory, as a sandbox's init is a copy of it and
// shows its command line to whoever is inside: that says "wardenv-launcher".
Forked fork_launcher(char** argv);

}  // namespace wardenv::launch
