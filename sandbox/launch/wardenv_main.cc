// SPDX-License-Identifier: Apache-2.0
// wardenv, the program that people start: becomes the front end, wardenv-run, wardenv-cli or wardenv-serve. For `wardenv run` it first forks the launcher, which makes
// its first namespaces while the front end, a program ten times its size, is still being loaded.
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox/base/ids.h"
#include "sandbox/base/kernel.h"
#include "sandbox/base/standard_fds.h"
#include "sandbox/launch/first_steps.h"
#include "sandbox/launch/serve.h"

namespace wardenv::launch {
namespace {

constexpr const char* kVariable = "WARDENV_LAUNCHER";  // "descriptor,process id,1 where it keeps apart", for the front end alone

// The launcher: nothing of what we inherited stays open in it, so that a pipe of the caller ends when the front end does.
[[noreturn]] void become_launcher(int socket) {
  const int null = open("/dev/null", O_RDWR);
  if (null < 0 || dup2(socket, 0) < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0) _exit(1);
  syscall(kernel::kSysCloseRange, 3, ~0U, 0);
  prctl(PR_SET_NAME, "wardenv-launcher");
  static FirstSteps plan;
  plan = first_steps(geteuid(), getegid(), kDefaultFirstId, kDefaultIdCount);
  // With cgroup v2 the sandbox is born in its group, which does not exist yet.
  const bool v2 = access("/sys/fs/cgroup/cgroup.controllers", F_OK) == 0;
  _exit(serve(v2 ? nullptr : &plan.header));
}

// Where it fails the front end starts a launcher itself, and says what is wrong.
void start_launcher() {
  int ends[2];
  const int on = 1;
  if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) < 0 || setsockopt(ends[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof on) < 0) return;
  remember_cpus();
  const pid_t pid = fork();
  if (pid == 0) become_launcher(ends[1]);
  close(ends[1]);
  if (pid < 0) {
    close(ends[0]);
    return;
  }
  static char value[48];
  snprintf(value, sizeof value, "%d,%d,%d", ends[0], pid, keep_apart(pid) ? 1 : 0);
  setenv(kVariable, value, 1);
}

bool is_run(int argc, char** argv) { return argc >= 3 && strcmp(argv[1], "run") == 0; }

// True where an option before "--" begins with one of `names`, which ends with nullptr.
bool has_option(int argc, char** argv, const char* const* names) {
  for (int i = 2; i < argc && strcmp(argv[i], "--") != 0; ++i) {
    for (const char* const* name = names; *name != nullptr; ++name) {
      if (strncmp(argv[i], *name, strlen(*name)) == 0) return true;
    }
  }
  return false;
}

bool asks_for_help(int argc, char** argv) {
  constexpr const char* kNames[] = {"--help", "-h", nullptr};
  return has_option(argc, argv, kNames);
}

// A guess that saves a start: wardenv-run itself looks closer, and becomes wardenv-cli where something has to be judged.
bool is_judged(int argc, char** argv) {
  constexpr const char* kNames[] = {"--policy", "--profile", "--grant", "--config", nullptr};
  return has_option(argc, argv, kNames) || access("/etc/wardenv/config.json", F_OK) == 0;
}

// `wardenv run` can also be had of wardenv-cli, only later.
void choose_front_end(int argc, char** argv, const char* (&programs)[2]) {
  const bool serves = argc > 1 && strcmp(argv[1], "serve") == 0;
  programs[0] = serves ? "wardenv-serve" : is_run(argc, argv) && !is_judged(argc, argv) ? "wardenv-run" : "wardenv-cli";
  programs[1] = serves ? "wardenv-serve" : "wardenv-cli";
}

}  // namespace

int main_of_wardenv(int argc, char** argv) {
  if (!hold_standard_fds()) return 125;   // before anything of ours gets a number
  unsetenv(kVariable);
  if (is_run(argc, argv) && !asks_for_help(argc, argv)) start_launcher();
  char self[4096];
  const ssize_t length = readlink("/proc/self/exe", self, sizeof self - 64);
  if (length <= 0) {
    fputs("wardenv: cannot read /proc/self/exe \xe2\x80\x94 mount /proc\n", stderr);
    return 125;
  }
  self[length] = 0;
  const char* folders[] = {"", "../libexec/wardenv/"};
  const char* programs[2];
  choose_front_end(argc, argv, programs);
  char* name = strrchr(self, '/') + 1;
  for (const char* program : programs) {
    for (const char* folder : folders) {
      strcpy(name, folder);
      strcat(name, program);
      execv(self, argv);
    }
  }
  *name = 0;
  fprintf(stderr, "wardenv: %s is not installed beside `%s` \xe2\x80\x94 install wardenv again, with `cmake --install`\n", programs[1], self);
  return 125;
}

}  // namespace wardenv::launch

int main(int argc, char** argv) { return wardenv::launch::main_of_wardenv(argc, argv); }
