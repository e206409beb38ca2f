// SPDX-License-Identifier: Apache-2.0
// Who a sandbox is: namespaces and their id maps, the unprivileged user, capabilities, session.
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "sandbox/launch/context.h"

namespace wardenv::launch {
namespace {

constexpr uint64_t kCloneIntoCgroup = 0x200000000ULL;

// In the /proc of another PID namespace our numbers are other processes.
bool proc_is_ours() {
  static bool known = false;
  if (known) return true;
  char self[32] = {};
  char pid[32];
  snprintf(pid, sizeof pid, "%d", getpid());
  known = readlink("/proc/self", self, sizeof self - 1) > 0 && strcmp(self, pid) == 0;
  return known;
}

int write_map(pid_t pid, const char* name, uint32_t inside, uint32_t outside) {
  char path[64];
  char line[64];
  if (pid != 0 && !proc_is_ours()) return ESRCH;
  if (pid == 0) {
    snprintf(path, sizeof path, "/proc/self/%s", name);
  } else {
    snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
  }
  int length = snprintf(line, sizeof line, "%u %u 1", inside, outside);
  return write_file(AT_FDCWD, path, line, static_cast<size_t>(length));
}

long clone3(clone_args& arguments) { return syscall(kernel::kSysClone3, &arguments, sizeof arguments); }

// No errno: it is the launcher's.
long raw_call(long number, long first = 0, long second = 0) {
  long result = 0;
  asm volatile("syscall" : "=a"(result) : "a"(number), "D"(first), "S"(second) : "rcx", "r11", "memory");
  return result;
}

int carry(void* launcher) {
  raw_call(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL);
  if (raw_call(SYS_getppid) != reinterpret_cast<intptr_t>(launcher)) raw_call(SYS_exit, 0);
  for (;;) raw_call(SYS_pause);
}

// A process that only carries a user namespace until somebody holds it by descriptor. It is gone when its maker goes on: our memory does for both.
pid_t spawn_carrier() {
  alignas(16) static uint8_t stack[4096];
  return clone(carry, stack + sizeof stack, CLONE_VM | CLONE_NEWUSER | SIGCHLD, reinterpret_cast<void*>(static_cast<intptr_t>(getpid())));
}

struct KeptNamespace {
  uint32_t uid, gid, host_id;
  int fd;
};
KeptNamespace kept[16];
int kept_count = 0;

int make_idmap_namespace(uint32_t uid, uint32_t gid, uint32_t host_id) {
  pid_t carrier = spawn_carrier();
  if (carrier < 0) return -1;
  int error = write_map(carrier, "uid_map", uid, host_id);
  if (error == 0) error = write_map(carrier, "gid_map", gid, host_id);
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/ns/user", carrier);
  int fd = error == 0 ? open_file(AT_FDCWD, path, O_RDONLY) : -1;
  if (error == 0 && fd < 0) error = errno;
  kill(carrier, SIGKILL);
  waitpid(carrier, nullptr, __WALL);
  errno = error;
  return fd;
}

}  // namespace

int write_file(int dir, const char* path, const char* data, size_t size) {
  int fd = open_file(dir, path, O_WRONLY | O_NOFOLLOW);
  if (fd < 0) return errno;
  ssize_t written = write(fd, data, size);
  return close_and(fd, written == static_cast<ssize_t>(size) ? 0 : written < 0 ? errno : EIO);
}

int idmap_namespace(uint32_t uid, uint32_t gid, uint32_t host_id) {
  for (int i = 0; i < kept_count && i < 16; ++i) {
    if (kept[i].uid == uid && kept[i].gid == gid && kept[i].host_id == host_id) return kept[i].fd;
  }
  int fd = make_idmap_namespace(uid, gid, host_id);
  if (fd < 0) return -1;
  constexpr int kCapacity = sizeof kept / sizeof *kept;
  KeptNamespace& place = kept[kept_count % kCapacity];
  if (kept_count >= kCapacity) close(place.fd);
  place = {uid, gid, host_id, fd};
  ++kept_count;
  return fd;
}

// The kernel kills us when the launcher's thread dies (prctl(2)). A change of credentials clears that, so it is asked for again
// after each. The launcher may be dead already: then its end of the socket is gone.
int arm_death_signal(const Context& context) {
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0) return errno;
  pollfd state{context.status, 0, 0};
  if (poll(&state, 1, 0) < 0) return errno;
  return (state.revents & (POLLHUP | POLLERR)) != 0 ? EPIPE : 0;
}

