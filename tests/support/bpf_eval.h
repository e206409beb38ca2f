// SPDX-License-Identifier: Apache-2.0
// Runs a seccomp filter in user space.
#pragma once

#include <linux/seccomp.h>

#include <cstdint>
#include <span>

#include "sandbox/seccomp/filter.h"

namespace wardenv::testing {

struct Verdict {
  std::uint32_t action = 0;      // SECCOMP_RET_*, with its data
  std::size_t instructions = 0;  // how many were executed
};

// What the kernel would answer (Documentation/userspace-api/seccomp_filter.rst; linux/filter.h). A malformed program: action 0 (kill).
Verdict evaluate(std::span<const sandbox::seccomp::Instruction> program, const seccomp_data& data);

}  // namespace wardenv::testing
