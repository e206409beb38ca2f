// SPDX-License-Identifier: Apache-2.0
// Refused system calls as the report names them.
#pragma once

#include <vector>

#include "engine/engine.h"

namespace wardenv::engine {

// One entry for each different call, in the order of the first refusal; what differs only in its arguments is added up.
std::vector<Violation> describe_violations(const std::vector<sandbox::DeniedSyscall>& denied);

}  // namespace wardenv::engine
