// SPDX-License-Identifier: Apache-2.0
// Refused system calls as the report names them.
#pragma once

#include <vector>

#include "engine/egress/reporter.h"
#include "engine/engine.h"

namespace wardenv::engine {

// One entry for each different call, in the order of the first refusal; what differs only in its arguments is added up.
std::vector<Violation> describe_violations(const std::vector<sandbox::DeniedSyscall>& denied);

// Adds what the proxy of named egress refused or could not reach.
void add_refusals(const std::vector<EgressRefusal>& refusals, std::vector<Violation>& violations);

}  // namespace wardenv::engine
