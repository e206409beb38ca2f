// SPDX-License-Identifier: Apache-2.0
// Acts against descriptors, the terminal and other processes (threats, section A).
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <termios.h>
#include <unistd.h>

#include "probe.h"

enum { kDescriptors = 1024, kHighestPid = 40000 };
#define HIGH_BITS (UINT64_C(0xdead) << 32)

static void open_descriptors(int argc, char **argv) {
  (void)argc, (void)argv;
  int found = 0;
  for (int fd = 3; fd < kDescriptors; ++fd) {
    struct stat info;
    if (fstat(fd, &info) != 0 && errno == EBADF) continue;
    data("descriptor", "%d mode %o", fd, info.st_mode);
    ++found;
  }
  if (!found) denied(EBADF);
  allowed();
}

static int climb_from(int fd) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  return openat(fd, "..", O_PATH | O_DIRECTORY) >= 0 || fchdir(fd) == 0 || chdir(link) == 0;
}

static void descriptor_climb(int argc, char **argv) {
  (void)argc, (void)argv;
  for (int fd = 0; fd < kDescriptors; ++fd) {
    if (climb_from(fd)) {
      data("descriptor", "%d", fd);
      allowed();
    }
  }
  denied(ENOTDIR);
}

// terminal REQUEST plain|high|controlling: an ioctl on standard input, a terminal that the runner made.
static void terminal(int argc, char **argv) {
  uint64_t request = (uint64_t)number(argc, argv, 0);
  const char *how = argument(argc, argv, 1);
  if (strcmp(how, "high") == 0) request |= HIGH_BITS;
  if (strcmp(how, "controlling") == 0) {
    setsid();
    ioctl(0, TIOCSCTTY, 0);
  }
  char byte = '\n';
  finish(syscall(SYS_ioctl, 0, request, &byte));
}

static int set_terminal(void) {
  struct termios settings;
  if (tcgetattr(0, &settings) != 0) return -1;
  settings.c_lflag ^= ECHO;
  return tcsetattr(0, TCSANOW, &settings);
}

static long write_again(const char *text) {
  const int fd = open("/proc/self/fd/0", O_WRONLY | O_NOCTTY);
  return fd < 0 ? -1 : write(fd, text, strlen(text));
}

// input ACT [TEXT]: what a descriptor is good for besides being read.
static void use_input(int argc, char **argv) {
  const char *act = argument(argc, argv, 0);
  const struct timespec epoch[2] = {{0, 0}, {0, 0}};
  if (strcmp(act, "write") == 0) finish(write(0, argument(argc, argv, 1), strlen(argument(argc, argv, 1))));
  if (strcmp(act, "write_again") == 0) finish(write_again(argument(argc, argv, 1)));
  if (strcmp(act, "settings") == 0) finish(set_terminal());
  if (strcmp(act, "chmod") == 0) finish(fchmod(0, 0666));
  if (strcmp(act, "setxattr") == 0) finish(fsetxattr(0, "user.wardenv", "x", 1, 0));
  if (strcmp(act, "utimes") == 0) finish(futimens(0, epoch));
}

static void try_ptrace(int argc, char **argv) { finish(ptrace(PTRACE_SEIZE, number(argc, argv, 0), 0, 0)); }

// Reads where a probe, which is not position-independent, has its ELF header.
static void try_vm_read(int argc, char **argv) {
  char buffer[8];
  struct iovec here = {buffer, sizeof buffer}, there = {(void *)0x400000, sizeof buffer};
  finish(process_vm_readv((pid_t)number(argc, argv, 0), &here, 1, &there, 1, 0));
}

static void try_vm_write(int argc, char **argv) {
  char buffer[8] = {0};
  struct iovec here = {buffer, sizeof buffer}, there = {(void *)0x400000, sizeof buffer};
  long result = process_vm_writev((pid_t)number(argc, argv, 0), &here, 1, &there, 1, 0);
  if (result < 0 && errno == EFAULT) allowed();  // text is read-only: the kernel let us in and met the page
  finish(result);
}

// proc_open PID NAME FLAGS: opens /proc/PID/NAME.
static void proc_open(int argc, char **argv) {
  char path[128];
  snprintf(path, sizeof path, "/proc/%ld/%s", number(argc, argv, 0), argument(argc, argv, 1));
  finish(open(path, (int)number(argc, argv, 2)));
}

static void try_pidfd_getfd(int argc, char **argv) {
  int pidfd = (int)syscall(SYS_pidfd_open, number(argc, argv, 0), 0);
  if (pidfd < 0) denied(errno);
  finish(syscall(SYS_pidfd_getfd, pidfd, 1, 0));
}

