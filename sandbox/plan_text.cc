// SPDX-License-Identifier: Apache-2.0
// A plan as text and as JSON, for people, golden files and `wardenv plan`.
#include <linux/sched.h>
#include <sys/resource.h>

#include <array>
#include <cstdio>

#include "sandbox/base/kernel.h"
#include "sandbox/plan.h"

namespace wardenv::sandbox {
namespace {

using wire::Op;

struct OpName {
  Op op;
  const char* name;
};
constexpr std::array kOpNames = {
    OpName{Op::kOpenTree, "open-tree"},
    OpName{Op::kClone, "clone"},
    OpName{Op::kUnshare, "unshare"},
    OpName{Op::kMapIdsByParent, "map-ids"},
    OpName{Op::kJoinCgroup1, "join-cgroup"},
    OpName{Op::kLoopbackUp, "loopback-up"},
    OpName{Op::kListen, "listen"},
    OpName{Op::kHostname, "hostname"},
    OpName{Op::kMapIdsBySelf, "map-ids"},
    OpName{Op::kAwaitMaps, "await-maps"},
    OpName{Op::kBecomeUser, "become-user"},
    OpName{Op::kDetach, "detach"},
    OpName{Op::kNewRoot, "new-root"},
    OpName{Op::kFolder, "folder"},
    OpName{Op::kSymlink, "symlink"},
    OpName{Op::kFile, "file"},
    OpName{Op::kAttach, "attach"},
    OpName{Op::kRebind, "rebind"},
    OpName{Op::kProc, "proc"},
    OpName{Op::kPts, "pts"},
    OpName{Op::kMask, "mask"},
    OpName{Op::kNoNestedUserns, "no-nested-userns"},
    OpName{Op::kPivot, "pivot-root"},
    OpName{Op::kSealRoot, "seal-root"},
    OpName{Op::kTree, "tree"},
    OpName{Op::kKeepTree, "keep-tree"},
    OpName{Op::kRlimit, "rlimit"},
    OpName{Op::kAffinity, "affinity"},
    OpName{Op::kDropBounding, "drop-bounding-set"},
    OpName{Op::kDropCapabilities, "drop-capabilities"},
    OpName{Op::kNoNewPrivileges, "no-new-privileges"},
    OpName{Op::kLandlockRuleset, "landlock-ruleset"},
    OpName{Op::kLandlockAllow, "landlock-allow"},
    OpName{Op::kLandlockRestrict, "landlock-restrict"},
    OpName{Op::kCloseDescriptors, "close-descriptors"},
    OpName{Op::kSeccomp, "seccomp"},
    OpName{Op::kExec, "exec"},
};

std::string name_of(Op op) {
  for (const OpName& item : kOpNames) {
    if (item.op == op) return item.name;
  }
  return "?";
}

struct Bit {
  std::uint64_t bit;
  const char* name;
};
constexpr std::array kNamespaces = {Bit{CLONE_NEWUSER, "user"}, Bit{CLONE_NEWNS, "mount"}, Bit{CLONE_NEWPID, "pid"},
                                    Bit{CLONE_NEWNET, "network"}, Bit{CLONE_NEWIPC, "ipc"}, Bit{CLONE_NEWUTS, "uts"},
                                    Bit{CLONE_NEWCGROUP, "cgroup"}, Bit{CLONE_NEWTIME, "time"}};
constexpr std::array kAttributes = {Bit{0x1, "ro"}, Bit{0x2, "nosuid"}, Bit{0x4, "nodev"}, Bit{0x8, "noexec"}};
constexpr std::array kRights = {Bit{kernel::kFsExecute, "execute"}, Bit{kernel::kFsReadFile, "read"}, Bit{kernel::kFsReadDir, "list"},
                                Bit{kernel::kFsWriteFile, "write"}, Bit{kernel::kFsMakeReg, "make"}, Bit{kernel::kFsRemoveFile, "remove"},
                                Bit{kernel::kFsRefer, "refer"}, Bit{kernel::kFsTruncate, "truncate"}, Bit{kernel::kFsIoctlDev, "ioctl"}};

template <std::size_t N>
std::string names(const std::array<Bit, N>& table, std::uint64_t value) {
  std::string text;
  for (const Bit& item : table) {
    if ((value & item.bit) != 0) text += (text.empty() ? "" : ",") + std::string(item.name);
  }
  return text.empty() ? "-" : text;
}

std::string rlimit_name(std::uint64_t resource) {
  constexpr std::array kNames = {"cpu", "file-size", "data", "stack", "core", "rss", "processes", "open-files",
                                 "locked-memory", "address-space", "locks", "pending-signals", "message-queues", "nice", "realtime"};
  return resource < kNames.size() ? kNames[resource] : std::to_string(resource);
}

std::string octal(std::uint64_t mode) {
  char text[16];
  std::snprintf(text, sizeof text, "%04llo", static_cast<unsigned long long>(mode));
  return text;
}

std::string slot(const PlanStep& step) { return "#" + std::to_string(step.slot); }

std::string details(const PlanStep& step) {
  switch (step.op) {
    case Op::kOpenTree:
      return slot(step) + " " + step.text + " " + names(kAttributes, step.b) + ((step.flags & wire::kFlagOwnerMapped) != 0 ? " owner-mapped" : "") +
             (step.a != 0 ? " only-that-folder" : "");
    case Op::kClone: return names(kNamespaces, step.a) + (step.slot >= 0 ? " into-cgroup " + slot(step) : "");
    case Op::kUnshare: return names(kNamespaces, step.a);
    case Op::kMapIdsByParent: return std::to_string(step.a) + " is an unprivileged host id";
    case Op::kMapIdsBySelf: return std::to_string(step.a) + " is our own id";
    case Op::kJoinCgroup1: return slot(step);
    case Op::kBecomeUser: return std::to_string(step.a) + ((step.flags & wire::kFlagDropGroups) != 0 ? " no-groups" : "");
    case Op::kNewRoot: return (step.slot >= 0 ? slot(step) + " " : "") + "tmpfs bytes=" + std::to_string(step.a) + " inodes=" + std::to_string(step.b);
    case Op::kFolder: return step.text + " " + octal(step.a);
    case Op::kSymlink: return step.text + " -> " + step.text2;
    case Op::kFile: return step.text + " " + octal(step.a) + " bytes=" + std::to_string(step.b);
    case Op::kAttach: return slot(step) + " " + step.text;
    case Op::kListen: return "127.0.0.1:" + std::to_string(step.a) + " for the engine's proxy";
    case Op::kRebind: return step.text + " " + names(kAttributes, step.a);
    case Op::kRlimit: return rlimit_name(step.a) + " " + std::to_string(step.b);
    case Op::kAffinity: return std::to_string(step.b) + " of mask " + std::to_string(step.a);
    case Op::kLandlockRuleset: return names(kRights, step.a) + (step.c != 0 ? " scoped" : "");
    case Op::kLandlockAllow: return step.text + " " + names(kRights, step.a);
    case Op::kSealRoot:
    case Op::kHostname:
    case Op::kProc:
    case Op::kPts:
    case Op::kMask: return step.text;
    case Op::kExec: return step.text;
    case Op::kLoopbackUp:
    case Op::kAwaitMaps:
    case Op::kDetach:
    case Op::kNoNestedUserns:
    case Op::kPivot:
    case Op::kTree:
    case Op::kKeepTree:
    case Op::kDropBounding:
    case Op::kDropCapabilities:
    case Op::kNoNewPrivileges:
    case Op::kLandlockRestrict:
    case Op::kCloseDescriptors:
    case Op::kSeccomp: return "";
  }
  return "";
}

std::string cgroup_text(const CgroupPlan& cgroup) {
  if (cgroup.kind == CgroupKind::kNone) return "cgroup none";
  return std::string("cgroup ") + (cgroup.kind == CgroupKind::kV2 ? "v2" : "v1") + " memory=" + std::to_string(cgroup.memory_bytes) +
         " processes=" + std::to_string(cgroup.processes) + " cpu-quota-us=" + std::to_string(cgroup.cpu_quota_us);
}

// Ends a line that is one, whatever an argument holds.
std::string line(const std::string& text) {
  std::string flat;
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) flat += {'^', static_cast<char>(c ^ 0x40)};
    else flat += c;
  }
  return flat + "\n";
}

}  // namespace