int clone_step(Context& context, const wire::Step& step) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) return errno;
  clone_args arguments{};
  arguments.flags = step.a | CLONE_PIDFD | CLONE_CLEAR_SIGHAND;
  arguments.pidfd = reinterpret_cast<uint64_t>(&context.pidfd);
  arguments.exit_signal = SIGCHLD;
  if (step.slot >= 0) {
    arguments.flags |= kCloneIntoCgroup;
    arguments.cgroup = static_cast<uint64_t>(context.slots[step.slot]);
  }
  const bool apart = go_to_few_mounts();
  context.pid = static_cast<pid_t>(clone3(arguments));
  int error = error_of(context.pid);
  if (apart && context.pid != 0) leave_few_mounts();
  context.status = ends[context.pid == 0 ? 1 : 0];
  context.launcher_end = ends[context.pid == 0 ? 0 : 1];
  close(context.launcher_end);
  if (context.pid == 0) {
    const int armed = arm_death_signal(context);
    return armed != 0 ? armed : use_all_cpus();
  }
  return error != 0 ? close_and(context.status, error) : 0;
}

int unshare_step(Context&, const wire::Step& step) { return error_of(syscall(SYS_unshare, step.a)); }

int map_ids_by_parent_step(Context& context, const wire::Step& step) {
  auto inside = static_cast<uint32_t>(step.a);
  int error = write_map(context.pid, "uid_map", inside, context.host_id);
  if (error == 0) error = write_map(context.pid, "gid_map", inside, context.host_id);
  if (error == 0 && send(context.status, "", 1, MSG_NOSIGNAL) < 0) error = errno;
  return error;
}

// An ordinary user may map itself alone, once it has given up setgroups(2) (user_namespaces(7)).
int map_ids_by_self_step(Context&, const wire::Step& step) {
  int error = write_file(AT_FDCWD, "/proc/self/setgroups", "deny", 4);
  if (error == 0) error = write_map(0, "uid_map", static_cast<uint32_t>(step.a), static_cast<uint32_t>(step.b));
  if (error == 0) error = write_map(0, "gid_map", static_cast<uint32_t>(step.a), static_cast<uint32_t>(step.c));
  return error;
}

int await_maps_step(Context& context, const wire::Step&) {
  char byte;
  ssize_t got = recv(context.status, &byte, 1, 0);
  return got == 1 ? 0 : got == 0 ? EPIPE : errno;
}

// Raw calls: each sets this one thread, which is the only one.
int become_user_step(Context& context, const wire::Step& step) {
  if ((step.flags & wire::kFlagDropGroups) != 0 && syscall(SYS_setgroups, 0, nullptr) < 0) return errno;
  if (syscall(SYS_setresgid, step.a, step.a, step.a) < 0) return errno;
  if (syscall(SYS_setresuid, step.a, step.a, step.a) < 0) return errno;
  return arm_death_signal(context);
}

int detach_step(Context&, const wire::Step&) {
  if (setsid() < 0) return errno;
  if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, nullptr) < 0 && errno != ENOSYS) return errno;
  umask(022);
  return error_of(prctl(PR_SET_DUMPABLE, 0));
}

// A call for each capability, which is why it has its step, among those that may be done ahead.
int drop_bounding_step(Context&, const wire::Step&) {
  for (unsigned long cap = 0; cap < 64; ++cap) {
    if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0) continue;
    return errno == EINVAL && cap > 0 ? 0 : errno;  // one past the last capability of this kernel
  }
  return 0;
}

int drop_capabilities_step(Context& context, const wire::Step&) {
  if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0) return errno;
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct none[2] = {};
  if (syscall(SYS_capset, &header, none) < 0) return errno;
  return arm_death_signal(context);
}

int no_new_privileges_step(Context&, const wire::Step&) { return error_of(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)); }

}  // namespace wardenv::launch
