// SPDX-License-Identifier: Apache-2.0
// The steps that cover parts of /proc. Pure.
#pragma once

#include <vector>

#include "sandbox/plan.h"

namespace wardenv::sandbox {

std::vector<PlanStep> proc_masks();

}  // namespace wardenv::sandbox
