// SPDX-License-Identifier: Apache-2.0
// What run_in_venv, run_python and start_run share.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "engine/project/workspaces.h"
#include "tools/mcp/tools/service.h"

namespace wardenv::mcp {

// What the caller wants to run, read from its arguments.
struct WantedRun {
  engine::Place folder;
  engine::RunRequest request;            // argv, standard input and limits
  std::vector<std::string> asked{};      // options of `request` that are the caller's own
  std::string stdin_text{};
  bool has_stdin = false;
  std::string label{};                   // the command, for people
  // What look_up() has found.
  Status found = fail(ErrorCode::kInternal, "nothing was looked up");
  std::string venv{};
  std::optional<std::string> venv_within{};
  std::shared_ptr<const engine::ResolvedCommand> command{};
  std::optional<engine::JudgedPlaces> judged{};
};

// `current_working_dir`, `command`, `args`, `stdin`, `timeout_seconds`.
WantedRun read_command(Call& call);

// Looks up, once and before the call is judged, in which virtual environment it will run and which file its command is. What is wrong is said
// by set_up(), to those who may call.
void look_up(Call& call, WantedRun& wanted);

// Fills in what is left after the call was admitted. Error: there is no virtual environment.
Status set_up(const WantedRun& wanted, engine::RunRequest& request);

}  // namespace wardenv::mcp
