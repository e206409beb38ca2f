// SPDX-License-Identifier: Apache-2.0
// A judged run, in both programs.
#include <cstdio>
#include <optional>

#include "engine/command_resolve.h"
#include "engine/gate/aside.h"
#include "tools/wardenv/judge.h"

namespace wardenv::cli {
namespace {

// What hooks have seen first.
void print_output(const engine::RunReport& report) {
  std::fwrite(report.out.text.data(), 1, report.out.text.size(), stdout);
  std::fwrite(report.err.text.data(), 1, report.err.text.size(), stderr);
}

// A person agrees to what is shown, and to what can be done.
std::string why_unaskable(const Status& granted, const engine::RunRequest& request) {
  if (!granted) return granted.error().message;
  if (request.stdin_mode != engine::StdinMode::kInherit) return "";
  return "it reads our standard input, which nobody was shown (give --stdin null, and put what the command reads into a file of the workspace or into its arguments)";
}

// A count that changes between the two looks can make a denial an allowance, for which nothing was granted ahead.
Status same_grant(const engine::Admission& foreseen, const engine::Admission& admission) {
  if (foreseen.decision.effect != policy::Effect::kDeny && foreseen.decision.profile == admission.decision.profile) return {};
  return fail(ErrorCode::kInternal, "the policy's answer changed while it was asked for", "try again");
}

}  // namespace

engine::RunReport not_judged(engine::RunReport report) {
  report.decision = {"deny", "(not judged)", "the policy could not be asked about this call: `error` says why"};
  return report;
}

Foreseen foresee(const engine::Gate& gate, engine::ToolCall& call, RunOptions& options) {
  Foreseen foreseen{.admission = gate.preview(call)};
  const bool denied = foreseen.admission.decision.effect == policy::Effect::kDeny;
  if (!denied) foreseen.granted = grant_to(foreseen.admission, options);
  call.unaskable = why_unaskable(foreseen.granted, options.request);
  if (!denied) options.request.command = engine::look_up_command(options.request.argv.front(), options.request.venv, call.cwd);
  bind(options.request, call);
  return foreseen;
}

engine::RunReport judge_and_run(engine::Gate& gate, const engine::ToolCall& call, const Foreseen& foreseen, RunOptions& options, EngineOrError& engine) {
  std::optional<engine::Admission> admission;
  engine::Aside admitting(engine::Gate::takes_time(foreseen.admission) ? engine::Worth::kThread : engine::Worth::kNothing, [&] { admission = gate.admit(call, cancel_descriptor()); });
  const auto admitted = [&]() -> Status {
    admitting.finish();
    return admission->allowed() ? Status() : fail(ErrorCode::kInternal, "the policy does not allow it");
  };
  const auto may_enter = [&]() -> Status {
    WARDENV_TRY(admitted());
    return same_grant(foreseen.admission, *admission);
  };
  const auto answered = [&] { return admitting.is_done(); };
  const bool reviewed = engine::Gate::is_reviewed(foreseen.admission);
  engine::RunReport report;
  const Status ready = !foreseen.granted || foreseen.admission.allowed() ? foreseen.granted : may_enter();
  if (!ready) report = failed(ready.error());
  else report = run_once(engine, options, options.json || reviewed ? Output::kKept : Output::kRelayed, {may_enter, answered});
  if (engine) engine->dismiss();   // the launcher takes the sandbox apart while the record is written
  if (!admitted()) {
    if (!options.json) tell(refusal_line(*admission));
    return engine::refusal(*admission);
  }
  report.run_id = admission->run_id;
  gate.finish(*admission, report);
  if (!options.json && reviewed) print_output(report);
  return report;
}

}  // namespace wardenv::cli
