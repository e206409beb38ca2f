// SPDX-License-Identifier: Apache-2.0
// The launcher of `wardenv run`: it makes its first namespaces while the front end still looks at what is asked.
#include "sandbox/launch/forked.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "sandbox/base/ids.h"
#include "sandbox/base/kernel.h"
#include "sandbox/launch/first_steps.h"
#include "sandbox/launch/serve.h"

namespace wardenv::launch {
namespace {

constexpr char kName[] = "wardenv-launcher";

void wipe(char** strings) {
  for (; *strings != nullptr; ++strings) memset(*strings, 0, strlen(*strings));
}

// What ps(1) shows instead; the strings of `argv` lie one behind the other (proc(5), cmdline).
void rename_process(char** argv) {
  char** last = argv;
  while (last[1] != nullptr) ++last;
  const auto room = static_cast<size_t>(*last + strlen(*last) - *argv);
  wipe(argv);
  memcpy(*argv, kName, room < sizeof kName - 1 ? room : sizeof kName - 1);
  prctl(PR_SET_NAME, kName);
}

// A terminal sends its signals to a whole group, and this one is told by its front end. Both set it, as shells do: whoever comes first.
void lead_group_of_its_own(pid_t pid) { (void)setpgid(pid, pid); }

// What was sent to the old group while we were still in it is for the front end, which has it, too. Waits for us only where the front end has blocked it.
void forget_what_waits() {
  sigset_t all;
  sigfillset(&all);
  const timespec now{};
  while (sigtimedwait(&all, nullptr, &now) > 0) {
  }
}

[[noreturn]] void become_launcher(int socket, char** argv) {
  lead_group_of_its_own(0);
  forget_what_waits();
  rename_process(argv);
  wipe(environ);
  const int null = open("/dev/null", O_RDWR);
  if (null < 0 || dup2(socket, 0) < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0) _exit(1);
  syscall(kernel::kSysCloseRange, 3, ~0U, 0);
  static FirstSteps plan;
  plan = first_steps(geteuid(), getegid(), kDefaultFirstId, kDefaultIdCount);
  // With cgroup v2 the sandbox is born in its group, which does not exist yet.
  const bool v2 = access("/sys/fs/cgroup/cgroup.controllers", F_OK) == 0;
  _exit(serve(v2 ? nullptr : &plan.header));
}

}  // namespace

Forked fork_launcher(char** argv) {
  int ends[2];
  const int on = 1;
  if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) < 0) return {};
  if (setsockopt(ends[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof on) < 0) {
    close(ends[0]);
    close(ends[1]);
    return {};
  }
  remember_cpus();
  const pid_t pid = fork();
  if (pid == 0) become_launcher(ends[1], argv);
  if (pid > 0) lead_group_of_its_own(pid);
  close(ends[1]);
  if (pid > 0) return {ends[0], pid, keep_apart(pid)};
  close(ends[0]);
  return {};
}

}  // namespace wardenv::launch
