// SPDX-License-Identifier: Apache-2.0
// Hooks: what is asked, what is believed.
#include "engine/hooks/hooks.h"

#include <nlohmann/json.hpp>

namespace wardenv::engine {

std::string hook_event_json(const HookEvent& event) {
  nlohmann::json arguments = nlohmann::json::parse(event.arguments_json, nullptr, false);
  nlohmann::ordered_json document{{"event", event.event},   {"tool", event.tool},     {"arguments", std::move(arguments)},
                                  {"grant", event.grant},   {"run_id", event.run_id}, {"profile", event.profile}};
  if (!event.outcome.empty()) document["outcome"] = event.outcome;
  return document.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

HookAnswer ask(const Hook& hook, const std::string&) { return {HookDecision::kDeny, "hooks are not there yet", hook.name}; }

HookAnswer ask_all(std::span<const Hook> hooks, const std::string& event_json) {
  HookAnswer strictest{HookDecision::kAbstain, "", ""};
  for (const Hook& hook : hooks) {
    HookAnswer answer = ask(hook, event_json);
    if (answer.decision > strictest.decision || strictest.hook.empty()) strictest = std::move(answer);
    if (strictest.decision == HookDecision::kDeny) break;
  }
  return strictest;
}

}  // namespace wardenv::engine
