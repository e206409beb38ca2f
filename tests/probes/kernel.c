// SPDX-License-Identifier: Apache-2.0
// Acts on the kernel's surface: calls that a sandboxed command has no business with (threats, section C).
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/keyctl.h>
#include <linux/perf_event.h>
#include <linux/sched.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "probe.h"

#define HIGH_BITS (UINT64_C(0xdead) << 32)

// A call as numbers and pointers. Its arguments do no harm, also where it is allowed: the runner says what to expect.
typedef struct {
  const char *name;
  long call;
  uintptr_t arguments[6];
} Call;

static char room[4096];
#define PTR(value) ((uintptr_t)(value))
#define NOWHERE PTR("/nowhere/at-all")

static const Call kCalls[] = {
    {"swapon", SYS_swapon, {NOWHERE}},
    {"swapoff", SYS_swapoff, {NOWHERE}},
    {"reboot", SYS_reboot, {1, 2, 3, 0}},
    {"kexec_load", SYS_kexec_load, {0, 1 << 20, 0, 0}},
    {"kexec_file_load", SYS_kexec_file_load, {(uintptr_t)-1, (uintptr_t)-1, 0, 0, 0}},
    {"init_module", SYS_init_module, {0, 0, PTR("")}},
    {"finit_module", SYS_finit_module, {(uintptr_t)-1, PTR(""), 0}},
    {"delete_module", SYS_delete_module, {PTR("no_such_module"), O_NONBLOCK}},
    {"acct", SYS_acct, {NOWHERE}},
    {"quotactl", SYS_quotactl, {0x80000700, NOWHERE, 0, PTR(room)}},
    {"quotactl_fd", SYS_quotactl_fd, {(uintptr_t)-1, 0x80000700, 0, PTR(room)}},
    {"settimeofday", SYS_settimeofday, {0, 0}},
    {"clock_settime", SYS_clock_settime, {9999, PTR(room)}},
    {"fanotify_init", SYS_fanotify_init, {0, 0}},
    {"syslog", SYS_syslog, {10, 0, 0}},
    {"iopl", SYS_iopl, {3}},
    {"ioperm", SYS_ioperm, {0x80, 1, 1}},
    {"modify_ldt", SYS_modify_ldt, {0, PTR(room), sizeof room}},
    {"personality", SYS_personality, {ADDR_NO_RANDOMIZE | READ_IMPLIES_EXEC}},
    {"personality_high", SYS_personality, {(ADDR_NO_RANDOMIZE | READ_IMPLIES_EXEC) | HIGH_BITS}},
    {"add_key", SYS_add_key, {PTR("user"), PTR("wardenv"), PTR("x"), 1, (uintptr_t)KEY_SPEC_PROCESS_KEYRING}},
    {"request_key", SYS_request_key, {PTR("user"), PTR("wardenv-none"), 0, 0}},
    {"keyctl", SYS_keyctl, {KEYCTL_GET_KEYRING_ID, (uintptr_t)KEY_SPEC_PROCESS_KEYRING, 1}},
    {"io_uring_setup", SYS_io_uring_setup, {1, PTR(room)}},
    {"io_uring_enter", SYS_io_uring_enter, {(uintptr_t)-1, 0, 0, 0, 0, 0}},
    {"io_uring_register", SYS_io_uring_register, {(uintptr_t)-1, 0, 0, 0}},
    {"userfaultfd", SYS_userfaultfd, {1}},
    {"process_madvise", SYS_process_madvise, {(uintptr_t)-1, PTR(room), 1, 20, 0}},
    {"process_mrelease", SYS_process_mrelease, {(uintptr_t)-1, 0}},
    {"umount2", SYS_umount2, {NOWHERE, 0}},
    {"mount", SYS_mount, {NOWHERE, NOWHERE, PTR("tmpfs"), 0, 0}},
    {"fsopen", SYS_fsopen, {PTR("tmpfs"), 0}},
    {"fsconfig", SYS_fsconfig, {(uintptr_t)-1, 0, PTR("a"), PTR("b"), 0}},
    {"fsmount", SYS_fsmount, {(uintptr_t)-1, 0, 0}},
    {"fspick", SYS_fspick, {(uintptr_t)-1, NOWHERE, 0}},
    {"open_tree", SYS_open_tree, {(uintptr_t)AT_FDCWD, PTR("/"), 1}},
    {"move_mount", SYS_move_mount, {(uintptr_t)-1, PTR("x"), (uintptr_t)-1, PTR("y"), 0}},
    {"mount_setattr", SYS_mount_setattr, {(uintptr_t)-1, PTR("x"), 0, PTR(room), 32}},
    {"pivot_root", SYS_pivot_root, {NOWHERE, NOWHERE}},
    {"chroot", SYS_chroot, {NOWHERE}},
    {"open_by_handle_at", SYS_open_by_handle_at, {(uintptr_t)-1, PTR(room), 0}},
};

