// SPDX-License-Identifier: Apache-2.0
// Limits that the processes of a run carry themselves: setrlimit(2) and, without control groups, sched_setaffinity(2).
#pragma once

#include <vector>

#include "sandbox/holders.h"
#include "sandbox/plan.h"

namespace wardenv::sandbox {

std::vector<PlanStep> resource_limits(const SandboxSpec& spec, const HostFacts& facts, const Holders& holders);

}  // namespace wardenv::sandbox