std::string_view to_string(Holder holder) {
  switch (holder) {
    case Holder::kNone: return "none";
    case Holder::kCgroup2: return "cgroup2";
    case Holder::kCgroup1: return "cgroup1";
    case Holder::kWatchdog: return "watchdog";
    case Holder::kRlimit: return "rlimit";
    case Holder::kAffinity: return "affinity";
  }
  return "none";
}

std::string to_text(const PlanStep& step) {
  std::string text = name_of(step.op);
  const std::string more = details(step);
  if (!more.empty()) text += " " + more;
  if ((step.flags & wire::kFlagInTree) != 0) text += " in-tree";
  if ((step.flags & wire::kFlagFromTree) != 0) text += " from-tree";
  if ((step.flags & wire::kFlagOptional) != 0) text += " if-present";
  return text;
}

std::string to_text(const LaunchPlan& plan) {
  std::string text = cgroup_text(plan.cgroup) + "\n";
  if (plan.watchdog) text += "watchdog memory=" + std::to_string(plan.memory_bytes) + "\n";
  text += "wall-time-ms " + std::to_string(plan.wall_time_ms) + "\n";
  std::size_t number = 0;
  for (const PlanStep& step : plan.steps) {
    if (number == plan.early_steps && number > 0) text += "what follows belongs to the single run; all before may be done ahead of it\n";
    char prefix[24];
    std::snprintf(prefix, sizeof prefix, "%3zu ", ++number);
    text += prefix + line(to_text(step));
  }
  for (const std::string& variable : plan.env) text += line("env " + variable);
  for (const std::string& argument : plan.argv) text += line("arg " + argument);
  if (plan.program) text += line("program " + plan.program->path);
  return text + line("cwd " + plan.cwd);
}

}  // namespace wardenv::sandbox
