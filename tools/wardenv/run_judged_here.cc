// SPDX-License-Identifier: Apache-2.0
// A judged run in the program that was started, where the judge needs no large library.
#include <algorithm>
#include <iterator>

#include "engine/gate/text_file.h"
#include "policy/core/load.h"
#include "tools/wardenv/judge.h"
#include "tools/wardenv/run_here.h"

namespace wardenv::cli {
namespace {

// A guess that saves loading the policy twice: words that stand in those which only wardenv-cli can judge by. Where it is wrong, that is found later, or
// wardenv-cli does what could have been done here.
bool looks_large(const std::string& policy_file) {
  constexpr std::string_view kWords[] = {"regex", "hooks", "webhook", "state."};
  const auto text = engine::read_trusted_file(policy_file, policy::kMaxDocumentBytes);
  return !text || std::any_of(std::begin(kWords), std::end(kWords), [&](std::string_view word) { return text->find(word) != std::string::npos; });
}

#if defined(WARDENV_COUNTS_HERE)
constexpr bool kHasQuotas = true;   // musl/CMakeLists.txt
#else
constexpr bool kHasQuotas = false;
#endif

// Whether there is nothing to refuse, and neither hooks nor named egress to come.
bool is_ours(const Foreseen& foreseen, const engine::RunRequest& request) {
  const engine::Admission& admission = foreseen.admission;
  if (!admission.allowed() || !foreseen.granted) return false;
  if (engine::Gate::has_hooks(admission) || (!kHasQuotas && !admission.decision.quotas.empty())) return false;
  return request.network != sandbox::Network::kEgress && request.egress.presets.empty();
}

}  // namespace

// The policy is asked first, unlike in wardenv-cli: the launcher is at its first namespaces still, and once it was told of the run nobody else can
// take that over.
engine::RunReport run_judged_here(RunOptions& options, const engine::ForkedLauncher& launcher) {
  if (options.policy.empty() || looks_large(options.policy)) leave_to_cli();
  const auto gate = open_gate(options, {});
  if (!gate || *gate == nullptr) leave_to_cli();
  (*gate)->on_notice(tell);
  auto call = call_of(options);
  if (!call || !(*gate)->prepare()) leave_to_cli();
  const Foreseen foreseen = foresee(**gate, *call, options);
  if (!is_ours(foreseen, options.request)) leave_to_cli();
  EngineOrError& engine = begin_here(options, launcher);
  engine::RunReport report = judge_and_run(**gate, *call, foreseen, options, engine);
  end_engine(engine);
  return report.decision ? report : not_judged(std::move(report));
}

}  // namespace wardenv::cli
