// SPDX-License-Identifier: Apache-2.0
// The launcher's loop, for the programs that enter it.
#pragma once

#include "sandbox/plan_wire.h"

namespace wardenv::launch {

// Serves the engine on descriptor 0 until end-of-file; the answer is the exit status. `spare`, where given, is a plan of kind
// kPrepare that is applied at once, for the first run that begins with the same steps.
int serve(const wire::PlanHeader* spare);

}  // namespace wardenv::launch
