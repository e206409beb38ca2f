// SPDX-License-Identifier: Apache-2.0
// What of the host's system a run sees, looked at once for it, with what is kept of that.
#pragma once

#include "engine/engine.h"
#include "engine/run_loop.h"
#include "engine/system_view.h"
#include "sandbox/base/unique_fd.h"
#include "sandbox/plan.h"

namespace wardenv::engine {

struct Sight {
  SystemView system;
  UniqueFd lock;        // of the kept view
  std::string state{};  // the state folder that it was looked for in
};

// A resident launcher keeps such things by itself, or begins its sandboxes while nobody waits: there is no view for it.
Sight look_at_system(Ahead ahead);

// Whether it was the kept view that let no sandbox be made. One that would fail the next run, too, is set aside.
bool failed_by_view(const SystemView& system, const sandbox::LaunchPlan& plan, const RunEnd& end);

}  // namespace wardenv::engine
