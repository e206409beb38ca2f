// SPDX-License-Identifier: Apache-2.0
// Slot: what a sandbox leaves in our hands, before its run and after.
#pragma once

#include "sandbox/base/unique_fd.h"
#include "sandbox/cgroup.h"

namespace wardenv::engine {

// A sandbox whose first steps are applied, or a run that is over: its control socket and its control group.
struct Slot {
  UniqueFd control;
  sandbox::CgroupLeaf leaf;
  bool leaves_group = false;   // of a run that is over: see run_loop.h
  bool ready = false;          // all steps but the command's own are applied
};

// Waits until the launcher has let go of the run (every process is gone), at most a second. True where it has.
bool await_end(Slot& slot);

// Awaits the end, then removes the group.
void put_away(Slot& slot);

}  // namespace wardenv::engine
