// SPDX-License-Identifier: Apache-2.0
// A plan as JSON.
#include <nlohmann/json.hpp>

#include "sandbox/plan.h"

namespace wardenv::sandbox {

std::string to_json(const LaunchPlan& plan) {
  using json = nlohmann::ordered_json;
  json steps = json::array();
  std::size_t number = 0;
  for (const PlanStep& step : plan.steps) {
    const std::string text = to_text(step);
    const auto space = text.find(' ');
    const bool early = number < plan.early_steps;
    const bool launcher = step.op == wire::Op::kClone || step.op == wire::Op::kMapIdsByParent || (step.flags & wire::kFlagByLauncher) != 0;
    json item{{"n", ++number}, {"where", launcher ? "launcher" : "sandbox"}, {"may_be_ahead", early}, {"do", text.substr(0, space)}};
    if (space != std::string::npos) item["with"] = text.substr(space + 1);
    steps.push_back(std::move(item));
  }
  const Enforced& enforced = plan.enforced;
  json document{{"argv", plan.argv},
                {"env", plan.env},
                {"cwd", plan.cwd},
                {"wall_time_ms", plan.wall_time_ms},
                {"steps", std::move(steps)},
                {"enforced",
                 {{"namespaces", enforced.namespaces},
                  {"seccomp", enforced.seccomp},
                  {"landlock_abi", enforced.landlock_abi},
                  {"memory", to_string(enforced.memory)},
                  {"processes", to_string(enforced.processes)},
                  {"cpu", to_string(enforced.cpu)},
                  {"degraded", enforced.degraded}}}};
  return document.dump(2, ' ', false, json::error_handler_t::replace);
}

}  // namespace wardenv::sandbox
