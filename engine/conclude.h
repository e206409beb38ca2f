// SPDX-License-Identifier: Apache-2.0
// From the end of a run to its report.
#pragma once

#include <chrono>

#include "engine/engine.h"
#include "engine/run_loop.h"
#include "sandbox/cgroup.h"
#include "sandbox/plan.h"

namespace wardenv::engine {

// `report` as kSetupFailed.
RunReport failed(RunReport report, Error error);

// Outcome, exit status and error of a run that was launched.
RunReport conclude(RunReport report, const sandbox::LaunchPlan& plan, const RunEnd& end);

sandbox::Usage usage_of(const wire::Event& event, const sandbox::CgroupUsage& cgroup, std::chrono::steady_clock::duration wall);

// REQUIRES: the event is kExecFailed.
void explain_exec_failure(RunReport& report, const RunRequest& request, const wire::Event& event);

}  // namespace wardenv::engine
