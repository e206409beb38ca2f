// SPDX-License-Identifier: Apache-2.0
// The same allowlist as compile_filter() without additions, in fewer instructions.
#pragma once

#include <vector>

#include "sandbox/seccomp/filter.h"

namespace wardenv::sandbox::seccomp {

// Decides every call as compile_filter(limits) does. x86-64 alone.
Result<std::vector<Instruction>> compact_filter(LimitsBy limits);

}  // namespace wardenv::sandbox::seccomp
