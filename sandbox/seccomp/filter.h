// SPDX-License-Identifier: Apache-2.0
// The seccomp filter: an allowlist, compiled, as plain data.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "sandbox/base/error.h"

namespace wardenv::sandbox::seccomp {

// Who holds the limits. Without control groups, calls that would dodge the watchdog or the CPU affinity are not allowed.
enum class LimitsBy { kCgroup, kProcess };

// One instruction of classic BPF, laid out as struct sock_filter (linux/filter.h).
struct Instruction {
  std::uint16_t code;
  std::uint8_t jt;
  std::uint8_t jf;
  std::uint32_t k;
  bool operator==(const Instruction&) const = default;
};

// A filter for either holder of the limits: which one a run needs is known when its host is.
struct FilterPair {
  std::vector<Instruction> cgroup{};
  std::vector<Instruction> process{};
};

// Compiles the allowlist (binary tree). What is not allowed goes to the supervisor (SECCOMP_RET_USER_NOTIF); clone3 and openat2 are
// answered ENOSYS, because a filter can't see their flags; foreign architectures and x32 kill. Errors: kInternal, with libseccomp's word.
// `additions`: calls that are allowed besides, with any arguments. Error kBadInput: one that is unknown, or that would take another wall or a
// limit away (mounts, namespaces, keys, modules, memory that no watchdog sees): see addable_syscalls().
Result<std::vector<Instruction>> compile_filter(LimitsBy limits, std::span<const std::string> additions = {});

// Names that a policy's profile may add.
std::span<const char* const> addable_syscalls();

// The allowlist as text, one line a call with its conditions: the golden files.
std::string allowlist_text(LimitsBy limits);

}  // namespace wardenv::sandbox::seccomp
