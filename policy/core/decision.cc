// SPDX-License-Identifier: Apache-2.0
// Decision: names, the JSON form, and the noes of other judges.
#include "policy/core/decision.h"

#include <array>
#include <nlohmann/json.hpp>

namespace wardenv::policy {
namespace {

std::string span_text(std::chrono::milliseconds span) {
  const auto seconds = (span.count() + 999) / 1000;
  if (seconds < 120) return std::to_string(seconds) + " s";
  if (seconds < 7200) return std::to_string((seconds + 59) / 60) + " min";
  return std::to_string((seconds + 3599) / 3600) + " h";
}

}  // namespace

std::string window_text(std::chrono::milliseconds window) {
  struct Unit {
    std::chrono::milliseconds::rep length;
    const char* name;
  };
  constexpr std::array<Unit, 4> kUnits = {{{86'400'000, " day"}, {3'600'000, " hour"}, {60'000, " minute"}, {1000, " second"}}};
  for (const Unit& unit : kUnits) {
    const auto count = window.count() / unit.length;
    if (count > 0 && window.count() % unit.length == 0) return std::to_string(count) + unit.name + (count == 1 ? "" : "s");
  }
  return std::to_string(window.count()) + " ms";
}

std::string never_fits(const QuotaUse& use) {
  const std::string why = "the call takes more than quota `" + use.counter + "` ever holds: " + std::to_string(use.max) + " in " + window_text(use.window);
  return use.reason.empty() ? why : use.reason + ": " + why;
}

std::string_view to_string(Effect effect) {
  switch (effect) {
    case Effect::kAllow: return "allow";
    case Effect::kDeny: return "deny";
    case Effect::kRequireApproval: return "require_approval";
  }
  return "deny";
}

std::string decision_to_json(const Decision& decision) {
  nlohmann::ordered_json trace = nlohmann::ordered_json::array();
  for (const TraceEntry& entry : decision.trace) trace.push_back({{"rule", entry.rule}, {"result", entry.result}});
  const nlohmann::ordered_json all = {{"effect", to_string(decision.effect)}, {"rule", decision.rule}, {"reason", decision.reason}, {"trace", trace}};
  return all.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

Decision refuse(const Decision& decision, std::string rule, std::string reason) {
  Decision refused;
  refused.trace = decision.trace;
  refused.rule = std::move(rule);
  refused.reason = std::move(reason);
  return refused;
}

Decision refuse_by_quota(const Decision& decision, std::size_t refused, std::optional<std::chrono::milliseconds> free_in) {
  if (refused >= decision.quotas.size()) return refuse(decision, "(quota)", "a quota refused the call");
  const QuotaUse& use = decision.quotas[refused];
  if (use.amount > use.max) return refuse(decision, use.rule, never_fits(use));
  std::string reason = use.reason.empty() ? "quota `" + use.counter + "` is used up: " + std::to_string(use.max) + " in " + window_text(use.window) : use.reason;
  if (free_in) reason += "; free again in " + span_text(*free_in);
  return refuse(decision, use.rule, std::move(reason));
}

}  // namespace wardenv::policy
