// SPDX-License-Identifier: Apache-2.0
// wardenv, the program that people start. Most runs it does itself, small as it is; for all else it becomes wardenv-cli or
// wardenv-serve. For every run it first forks the launcher, which makes its first namespaces meanwhile.
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <initializer_list>
#include <string_view>

#include "sandbox/base/standard_fds.h"
#include "sandbox/launch/forked.h"
#include "tools/wardenv/commands.h"
#include "tools/wardenv/run_here.h"
#include "tools/wardenv/signals.h"

namespace wardenv::cli {
namespace {

constexpr const char* kVariable = "WARDENV_LAUNCHER";  // "descriptor,process id,1 where it keeps apart", for the front end alone

bool is_run(int argc, char** argv) { return argc >= 3 && strcmp(argv[1], "run") == 0; }

// True where an option before "--" begins with one of `names`.
bool has_option(int argc, char** argv, std::initializer_list<std::string_view> names) {
  for (int i = 2; i < argc && strcmp(argv[i], "--") != 0; ++i) {
    for (const std::string_view name : names) {
      if (std::string_view(argv[i]).starts_with(name)) return true;
    }
  }
  return false;
}

// A guess that saves the look at the options; run_here() looks closer. (Without run_here(), as for sanitizers, nobody asks.)
[[maybe_unused]] bool is_configured(int argc, char** argv) {
  return has_option(argc, argv, {"--config"}) || access("/etc/wardenv/config.json", F_OK) == 0;
}

// Calls `use` with each place where a program of ours may be, until it answers something else than -1. What it was called with last, shortened to our own
// folder, is left in `path`.
template <typename Use>
int find_ours(const char* program, char (&path)[4096], Use use) {
  const ssize_t length = readlink("/proc/self/exe", path, sizeof path - 64);
  if (length <= 0) {
    fputs("wardenv: cannot read /proc/self/exe \xe2\x80\x94 mount /proc\n", stderr);
    *path = 0;
    return -1;
  }
  path[length] = 0;
  char* name = strrchr(path, '/') + 1;
  int found = -1;
  for (const char* folder : {"", "../libexec/wardenv/"}) {
    strcpy(name, folder);
    strcat(name, program);
    if ((found = use(path)) != -1) break;
  }
  *name = 0;
  return found;
}

}  // namespace

// Only comes back where it is not installed.
void become(const char* program, char** argv) {
  char self[4096];
  find_ours(program, self, [&](const char* path) { return execv(path, argv); });
  if (*self == 0) return;
  fprintf(stderr, "wardenv: %s is not installed beside `%s` \xe2\x80\x94 install wardenv again, with `cmake --install`\n", program, self);
}

int open_cli() {
  char path[4096];
  return find_ours("wardenv-cli", path, [](const char* place) { return open(place, O_RDONLY | O_CLOEXEC); });
}

// The launcher goes with it; where there is none, it starts one and says what is wrong.
void become_cli(char** argv, const launch::Forked& launcher) {
  char value[48];
  snprintf(value, sizeof value, "%d,%d,%d", launcher.socket, launcher.pid, launcher.apart ? 1 : 0);
  if (launcher.pid > 0) setenv(kVariable, value, 1);
  become("wardenv-cli", argv);
}

}  // namespace wardenv::cli

int main(int argc, char** argv) {
  using namespace wardenv::cli;
  if (!wardenv::hold_standard_fds()) return kCannot;   // before anything of ours gets a number
  unsetenv(kVariable);
  if (!is_run(argc, argv) || has_option(argc, argv, {"--help", "-h"})) {
    become(argc > 1 && strcmp(argv[1], "serve") == 0 ? "wardenv-serve" : "wardenv-cli", argv);
    return kCannot;
  }
  block_ending(SIG_BLOCK);   // until a run catches them, in this program or the next
  const auto launcher = wardenv::launch::fork_launcher(argv);
#ifndef WARDENV_RUN_BY_CLI
  if (launcher.pid > 0 && !is_configured(argc, argv)) run_here(argc, argv, launcher);
#endif
  become_cli(argv, launcher);
  return kCannot;
}
