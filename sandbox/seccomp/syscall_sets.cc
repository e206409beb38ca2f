// SPDX-License-Identifier: Apache-2.0
// The allowlist. A call is here because Python work needs it, and is not here because of what else it can do.
#include "sandbox/seccomp/syscall_sets.h"

#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/sched.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <array>

namespace wardenv::sandbox::seccomp {
namespace {

constexpr std::uint64_t kAll = ~0ULL;
constexpr std::uint64_t kInt = 0xffffffff;  // where the kernel reads 32 bits of the register

std::vector<Rule> plain(std::initializer_list<const char*> names) {
  std::vector<Rule> rules;
  for (const char* name : names) rules.push_back({name, {}});
  return rules;
}

// `name` with argument `index` equal to any of `values`.
std::vector<Rule> any_of(const char* name, unsigned index, std::initializer_list<std::uint64_t> values, std::uint64_t mask = kInt) {
  std::vector<Rule> rules;
  for (std::uint64_t value : values) rules.push_back({name, {{index, mask, value & mask}}});
  return rules;
}

std::vector<Rule> join(std::initializer_list<std::vector<Rule>> parts) {
  std::vector<Rule> all;
  for (const auto& part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

// A file with these bits that a run leaves in its workspace would give the workspace's owner, maybe root, to whoever executes it outside.
// mkdir(2) takes neither of them.
constexpr std::uint64_t kGainingModes = S_ISUID | S_ISGID;
constexpr std::uint64_t kMakesFile = O_CREAT | (O_TMPFILE & ~O_DIRECTORY);

// Any mode where no file is made: it is not looked at (open(2)).
std::vector<Rule> opening(const char* name, unsigned flags, unsigned mode) {
  return join({any_of(name, flags, {0}, kMakesFile), any_of(name, mode, {0}, kGainingModes)});
}

SyscallSet files() {
  return {"files and folders",
          join({plain({"access", "chdir", "chown", "close", "close_range", "copy_file_range", "dup", "dup2", "dup3", "faccessat",
                       "faccessat2", "fadvise64", "fallocate", "fchdir", "fchown", "fchownat", "fdatasync",
                       "fgetxattr", "flistxattr", "flock", "fremovexattr", "fsetxattr", "fstat", "fstatfs", "fsync", "ftruncate", "futimesat",
                       "getcwd", "getdents", "getdents64", "getxattr", "inotify_add_watch", "inotify_init", "inotify_init1", "inotify_rm_watch",
                       "lchown", "lgetxattr", "link", "linkat", "listxattr", "llistxattr", "lremovexattr", "lseek", "lsetxattr", "lstat", "mkdir",
                       "mkdirat", "newfstatat", "pread64", "preadv", "preadv2", "pwrite64", "pwritev", "pwritev2",
                       "read", "readahead", "readlink", "readlinkat", "readv", "removexattr", "rename", "renameat", "renameat2", "rmdir",
                       "sendfile", "setxattr", "splice", "stat", "statfs", "statx", "symlink", "symlinkat", "sync", "sync_file_range", "syncfs",
                       "tee", "truncate", "umask", "unlink", "unlinkat", "utime", "utimensat", "utimes", "write", "writev", "setxattrat",
                       "getxattrat", "listxattrat", "removexattrat"}),
                opening("open", 1, 2), opening("openat", 2, 3),
                any_of("creat", 1, {0}, kGainingModes), any_of("chmod", 1, {0}, kGainingModes), any_of("fchmod", 1, {0}, kGainingModes),
                any_of("fchmodat", 2, {0}, kGainingModes), any_of("fchmodat2", 2, {0}, kGainingModes),
                // No device nodes: FIFO, regular file, socket; mode 0 means a regular file (mknod(2)).
                any_of("mknod", 1, {S_IFIFO, S_IFREG, S_IFSOCK, 0}, S_IFMT | kGainingModes),
                any_of("mknodat", 2, {S_IFIFO, S_IFREG, S_IFSOCK, 0}, S_IFMT | kGainingModes),
                // Not F_SETLEASE and F_NOTIFY: they reach processes of the host that use the workspace (fcntl(2)).
                any_of("fcntl", 1, {F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_GETLK, F_SETLK, F_SETLKW, F_SETOWN, F_GETOWN, F_SETSIG,
                                    F_GETSIG, F_SETOWN_EX, F_GETOWN_EX, F_OFD_GETLK, F_OFD_SETLK, F_OFD_SETLKW, F_GETLEASE, F_DUPFD_CLOEXEC,
                                    F_SETPIPE_SZ, F_GETPIPE_SZ, F_ADD_SEALS, F_GET_SEALS, F_GET_RW_HINT, F_SET_RW_HINT, F_GET_FILE_RW_HINT,
                                    F_SET_FILE_RW_HINT})})};
}

SyscallSet memory() {
  return {"memory", plain({"brk", "get_mempolicy", "madvise", "membarrier", "mincore", "mlock", "mlock2", "mlockall", "mprotect", "mremap", "mseal",
                           "msync", "munlock", "munlockall", "munmap", "pkey_alloc", "pkey_free", "pkey_mprotect"})};
}

SyscallSet processes() {
  constexpr std::uint64_t kNamespaces = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;
  return {"processes and threads",
          join({plain({"arch_prctl", "execve", "execveat", "exit", "exit_group", "fork", "futex", "futex_requeue", "futex_wait", "futex_waitv",
                       "futex_wake", "get_robust_list", "get_thread_area", "getcpu", "getpgid", "getpgrp", "getpid", "getppid", "getpriority",
                       "getrlimit", "getrusage", "getsid", "gettid", "ioprio_get", "kill", "pidfd_open", "pidfd_send_signal", "restart_syscall",
                       "rseq", "sched_get_priority_max", "sched_get_priority_min", "sched_getaffinity", "sched_getattr", "sched_getparam",
                       "sched_getscheduler", "sched_rr_get_interval", "sched_setattr", "sched_setparam", "sched_setscheduler", "sched_yield",
                       "set_robust_list", "set_tid_address", "setpgid", "setpriority", "setsid", "sysinfo", "tgkill", "times", "tkill", "uname",
                       "vfork", "wait4", "waitid"}),
                {{"clone", {{0, kNamespaces, 0}}}},
                // Not RLIMIT_CORE: its value keeps even pipe handlers of core_pattern from running.
                any_of("setrlimit", 0, {RLIMIT_CPU, RLIMIT_FSIZE, RLIMIT_DATA, RLIMIT_STACK, RLIMIT_RSS, RLIMIT_NPROC, RLIMIT_NOFILE,
                                        RLIMIT_MEMLOCK, RLIMIT_AS, RLIMIT_LOCKS, RLIMIT_SIGPENDING, RLIMIT_MSGQUEUE, RLIMIT_NICE, RLIMIT_RTPRIO,
                                        RLIMIT_RTTIME}),
                any_of("prlimit64", 1, {RLIMIT_CPU, RLIMIT_FSIZE, RLIMIT_DATA, RLIMIT_STACK, RLIMIT_RSS, RLIMIT_NPROC, RLIMIT_NOFILE,
                                        RLIMIT_MEMLOCK, RLIMIT_AS, RLIMIT_LOCKS, RLIMIT_SIGPENDING, RLIMIT_MSGQUEUE, RLIMIT_NICE, RLIMIT_RTPRIO,
                                        RLIMIT_RTTIME}),
                {{"prlimit64", {{2, kAll, 0}}}},  // reading any
                any_of("personality", 0, {0, 0xffffffff}),
                any_of("prctl", 0, {PR_SET_PDEATHSIG, PR_GET_PDEATHSIG, PR_GET_DUMPABLE, PR_SET_DUMPABLE, PR_GET_KEEPCAPS, PR_SET_NAME, PR_GET_NAME,
                                    PR_GET_SECCOMP, PR_CAPBSET_READ, PR_GET_TSC, PR_GET_SECUREBITS, PR_SET_TIMERSLACK, PR_GET_TIMERSLACK,
                                    PR_SET_CHILD_SUBREAPER, PR_GET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS, PR_GET_NO_NEW_PRIVS, PR_GET_TID_ADDRESS,
                                    PR_SET_THP_DISABLE, PR_GET_THP_DISABLE, PR_GET_SPECULATION_CTRL, PR_SET_VMA})})};
}

SyscallSet signals() {
  return {"signals and waiting", plain({"alarm", "epoll_create", "epoll_create1", "epoll_ctl", "epoll_pwait", "epoll_pwait2", "epoll_wait", "eventfd",
                                        "eventfd2", "getitimer", "pause", "pipe", "pipe2", "poll", "ppoll", "pselect6", "rt_sigaction",
                                        "rt_sigpending", "rt_sigprocmask", "rt_sigqueueinfo", "rt_sigreturn", "rt_sigsuspend", "rt_sigtimedwait",
                                        "rt_tgsigqueueinfo", "select", "setitimer", "sigaltstack", "signalfd", "signalfd4", "timer_create",
                                        "timer_delete", "timer_getoverrun", "timer_gettime", "timer_settime", "timerfd_create", "timerfd_gettime",
                                        "timerfd_settime"})};
}

SyscallSet identity_and_time() {
  return {"identity and time", plain({"capget", "clock_getres", "clock_gettime", "clock_nanosleep", "getegid", "geteuid", "getgid", "getgroups",
                                      "getrandom", "getresgid", "getresuid", "gettimeofday", "getuid", "nanosleep", "setfsgid", "setfsuid", "setgid",
                                      "setgroups", "setregid", "setresgid", "setresuid", "setreuid", "setuid", "time"})};
}

// socket(2) and socketpair(2): family, type without flags, protocol. Nothing but unix, TCP and UDP, and routes by netlink.
std::vector<Rule> sockets(const char* name) {
  constexpr std::uint64_t kType = kInt & ~static_cast<std::uint64_t>(SOCK_NONBLOCK | SOCK_CLOEXEC);
  std::vector<Rule> rules;
  auto allow = [&](std::uint64_t family, std::uint64_t type, std::uint64_t protocol) {
    rules.push_back({name, {{0, kInt, family}, {1, kType, type}, {2, kInt, protocol}}});
  };
  for (auto type : {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET}) allow(AF_UNIX, static_cast<std::uint64_t>(type), 0);
  for (std::uint64_t family : {2ULL, 10ULL}) {  // AF_INET, AF_INET6
    for (std::uint64_t protocol : {0U, 6U}) allow(family, SOCK_STREAM, protocol);
    for (std::uint64_t protocol : {0U, 17U}) allow(family, SOCK_DGRAM, protocol);
  }
  for (auto type : {SOCK_RAW, SOCK_DGRAM}) allow(AF_NETLINK, static_cast<std::uint64_t>(type), 0);
  return rules;
}

SyscallSet network() {
  return {"sockets", join({plain({"accept", "accept4", "bind", "connect", "getpeername", "getsockname", "getsockopt", "listen", "recvfrom", "recvmmsg",
                                  "recvmsg", "sendmmsg", "sendmsg", "sendto", "setsockopt", "shutdown"}),
                           sockets("socket"), sockets("socketpair")})};
}

SyscallSet terminals() {
  return {"terminals and ioctl",
          any_of("ioctl", 1, {TCGETS, TCSETS, TCSETSW, TCSETSF, 0x802C542A /* TCGETS2 */, 0x402C542B, 0x402C542C, 0x402C542D, TCGETA, TCSETA, TCSETAW,
                              TCSETAF, TCSBRK, TCXONC, TCFLSH, TCSBRKP, TIOCEXCL, TIOCNXCL, TIOCSCTTY, TIOCGPGRP, TIOCSPGRP, TIOCOUTQ, TIOCGWINSZ,
                              TIOCSWINSZ, TIOCMGET, FIONREAD, TIOCPKT, FIONBIO, TIOCNOTTY, TIOCGETD, TIOCGSID, TIOCGPTN, TIOCSPTLCK, TIOCGPTLCK,
                              TIOCGPTPEER, TIOCGPKT, TIOCGEXCL, FIONCLEX, FIOCLEX, FIOASYNC, FIOQSIZE, SIOCGIFNAME, SIOCGIFCONF, SIOCGIFFLAGS,
                              SIOCGIFADDR, SIOCGIFBRDADDR, SIOCGIFNETMASK, SIOCGIFMTU, SIOCGIFHWADDR, SIOCGIFINDEX, SIOCGIFTXQLEN, SIOCOUTQ,
                              SIOCATMARK, FS_IOC_GETFLAGS, FS_IOC_FIEMAP, FIGETBSZ, FICLONE, FICLONERANGE, FIDEDUPERANGE})};
}

SyscallSet ipc() {
  return {"interprocess communication",
          plain({"mq_getsetattr", "mq_notify", "mq_open", "mq_timedreceive", "mq_timedsend", "mq_unlink"})};
}

// Memory that belongs to no process can't be seen by the watchdog, and affinity that the program may set is no limit.
SyscallSet where_cgroups_count() {
  return {"only where control groups hold the limits",
          plain({"memfd_create", "memfd_secret", "mmap", "msgctl", "msgget", "msgrcv", "msgsnd", "sched_setaffinity",
                 "semctl", "semget", "semop", "semtimedop", "shmat", "shmctl", "shmdt", "shmget"})};
}

// Anonymous shared memory outlives its mapping: what neither is private nor has a file is for the launcher to count.
SyscallSet where_the_launcher_counts() {
  return {"only where the launcher holds the limits",
          join({any_of("mmap", 3, {0}, MAP_ANONYMOUS), any_of("mmap", 3, {0}, MAP_SHARED)})};
}

constexpr std::array kNewSyscalls = {NewSyscall{"fchmodat2", 452},   NewSyscall{"futex_wake", 454},   NewSyscall{"futex_wait", 455},
                                     NewSyscall{"futex_requeue", 456}, NewSyscall{"mseal", 462},      NewSyscall{"setxattrat", 463},
                                     NewSyscall{"getxattrat", 464},  NewSyscall{"listxattrat", 465},  NewSyscall{"removexattrat", 466}};

// Their flags and modes lie in memory, where a filter can't look.
constexpr std::array kHidden = {"clone3", "openat2"};

}  // namespace

std::span<const NewSyscall> new_syscalls() { return kNewSyscalls; }
std::span<const char* const> hidden_syscalls() { return kHidden; }

std::vector<SyscallSet> allowed_sets(LimitsBy limits) {
  std::vector<SyscallSet> sets{files(), memory(), processes(), signals(), identity_and_time(), network(), terminals(), ipc()};
  sets.push_back(limits == LimitsBy::kCgroup ? where_cgroups_count() : where_the_launcher_counts());
  return sets;
}

}  // namespace wardenv::sandbox::seccomp
