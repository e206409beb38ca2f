// SPDX-License-Identifier: Apache-2.0
// wardenv run, judged by the policy where there is one.
#include <malloc.h>

#include "tools/options/plain.h"
#include "tools/wardenv/judge.h"
#include "tools/wardenv/run.h"

namespace wardenv::cli {
namespace {

// Each run would be the first.
engine::RunReport forgets_quotas(engine::Gate& gate, const engine::ToolCall& call) {
  tell("quotas: `quota_store` is `memory`, which holds nothing over single runs \xe2\x80\x94 leave it out of the configuration, or name a Redis server");
  return engine::refusal(gate.refuse(call, "(unavailable)", "quotas can't be counted, so nothing can be allowed; the operator's log says why"));
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
  const Foreseen foreseen = foresee(**gate, *call, options);
  if (config.quota_store == "memory" && !foreseen.admission.decision.quotas.empty()) return forgets_quotas(**gate, *call);
  return judge_and_run(**gate, *call, foreseen, options, engine);
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
