// SPDX-License-Identifier: Apache-2.0
// The tools behind the MCP server: the six of the Venv server, and ours. Each call is admitted by the gate before anything of it happens.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/engine.h"
#include "engine/gate/gate.h"
#include "engine/project/installer.h"
#include "engine/project/jobs.h"
#include "sandbox/base/error.h"
#include "tools/mcp/handler.h"

namespace wardenv::mcp {

// Tools can be switched off by sets: venv (the six), run (run_python), packages (list_packages, describe_environment), files, jobs.
std::vector<std::string_view> tool_sets();

struct ToolsOptions {
  std::vector<std::string> workspaces{};   // the folders that are served; each must be able to be a workspace
  std::vector<std::string> sets{};         // empty: all of them
  std::string version{};                   // of the program, for the client
  engine::InstallerSettings installer{};
  std::string config_file{};               // absolute; the operator's configuration, which no tool and no run may write; empty: there is none
  engine::JobLimits jobs{};
};

// The tools. `engine` and `gate` must outlive them. The destructor ends what runs in the background. Errors: a folder that can't be a
// workspace, a set that does not exist (names the ones that do), an index that is no address.
Result<std::unique_ptr<Features>> open_tools(const ToolsOptions& options, engine::Engine& engine, engine::Gate& gate);

}  // namespace wardenv::mcp
