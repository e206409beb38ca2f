// SPDX-License-Identifier: Apache-2.0
// What tools answer with.
#include "tools/mcp/tools/results.h"

#include <nlohmann/json.hpp>

#include "engine/report_json.h"

namespace wardenv::mcp {
namespace {

using json = nlohmann::ordered_json;

json error_object(const Error& error) { return {{"code", to_string(error.code)}, {"message", printable(error.message)}, {"hint", printable(error.hint)}}; }

std::string dump(const json& object) { return object.dump(-1, ' ', false, json::error_handler_t::replace); }

ToolResult failed_object(const json& object) {
  ToolResult result = structured_result(dump(object));
  result.ending = Ending::kFailed;
  return result;
}

// Whether the command was never begun, for a reason that a call can do something about.
bool never_ran(const engine::RunReport& report) {
  using engine::Outcome;
  return report.outcome == Outcome::kDenied || report.outcome == Outcome::kApprovalRequired || report.outcome == Outcome::kSetupFailed;
}

std::string in_words(std::chrono::milliseconds time) {
  const auto seconds = (time.count() + 999) / 1000;
  return seconds < 120 ? std::to_string(seconds) + " s" : std::to_string((seconds + 59) / 60) + " min";
}

std::string what_to_do(const engine::Admission& admission) {
  if (admission.cancelled) return "nothing was done: make the same call again where it is still wanted";
  if (!admission.approval_id.empty()) {
    return "a person has to agree first: `wardenv approvals approve " + admission.approval_id + "`; then make the same call again";
  }
  if (admission.retry_after) return "try again in " + in_words(*admission.retry_after);
  return "the policy does not allow this call; another one may be allowed";
}

json changes_array(const std::vector<engine::PackageChange>& changes) {
  json list = json::array();
  for (const auto& change : changes) {
    json item{{"name", change.name}};
    if (!change.from.empty()) item["from"] = change.from;
    if (!change.to.empty()) item["to"] = change.to;
    list.push_back(std::move(item));
  }
  return list;
}

json entries_array(const std::vector<engine::PyprojectEntry>& entries) {
  json list = json::array();
  for (const auto& entry : entries) {
    list.push_back({{"requirement", entry.requirement},
                    {"section", entry.section == engine::Section::kMain ? "dependencies" : "dev"},
                    {"change", engine::to_string(entry.change)}});
  }
  return list;
}

}  // namespace

std::string printable(std::string_view bytes) {
  bool changed = false;
  return engine::to_utf8(bytes, changed);
}

json report_object(const engine::RunReport& report) { return json::parse(engine::report_to_json(report), nullptr, false); }

ToolResult object_result(const json& object) { return structured_result(dump(object)); }

ToolResult report_result(const engine::RunReport& report) {
  ToolResult result = structured_result(engine::report_to_json(report));
  const bool withheld = report.decision && report.decision->effect == to_string(policy::Effect::kDeny);
  if (never_ran(report) || withheld) result.ending = Ending::kFailed;
  return result;
}

ToolResult refused(const engine::Admission& admission) {
  engine::RunReport report = engine::refusal(admission);
  report.error = Error{ErrorCode::kBadInput, admission.decision.reason, what_to_do(admission)};
  json object = report_object(report);
  object["error"]["code"] = engine::to_string(report.outcome);
  if (admission.retry_after) object["retry_after_ms"] = admission.retry_after->count();
  return failed_object(object);
}

ToolResult error_result(const Error& error) { return failed_object({{"error", error_object(error)}}); }

ToolResult bad_arguments(const std::string& problem) {
  return failed_object({{"error", {{"code", "bad_arguments"}, {"message", printable(problem)}, {"hint", "mend the arguments and call again"}}}});
}

ToolResult withheld_result(const engine::Withholding& withheld) {
  return failed_object({{"error", {{"code", "withheld"}, {"message", printable("a hook of the policy withholds the result: " + withheld.reason)},
                                   {"hint", "the call was carried out; what came of it is not shown"}}}});
}

ToolResult outcomes_result(const engine::Outcomes& outcomes) {
  json object;
  object["ok"] = !outcomes.error;
  object["project"] = printable(outcomes.folder);
  object["venv"] = printable(outcomes.venv);
  object["created"] = outcomes.made_venv;
  object["pyproject"] = entries_array(outcomes.pyproject);
  object["packages"] = changes_array(outcomes.packages);
  object["notes"] = outcomes.notes;
  object["error"] = outcomes.error ? error_object(*outcomes.error) : json(nullptr);
  object["report"] = outcomes.report ? report_object(*outcomes.report) : json(nullptr);
  return outcomes.error ? failed_object(object) : object_result(object);
}

}  // namespace wardenv::mcp
