// SPDX-License-Identifier: Apache-2.0
// `wardenv run` and `plan` as a call that a policy judges.
#pragma once

#include <memory>

#include "engine/gate/config.h"
#include "engine/gate/gate.h"
#include "tools/wardenv/options.h"
#include "tools/wardenv/run.h"

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

// What the document alone says of a call, before anything is asked, counted or written.
struct Foreseen {
  engine::Admission admission;   // Gate::preview()
  Status granted{};              // an error where the options ask for more than is granted
};

// Puts what is granted into the request, looks the command up where it will run, and names in the call what that found: what is judged then is what
// runs then.
Foreseen foresee(const engine::Gate& gate, engine::ToolCall& call, RunOptions& options);

// Where the document alone allows the call, its sandbox is made while hooks are asked, quotas reserved and the record put on disk: all of that
// has to be done before anything enters. The policy is not watched, so both looks see one edition of it. Hooks and quotas are worth a thread; where
// there is only the record to write, we do it ourselves as soon as the launcher has the plan. REQUIRES: of foresee().
engine::RunReport judge_and_run(engine::Gate& gate, const engine::ToolCall& call, const Foreseen& foreseen, RunOptions& options, EngineOrError& engine);

// A report of a call that no policy could judge says so, and not that there was none.
engine::RunReport not_judged(engine::RunReport report);

// One line for a person: "denied by the policy: <reason> (<rule>)". Of a call that was cancelled, only why.
std::string refusal_line(const engine::Admission& admission);

}  // namespace wardenv::cli
