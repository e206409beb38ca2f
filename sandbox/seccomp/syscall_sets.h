// SPDX-License-Identifier: Apache-2.0
// The allowlist as tables: system calls by purpose, with conditions on their arguments.
// The rules of one call put their conditions on the same arguments, or on one each: libseccomp 2.5 compares the wrong register after a
// longer rule failed in the midst of shorter ones (a property test in tests/ would tell).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "sandbox/seccomp/filter.h"

namespace wardenv::sandbox::seccomp {

// Argument `index` masked with `mask` equals `value`. Only equality: garbage in bits that a mask keeps makes it fail.
struct Condition {
  unsigned index;
  std::uint64_t mask;
  std::uint64_t value;
};

// One way in which a call is allowed: all conditions hold. No conditions: always. Several rules with one name: any of them.
struct Rule {
  const char* name;
  std::vector<Condition> conditions;
};

struct SyscallSet {
  const char* purpose;
  std::vector<Rule> rules;
};

// Calls that libseccomp of Debian 12 does not know by name.
struct NewSyscall {
  const char* name;
  int number;
};
std::span<const NewSyscall> new_syscalls();

// Calls that are answered with ENOSYS, so that programs fall back to their elder sisters.
std::span<const char* const> hidden_syscalls();

// On this architecture; negative where the name is unknown.
int number_of(const char* name);

std::vector<SyscallSet> allowed_sets(LimitsBy limits);

}  // namespace wardenv::sandbox::seccomp