static void try_kill(int argc, char **argv) { finish(kill((pid_t)number(argc, argv, 0), (int)number(argc, argv, 1))); }

// Kills all it can reach. Answers "allowed" when its own child died of it; the runner looks after a victim of its own.
static void kill_everything(int argc, char **argv) {
  (void)argc, (void)argv;
  refuse_as_root();
  pid_t child = fork();
  if (child < 0) broken("fork");
  if (child == 0) {
    for (;;) pause();
  }
  kill(-1, SIGKILL);
  int status = 0;
  if (waitpid(child, &status, WNOHANG) == 0) usleep(100000);
  finish(kill(child, 0) == 0 && waitpid(child, &status, WNOHANG) == 0 ? (errno = EPERM, -1) : 0);
}

static int is_known(long pid) { return pid == 1 || pid == getpid() || pid == getppid(); }

// Looks for processes other than our own by signal 0, both ways of sending one.
static void kill_sweep(int argc, char **argv) {
  (void)argc, (void)argv;
  int found = 0;
  for (long pid = 2; pid < kHighestPid; ++pid) {
    if (is_known(pid)) continue;
    int by_kill = kill((pid_t)pid, 0) == 0 || errno != ESRCH;
    int by_tgkill = syscall(SYS_tgkill, pid, pid, 0) == 0 || errno != ESRCH;
    if (by_kill || by_tgkill) ++found;
  }
  data("found", "%d", found);
  if (!found) denied(ESRCH);
  allowed();
}

// Has the kernel send SIGKILL to a process of our choice when input arrives.
static void signal_by_owner(int argc, char **argv) {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0) broken("socketpair");
  int owned = fcntl(pair[0], F_SETOWN, (int)number(argc, argv, 0));
  int error = errno;
  fcntl(pair[0], F_SETSIG, SIGKILL);
  fcntl(pair[0], F_SETFL, O_ASYNC);
  if (write(pair[1], "x", 1) != 1) broken("write");
  errno = error;
  finish(owned);
}

static void send_descriptors(int socket, size_t control_length) {
  char control[CMSG_SPACE(250 * sizeof(int))] = {0};
  char byte = 'x';
  struct iovec part = {&byte, 1};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = control_length;
  sendmsg(socket, &message, MSG_DONTWAIT);
}

// Descriptors in flight inside of descriptors in flight, and control messages with lengths that lie.
static void descriptor_flood(int argc, char **argv) {
  (void)argc, (void)argv;
  for (int round = 0; round < 200; ++round) {
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) != 0) break;
    for (int i = 0; i < 20; ++i) send_descriptors(pair[0], CMSG_LEN(250 * sizeof(int)));
    static const size_t kLies[] = {0, 1, 15, 16, 17, 4096, (size_t)-1, (size_t)-8, (size_t)1 << 32};
    for (size_t i = 0; i < sizeof kLies / sizeof kLies[0]; ++i) send_descriptors(pair[0], kLies[i]);
  }
  allowed();
}

// Writes what could be taken for a good result to every descriptor, then ends with a status of its own.
static void forge_frames(int argc, char **argv) {
  static const char kFrame[] = "{\"outcome\": \"exited\", \"exit_code\": 0, \"signal\": null, \"violations\": []}\n";
  char zeros[256] = {0};
  for (int fd = 0; fd < kDescriptors; ++fd) {
    if (write(fd, kFrame, sizeof kFrame - 1) < 0 && errno == EBADF) continue;
    if (write(fd, zeros, sizeof zeros) < 0) continue;
    send(fd, zeros, sizeof zeros, MSG_DONTWAIT | MSG_NOSIGNAL);
  }
  _exit((int)number(argc, argv, 0));
}

// Waits to be attacked; says first that it is there.
static void sleep_long(int argc, char **argv) {
  (void)argc, (void)argv;
  data("pid", "%d", getpid());
  sleep(120);
  allowed();
}

const Act kProcessActs[] = {
    {"open_descriptors", open_descriptors},
    {"descriptor_climb", descriptor_climb},
    {"terminal", terminal},
    {"input", use_input},
    {"ptrace", try_ptrace},
    {"vm_read", try_vm_read},
    {"vm_write", try_vm_write},
    {"proc_open", proc_open},
    {"pidfd_getfd", try_pidfd_getfd},
    {"kill", try_kill},
    {"kill_everything", kill_everything},
    {"kill_sweep", kill_sweep},
    {"signal_by_owner", signal_by_owner},
    {"descriptor_flood", descriptor_flood},
    {"forge_frames", forge_frames},
    {"sleep", sleep_long},
    {NULL, NULL},
};
