// SPDX-License-Identifier: Apache-2.0
// Refused system calls: names, the argument that mattered, and what to do instead.
#include "engine/violations.h"

#include <linux/sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <algorithm>
#include <array>

#include "sandbox/plan_wire.h"
#include "sandbox/seccomp/builtin.h"

namespace wardenv::engine {
namespace {

struct Name {
  std::uint64_t value;
  const char* name;
};

constexpr std::array kFamilies = {Name{AF_PACKET, "AF_PACKET"}, Name{AF_VSOCK, "AF_VSOCK"},         Name{AF_ALG, "AF_ALG"},
                                  Name{AF_NETLINK, "AF_NETLINK"}, Name{AF_BLUETOOTH, "AF_BLUETOOTH"}, Name{AF_CAN, "AF_CAN"},
                                  Name{AF_INET, "AF_INET"},     Name{AF_INET6, "AF_INET6"},         Name{AF_UNIX, "AF_UNIX"},
                                  Name{AF_XDP, "AF_XDP"},       Name{AF_TIPC, "AF_TIPC"}};
constexpr std::array kIoctls = {Name{TIOCSTI, "TIOCSTI"}, Name{0x541C, "TIOCLINUX"}, Name{TIOCSETD, "TIOCSETD"}};
constexpr std::array kCloneFlags = {Name{CLONE_NEWUSER, "CLONE_NEWUSER"}, Name{CLONE_NEWNS, "CLONE_NEWNS"},   Name{CLONE_NEWPID, "CLONE_NEWPID"},
                                    Name{CLONE_NEWNET, "CLONE_NEWNET"},   Name{CLONE_NEWIPC, "CLONE_NEWIPC"}, Name{CLONE_NEWUTS, "CLONE_NEWUTS"},
                                    Name{CLONE_NEWCGROUP, "CLONE_NEWCGROUP"}};

template <std::size_t N>
std::string exact(const std::array<Name, N>& table, std::uint64_t value) {
  if (value == (wire::kOtherArgument & 0xffffffff)) return "others";
  for (const Name& item : table) {
    if (item.value == value) return item.name;
  }
  return std::to_string(value);
}

std::string first_flag(std::uint64_t flags) {
  if (flags == wire::kOtherArgument) return "others";
  for (const Name& item : kCloneFlags) {
    if ((flags & item.value) != 0) return item.name;
  }
  return "";
}

std::string socket_text(const sandbox::DeniedSyscall& call) {
  std::string text = "socket(" + exact(kFamilies, call.args[0] & 0xffffffff);
  if ((call.args[1] & 0xf) == SOCK_RAW) text += ", SOCK_RAW";
  return text + ")";
}

std::string describe(const sandbox::DeniedSyscall& call) {
  if (call.number == wire::kNoSyscall) return "system calls that do not exist";
  std::string name(sandbox::seccomp::syscall_name(call.number));
  if (name.empty()) name = "syscall " + std::to_string(call.number);
  if (call.number == SYS_socket || call.number == SYS_socketpair) return socket_text(call);
  if (call.number == SYS_ioctl) return name + "(" + exact(kIoctls, call.args[1] & 0xffffffff) + ")";
  if (call.number == SYS_clone || call.number == SYS_unshare) {
    const std::string flag = first_flag(call.args[0]);
    return flag.empty() ? name : name + "(" + flag + ")";
  }
  return name;
}

struct Hint {
  const char* prefix;
  const char* text;
};
constexpr const char* kSystemV =
    "without control groups, System V's shared memory, semaphores and messages can't be counted and are refused";
constexpr const char* kGaining = "set-uid and set-gid bits can't be set inside: who executes such a file outside would become its owner";
constexpr std::array kHints = {
    Hint{"socket(", "only unix sockets, and TCP and UDP over loopback, exist in the sandbox"},
    Hint{"mount", "file systems can't be changed inside; the workspace, /tmp and HOME are writable"},
    Hint{"umount", "file systems can't be changed inside; the workspace, /tmp and HOME are writable"},
    Hint{"unshare", "a sandbox can't make namespaces of its own; tools that sandbox themselves need that switched off"},
    Hint{"clone", "a sandbox can't make namespaces of its own; tools that sandbox themselves need that switched off"},
    Hint{"setns", "a sandbox can't enter other namespaces"},
    Hint{"chmod", kGaining},
    Hint{"fchmod", kGaining},
    Hint{"creat", kGaining},
    Hint{"open", kGaining},
    Hint{"mknod", "device nodes, set-uid and set-gid files can't be made inside"},
    Hint{"ptrace", "debuggers and strace don't work inside"},
    Hint{"process_vm", "the memory of other processes can't be read inside"},
    Hint{"io_uring", "io_uring is refused; programs fall back to ordinary input and output"},
    Hint{"bpf", "BPF is refused inside"},
    Hint{"perf_event_open", "hardware counters are not available inside"},
    Hint{"userfaultfd", "userfaultfd is refused inside"},
    Hint{"memfd_create", "without control groups, memory files can't be counted and are refused"},
    Hint{"shm", kSystemV},
    Hint{"sem", kSystemV},
    Hint{"msg", kSystemV},
    Hint{"sched_setaffinity", "without control groups, the CPU limit is held by affinity, which can't be changed inside"},
    Hint{"ioctl(TIOC", "input can't be pushed into a terminal"},
    Hint{"keyctl", "kernel keyrings are not available inside"},
    Hint{"add_key", "kernel keyrings are not available inside"},
    Hint{"request_key", "kernel keyrings are not available inside"},
};

std::string hint_for(const std::string& what) {
  for (const Hint& hint : kHints) {
    if (what.starts_with(hint.prefix)) return hint.text;
  }
  return "not among the system calls that Python work needs";
}

}  // namespace

std::vector<Violation> describe_violations(const std::vector<sandbox::DeniedSyscall>& denied) {
  std::vector<Violation> violations;
  for (const sandbox::DeniedSyscall& call : denied) {
    const std::string what = describe(call);
    auto known = std::find_if(violations.begin(), violations.end(), [&](const Violation& v) { return v.what == what; });
    if (known != violations.end()) {
      known->count += call.count;
      continue;
    }
    violations.push_back({.kind = what.starts_with("socket(") ? "network" : "syscall", .what = what, .count = call.count, .hint = hint_for(what)});
  }
  return violations;
}

void add_refusals(const std::vector<EgressRefusal>& refusals, std::vector<Violation>& violations) {
  for (const EgressRefusal& item : refusals) violations.push_back({.kind = "network", .what = item.what, .count = item.count, .hint = item.hint});
}

}  // namespace wardenv::engine
