// SPDX-License-Identifier: Apache-2.0
// wardenv plan
#include <cstdio>

#include "tools/options/text.h"
#include "tools/wardenv/judge.h"
#include "tools/wardenv/options.h"

namespace wardenv::cli {
namespace {

// What a policy would grant goes into the plan; where it would refuse, that is the answer. Nothing is counted. Answers an exit status, 0: go on.
int judge(RunOptions& options) {
  const auto config = engine::read_config(options.config);
  if (!config) return complain(config.error());
  use_state(*config);
  options.ids = config->ids;
  auto gate = open_gate(options, *config);
  if (!gate) return complain(gate.error());
  if (*gate == nullptr) return 0;
  auto call = call_of(options);
  if (!call) return complain(call.error());
  const engine::Admission admission = (*gate)->preview(*call);
  if (admission.decision.effect != policy::Effect::kAllow) tell(refusal_line(admission));
  if (admission.decision.effect == policy::Effect::kDeny) return engine::refusal(admission).exit_status;
  const Status granted = grant_to(admission, options);
  return granted ? 0 : complain(granted.error());
}

}  // namespace

int plan_command(const Arguments& arguments) {
  RunOptions options;
  if (const Status parsed = parse_run(arguments, options, tools::parse_table); !parsed) return complain(parsed.error());
  if (options.help) return say(run_help("plan"));
  if (const int status = judge(options); status != 0) return status;
  auto text = options.json ? engine::Engine::plan_json(options.request, options.ids) : engine::Engine::plan_text(options.request, options.ids);
  if (!text) return complain(text.error());
  return say(options.json ? *text : tools::visible(*text));   // names of files and arguments are anybody's
}

}  // namespace wardenv::cli