static void do_call(int argc, char **argv) {
  const char *name = argument(argc, argv, 0);
  for (size_t i = 0; i < sizeof kCalls / sizeof kCalls[0]; ++i) {
    const Call *call = &kCalls[i];
    const uintptr_t *a = call->arguments;
    if (strcmp(call->name, name) == 0) finish(syscall(call->call, a[0], a[1], a[2], a[3], a[4], a[5]));
  }
  broken("no such call");
}

// call NAME: one of the calls above, in a child, since a filter may kill.
static void call(int argc, char **argv) { in_child(do_call, argc, argv); }

static uint64_t flags_of(int argc, char **argv) {
  uint64_t flags = (uint64_t)number(argc, argv, 0);
  return argc > 1 && strcmp(argv[1], "high") == 0 ? flags | HIGH_BITS : flags;
}

static void do_unshare(int argc, char **argv) { finish(syscall(SYS_unshare, flags_of(argc, argv))); }
static void try_unshare(int argc, char **argv) { in_child(do_unshare, argc, argv); }

static void do_clone(int argc, char **argv) {
  long child = syscall(SYS_clone, flags_of(argc, argv) | SIGCHLD, 0, 0, 0, 0);
  if (child == 0) _exit(0);
  finish(child);
}
static void try_clone(int argc, char **argv) { in_child(do_clone, argc, argv); }

static void do_clone3(int argc, char **argv) {
  struct clone_args arguments = {.flags = (uint64_t)number(argc, argv, 0), .exit_signal = SIGCHLD};
  long child = syscall(SYS_clone3, &arguments, sizeof arguments);
  if (child == 0) _exit(0);
  finish(child);
}
static void try_clone3(int argc, char **argv) { in_child(do_clone3, argc, argv); }

// setns NAME PID: joins the namespace of a process.
static void do_setns(int argc, char **argv) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%s/ns/%s", argument(argc, argv, 1), argument(argc, argv, 0));
  int fd = open(path, O_RDONLY);
  if (fd < 0) denied(errno);
  finish(syscall(SYS_setns, fd, 0));
}
static void try_setns(int argc, char **argv) { in_child(do_setns, argc, argv); }

// write_map NAME TEXT here|new: maps another identity into the user namespace; "new" makes one first, for the control.
static void write_map(int argc, char **argv) {
  char path[64];
  snprintf(path, sizeof path, "/proc/self/%s", argument(argc, argv, 0));
  const char *text = argument(argc, argv, 1);
  if (argument(argc, argv, 2)[0] == 'n') {
    if (syscall(SYS_unshare, CLONE_NEWUSER) != 0) broken("unshare");
    int groups = open("/proc/self/setgroups", O_WRONLY);  // without "deny" a group map takes a privilege
    if (strcmp(argv[0], "gid_map") == 0 && write(groups, "deny", 4) != 4) broken("setgroups");
  }
  int fd = open(path, O_WRONLY);
  if (fd < 0) denied(errno);
  finish(write(fd, text, strlen(text)));
}

// Sets the name to what it is already: allowed is allowed, and nothing changes.
static void do_sethostname(int argc, char **argv) {
  (void)argc, (void)argv;
  struct utsname names;
  if (uname(&names) != 0) broken("uname");
  finish(syscall(SYS_sethostname, names.nodename, strlen(names.nodename)));
}

static void do_bpf(int argc, char **argv) {
  (void)argc, (void)argv;
  union bpf_attr attributes;
  memset(&attributes, 0, sizeof attributes);
  attributes.map_type = BPF_MAP_TYPE_ARRAY;
  attributes.key_size = 4;
  attributes.value_size = 4;
  attributes.max_entries = 1;
  finish(syscall(SYS_bpf, BPF_MAP_CREATE, &attributes, sizeof attributes));
}
static void try_bpf(int argc, char **argv) { in_child(do_bpf, argc, argv); }

static void do_perf(int argc, char **argv) {
  (void)argc, (void)argv;
  struct perf_event_attr attributes = {
      .type = PERF_TYPE_SOFTWARE, .size = sizeof attributes, .config = PERF_COUNT_SW_CPU_CLOCK, .disabled = 1};
  finish(syscall(SYS_perf_event_open, &attributes, 0, -1, -1, 0));
}
static void try_perf(int argc, char **argv) { in_child(do_perf, argc, argv); }

