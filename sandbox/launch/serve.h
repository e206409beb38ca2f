// SPDX-License-Identifier: Apache-2.0
// The launcher's loop, for the programs that enter it.
#pragma once

#include "sandbox/plan_wire.h"

namespace wardenv::launch {

// Serves the engine on descriptor 0 until end-of-file; the answer is the exit status. `spare`, where given, is a plan of kind
// kPrepare that is applied at once, for the first run that begins with the same steps.
int serve(const wire::PlanHeader* spare);

// For a launcher that is forked, see cpus.cc: what the parent does before, and what it does to the child after.
void remember_cpus();
bool keep_apart(int launcher);   // it keeps off the CPU that we are on; false where it may go where it likes

}  // namespace wardenv::launch
