// SPDX-License-Identifier: Apache-2.0
// RunRequest -> SandboxSpec: the one place where venv, workspace, system files and environment come together.
#pragma once

#include <string>
#include <vector>

#include "engine/engine.h"
#include "engine/system_view.h"

namespace wardenv::engine {

// `run_id` goes into the environment. Looks at the file system; starts nothing.
Result<sandbox::SandboxSpec> build_spec(const RunRequest& request, const std::string& run_id, const SystemView& system);

// What of it can be said without looking at venv and workspace: enough for the steps that are applied ahead.
sandbox::SandboxSpec build_early_spec(const RunRequest& request, const SystemView& system);

// Where wardenv keeps its own state (interfaces.md, "State and configuration").
std::string state_folder();

// Usual places of it that are there, though this process uses another one: what a run leaves there would be believed later.
std::vector<std::string> unused_state_folders();

}  // namespace wardenv::engine
