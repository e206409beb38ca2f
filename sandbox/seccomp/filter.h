// SPDX-License-Identifier: Apache-2.0
// The seccomp filter: an allowlist compiled by libseccomp, as plain data.
#pragma once

#include <cstdint>
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

// Compiles the allowlist (binary tree). What is not allowed goes to the supervisor (SECCOMP_RET_USER_NOTIF); clone3 is answered
// ENOSYS, because a filter can't see its flags; foreign architectures and x32 kill. Errors: kInternal, with libseccomp's word.
Result<std::vector<Instruction>> compile_filter(LimitsBy limits);

// The allowlist as text, one line a call with its conditions: the golden files.
std::string allowlist_text(LimitsBy limits);

}  // namespace wardenv::sandbox::seccomp