static void do_vmsplice(int argc, char **argv) {
  (void)argc, (void)argv;
  int ends[2];
  if (pipe(ends) != 0) broken("pipe");
  struct iovec part = {room, sizeof room};
  finish(syscall(SYS_vmsplice, ends[1], &part, 1, 0));
}
static void try_vmsplice(int argc, char **argv) { in_child(do_vmsplice, argc, argv); }

// getpid(2) of the x32 interface; a kernel without it answers ENOSYS.
static void do_x32(int argc, char **argv) {
  (void)argc, (void)argv;
  finish(syscall(0x40000000 + 39));
}
static void try_x32(int argc, char **argv) { in_child(do_x32, argc, argv); }

// getpid(2) by the 32-bit gate.
static void do_int80(int argc, char **argv) {
  (void)argc, (void)argv;
  long result;
  __asm__ volatile("int $0x80" : "=a"(result) : "a"(20L) : "memory", "r8", "r9", "r10", "r11");
  if (result < 0) denied((int)-result);
  allowed();
}
static void try_int80(int argc, char **argv) { in_child(do_int80, argc, argv); }

static void do_exec(int argc, char **argv) {
  (void)argument(argc, argv, 0);
  execv(argv[0], argv);
  denied(errno);
}

// run PROGRAM [ARG...]: a program of another kind, in a child; it says itself what it could do.
static void try_exec(int argc, char **argv) { in_child(do_exec, argc, argv); }

// hide_violations: many refused calls that mean little, in the hope that there is no room left for those that come
// after.
static void hide_violations(int argc, char** argv) {
  (void)argc, (void)argv;
  for (long i = 0; i < 70; ++i) syscall(SYS_acct, i + 1);
  for (long i = 0; i < 70; ++i) syscall(SYS_ioctl, -1, 0x7700 + i);
  for (long i = 0; i < 70; ++i) syscall(SYS_socket, 100 + i, 1, 0);
  for (long i = 0; i < 70; ++i) syscall(SYS_unshare, 0x10000000 | i);
  for (long i = 340; i < 420; ++i) syscall(i);
  for (long i = 100000; i < 100100; ++i) syscall(i);
  const long few[] = {SYS_sysfs,          SYS__sysctl,
                      SYS_uselib,         SYS_ustat,
                      SYS_vhangup,        SYS_swapon,
                      SYS_swapoff,        SYS_reboot,
                      SYS_iopl,           SYS_ioperm,
                      SYS_delete_module,  SYS_init_module,
                      SYS_finit_module,   SYS_quotactl,
                      SYS_lookup_dcookie, SYS_remap_file_pages,
                      SYS_kexec_load,     SYS_add_key,
                      SYS_request_key,    SYS_keyctl,
                      SYS_fanotify_init,  SYS_name_to_handle_at,
                      SYS_settimeofday,   SYS_clock_settime};
  for (size_t i = 0; i < sizeof few / sizeof *few; ++i) syscall(few[i], -1, -1, -1, -1, -1, -1);
  syscall(SYS_ptrace, -1, 0, 0, 0);
  syscall(SYS_mount, 0, 0, 0, 0, 0);
  syscall(SYS_bpf, -1, 0, 0);
  allowed();
}

// ask_often COUNT THREADS: the same refused call from several threads at once. What answers is no part of us.
static long asks_left;
static void* ask(void* unused) {
  (void)unused;
  while (__atomic_sub_fetch(&asks_left, 1, __ATOMIC_RELAXED) >= 0) {
    if (syscall(SYS_acct, 1) == 0 || (errno != EPERM && errno != EFAULT)) denied(errno);
  }
  return NULL;
}

static void ask_often(int argc, char** argv) {
  asks_left = number(argc, argv, 0);
  long count = number(argc, argv, 1);
  pthread_t threads[64];
  for (long i = 0; i < count; ++i) {
    if (pthread_create(&threads[i], NULL, ask, NULL) != 0) broken("pthread_create");
  }
  for (long i = 0; i < count; ++i) pthread_join(threads[i], NULL);
  allowed();
}

const Act kKernelActs[] = {
    {"hide_violations", hide_violations},
    {"ask_often", ask_often},
    {"call", call},
    {"unshare", try_unshare},
    {"clone", try_clone},
    {"clone3", try_clone3},
    {"setns", try_setns},
    {"sethostname", do_sethostname},
    {"bpf", try_bpf},
    {"perf", try_perf},
    {"vmsplice", try_vmsplice},
    {"x32", try_x32},
    {"int80", try_int80},
    {"run", try_exec},
    {"write_map", write_map},
    {NULL, NULL},
};
