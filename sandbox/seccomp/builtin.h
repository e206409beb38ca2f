// SPDX-License-Identifier: Apache-2.0
// The filters that were compiled when the project was built, so that no start pays for libseccomp.
#pragma once

#include <span>
#include <string_view>

#include "sandbox/seccomp/filter.h"

namespace wardenv::sandbox::seccomp {

std::span<const Instruction> builtin_filter(LimitsBy limits);

// Name of a system call of this architecture, "" where it is unknown.
std::string_view syscall_name(int number);

// The highest number that the filter was written with knowledge of: the supervisor answers ENOSYS to what is above.
int last_known_syscall();

}  // namespace wardenv::sandbox::seccomp
