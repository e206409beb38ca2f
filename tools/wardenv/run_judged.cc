// SPDX-License-Identifier: Apache-2.0
// wardenv run, judged by the policy where there is one.
#include <malloc.h>

#include <chrono>
#include <cstdio>
#include <future>
#include <optional>

#include "engine/command_resolve.h"
#include "tools/options/plain.h"
#include "tools/wardenv/judge.h"
#include "tools/wardenv/run.h"

namespace wardenv::cli {
namespace {

// What hooks have seen first.
void print_output(const engine::RunReport& report) {
  std::fwrite(report.out.text.data(), 1, report.out.text.size(), stdout);
  std::fwrite(report.err.text.data(), 1, report.err.text.size(), stderr);
}

// The request as the policy grants it, the command looked up where it will run, and the call named by what that found: what is judged now is
// what runs then. An error where it asks for more than is granted.
Status prepare(const engine::Admission& foreseen, RunOptions& options, engine::ToolCall& call) {
  const bool denied = foreseen.decision.effect == policy::Effect::kDeny;
  const Status granted = denied ? Status() : grant_to(foreseen, options);
  if (!denied) options.request.command = engine::look_up_command(options.request.argv.front(), options.request.venv, call.cwd);
  bind(options.request, call);
  return granted;
}

// A count that changes between the two looks can make a denial an allowance, for which nothing was granted ahead.
Status same_grant(const engine::Admission& foreseen, const engine::Admission& admission) {
  if (foreseen.decision.effect != policy::Effect::kDeny && foreseen.decision.profile == admission.decision.profile) return {};
  return fail(ErrorCode::kInternal, "the policy's answer changed while it was asked for", "try again");
}

// Where the document alone allows the call, its sandbox is made while hooks are asked, quotas reserved and the record put on disk: all of that
// has to be done before anything enters. The policy is not watched, so both look at one edition of it. Hooks and quotas are worth a thread; where
// there is only the record to write, we do it ourselves as soon as the launcher has the plan.
engine::RunReport judge_and_run(engine::Gate& gate, engine::ToolCall call, RunOptions& options, EngineOrError& engine) {
  const engine::Admission foreseen = gate.preview(call);
  const Status prepared = prepare(foreseen, options, call);
  std::optional<engine::Admission> admission;
  const auto how = engine::Gate::takes_time(foreseen) ? std::launch::async | std::launch::deferred : std::launch::deferred;
  auto admitting = std::async(how, [&] { return gate.admit(call); });
  const auto admitted = [&]() -> Status {
    if (!admission) admission = admitting.get();
    return admission->allowed() ? Status() : fail(ErrorCode::kInternal, "the policy does not allow it");
  };
  const auto may_enter = [&]() -> Status {
    WARDENV_TRY(admitted());
    return same_grant(foreseen, *admission);
  };
  const auto answered = [&] { return admission || admitting.wait_for(std::chrono::seconds(0)) == std::future_status::ready; };
  const bool reviewed = engine::Gate::is_reviewed(foreseen);
  engine::RunReport report;
  const Status ready = !prepared || foreseen.allowed() ? prepared : may_enter();
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

engine::RunReport run_as_configured(EngineOrError& engine, const engine::Config& config, RunOptions& options) {
  auto gate = open_gate(options, config);
  if (!gate) return failed(gate.error());
  if (*gate == nullptr) return run_unjudged(engine, options);
  (*gate)->on_notice(tell);
  auto call = call_of(options);
  if (!call) {
    (*gate)->refuse(call_as_asked(options, options.request.cwd.value_or(options.request.workspace)), "(malformed call)", call.error().message);
    return failed(call.error());
  }
  if (const Status ready = (*gate)->prepare(); !ready) return failed(ready.error());
  return judge_and_run(**gate, std::move(*call), options, engine);
}

// A report of a call that no policy could judge says so, and not that there was none.
engine::RunReport not_judged(engine::RunReport report) {
  report.decision = {"deny", "(not judged)", "the policy could not be asked about this call: `error` says why"};
  return report;
}

// The sandbox is begun before the policy is read: what it begins with depends on the host and on few options, and nothing enters it before the
// policy has said yes.
engine::RunReport run(RunOptions& options) {
  const auto config = engine::read_config(options.config);
  if (!config) return not_judged(failed(config.error()));
  use_state(*config);
  options.ids = config->ids;
  EngineOrError& engine = begin_engine(options, forked_launcher());
  engine::RunReport report = run_as_configured(engine, *config, options);
  end_engine(engine);
  return report.decision || options.policy.empty() ? report : not_judged(std::move(report));
}

// A parser that knows every way to write options takes a tenth of a millisecond to set up.
Result<tools::OptionValues> read_options(std::span<const OptionInfo> table, std::vector<std::string> arguments, const std::string& hint) {
  auto values = tools::parse_plain(table, arguments);
  return values ? std::move(*values) : tools::parse_table(table, std::move(arguments), hint);
}

}  // namespace

int run_command(const Arguments& arguments) {
  ::mallopt(M_ARENA_MAX, 1);   // another heap for a thread that works for a millisecond costs more than it saves
  return run_with(arguments, run, read_options);
}

}  // namespace wardenv::cli
