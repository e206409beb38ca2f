// SPDX-License-Identifier: Apache-2.0
// FaultPlan: lets a test fail or stop the making of a sandbox at any step.
#pragma once

#include <cstdint>

#include "sandbox/plan_wire.h"

namespace wardenv::sandbox {

// For tests: makes the launcher fail or stand still before a step (1-based). Can only prevent a run.
struct FaultPlan {
  std::uint32_t step = 0;
  wire::Fault kind = wire::Fault::kNone;
  int sys_errno = 0;
  bool operator==(const FaultPlan&) const = default;
};

}  // namespace wardenv::sandbox
