// SPDX-License-Identifier: Apache-2.0
// `wardenv run` and `plan` as a call that a policy judges.
#pragma once

#include <memory>

#include "engine/gate/config.h"
#include "engine/gate/gate.h"
#include "tools/wardenv/options.h"

namespace wardenv::cli {

// Whoever asks for the state folder from now on finds the configured one. REQUIRES: before anything looks for it, and before any thread exists.
void use_state(const engine::Config& config);

// Where there is a policy, opens the gate; none without a policy. What the configuration says of grant and policy goes into `options` where no
// option said it.
Result<std::shared_ptr<engine::Gate>> open_gate(RunOptions& options, const engine::Config& config);

// The command as a call of run_in_venv in `cwd`, as it was asked for: nothing of it is looked up.
engine::ToolCall call_as_asked(const RunOptions& options, const std::string& cwd);

// The command as a call of run_in_venv with {current_working_dir, command, args} (interfaces.md). Error kNotFound: its folders are not there.
Result<engine::ToolCall> call_of(const RunOptions& options);

// Names in `call` what `request` will run with (its virtual environment, and the file that its command was looked up to) and holds the request to it.
void bind(engine::RunRequest& request, engine::ToolCall& call);

// Puts what the admission grants into the request. Error kBadInput names the option that asks for more.
Status grant_to(const engine::Admission& admission, RunOptions& options);

// One line for a person: "denied by the policy: <reason> (<rule>)".
std::string refusal_line(const engine::Admission& admission);

}  // namespace wardenv::cli
