// SPDX-License-Identifier: Apache-2.0
// What the tools share.
#include "tools/mcp/tools/service.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/command_resolve.h"
#include "engine/paths.h"
#include "tools/mcp/tools/results.h"
#include "tools/options/text.h"

namespace wardenv::mcp {
namespace {

constexpr int kUnknownTool = -32602;   // JSON-RPC "invalid params", as the specification has it

}  // namespace

bool Service::decides(const engine::Place& place) const {
  return gate.decides(place.path(), place.workspace) || (!config_file.empty() && engine::lead_to_same(place.path(), config_file));
}

std::string owner_of(const Caller& caller) { return caller.grant + '\0' + caller.session; }

bool is_session(std::string_view owner, std::string_view session) { return owner.substr(owner.find('\0') + 1) == session; }

Shown Admitted::shown() const {
  return std::any_of(admissions.begin(), admissions.end(), engine::Gate::is_reviewed) ? Shown::kNothing : Shown::kOutput;
}

engine::Gate::Withheld Admitted::finish(engine::Gate& gate, engine::RunReport& report) const {
  engine::Gate::Withheld withheld;
  for (const engine::Admission& admission : admissions) {
    auto now = gate.finish(admission, report);
    if (now) withheld = std::move(now);
  }
  return withheld;
}

engine::Gate::Withheld Admitted::finish(engine::Gate& gate, std::string_view outcome, engine::Entered entered) const {
  engine::Gate::Withheld withheld;
  for (const engine::Admission& admission : admissions) {
    auto now = gate.finish(admission, outcome, entered);
    if (now) withheld = std::move(now);
  }
  return withheld;
}

engine::Place Call::folder(bool required) {
  constexpr std::string_view kName = "current_working_dir";
  auto path = required ? std::optional(arguments_.text(kName)) : arguments_.optional_text(kName);
  if (path && path->empty()) {
    arguments_.wrong("`current_working_dir` is empty");
    return {};
  }
  auto place = service_.workspaces.folder(path.value_or(service_.workspaces.real_dirs()[0]));
  if (place) return std::move(*place);
  arguments_.wrong("`current_working_dir`: " + place.error().message + (place.error().hint.empty() ? "" : "; " + place.error().hint));
  return {};
}

// The person at the client is told what waits for whom. To accept approves nothing: that takes `wardenv approvals` on the host, since the
// client is what is judged. It only means "look again now". Any other answer leaves the call refused, and the approval open.
AskState Call::ask_for_approval(const engine::Admission& admission) {
  const std::string& id = admission.approval_id;
  const nlohmann::json params{
      {"message", tools::one_line("This call of `" + std::string(tool_) + "` waits for a person's approval (" + admission.decision.reason +
                                  "). Approve it on the host with `wardenv approvals approve " + id + "`, then accept here; decline to leave it waiting.")},
      {"requestedSchema", {{"type", "object"}, {"properties", nlohmann::json::object()}}}};
  const InputRequest question{"approval", "elicitation/create", params.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)};
  const Answers answers = context_.ask(std::span(&question, 1), id);
  if (answers.state != AskState::kAnswered) return answers.state;
  const auto answer = nlohmann::json::parse(answers.by_key.at("approval"), nullptr, false);
  return answer.is_object() && answer.value("action", "") == "accept" ? AskState::kAnswered : AskState::kFailed;
}

engine::ToolCall Call::as_call_of(std::string_view tool, const engine::Place& folder) const {
  return {.tool = std::string(tool),
          .arguments_json = json_.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace),
          .grant = context_.caller().grant,
          .session = context_.caller().session,
          .cwd = folder.path(),
          .workspace = folder.workspace,
          .venv = venv_,
          .program = program_,
          .profile_of = also_.empty() ? std::vector<std::string>() : std::vector<std::string>{std::string(tool_), std::string(also_)}};
}

void Call::will_use(const std::string& venv, const engine::ResolvedCommand* command) {
  const auto real = engine::resolve_path(venv);
  venv_ = real ? real->real : engine::absolute(venv);
  if (command != nullptr) program_ = command->program;
}

bool Call::judge(std::string_view tool, const engine::Place& folder, Admitted& admitted) {
  const engine::ToolCall call = as_call_of(tool, folder);
  engine::Admission admission = service_.gate.admit(call, context_.cancel_fd());
  if (!admission.allowed() && !admission.approval_id.empty()) {
    const AskState asked = ask_for_approval(admission);
    if (asked == AskState::kPending) refusal_ = input_required();
    if (asked == AskState::kPending) return false;
    if (asked == AskState::kAnswered) admission = service_.gate.admit(call, context_.cancel_fd());
  }
  if (admission.allowed()) {
    admitted.admissions.push_back(std::move(admission));
    return true;
  }
  // A hidden tool is answered as one that does not exist.
  const bool hidden = admission.decision.rule == "(hidden)";
  refusal_ = hidden ? protocol_error(kUnknownTool, "unknown tool `" + std::string(tool_) + "`") : refused(admission);
  return false;
}

// The profile of the tool itself where it has one, else that of what it is judged as too.
Status Call::grant(Admitted& admitted, const std::vector<std::string>& asked) {
  const auto& all = admitted.admissions;
  const engine::Admission& granting = all.size() > 1 && all[0].decision.profile.empty() ? all[1] : all[0];
  return engine::Gate::tighten(granting, admitted.request, asked);
}

engine::RunRequest Call::foresee(const engine::Place& folder, engine::RunRequest request, const std::vector<std::string>& asked) const {
  Admitted foreseen;
  foreseen.request = request;
  foreseen.admissions.push_back(service_.gate.preview(as_call_of(tool_, folder)));
  if (!also_.empty()) foreseen.admissions.push_back(service_.gate.preview(as_call_of(also_, folder)));
  for (const engine::Admission& one : foreseen.admissions) {
    if (one.pending == nullptr) return request;
  }
  return grant(foreseen, asked) ? foreseen.request : request;
}

std::optional<Admitted> Call::admit(const engine::Place& folder, engine::RunRequest request, const std::vector<std::string>& asked) {
  if (const auto problem = arguments_.problem()) {
    (void)service_.gate.refuse(as_call_of(tool_, folder), "(malformed call)", *problem);
    refusal_ = bad_arguments(*problem);
    return {};
  }
  Admitted admitted;
  admitted.request = std::move(request);
  if (!service_.config_file.empty()) admitted.request.read_only_files.push_back(service_.config_file);
  admitted.request.workspace = folder.workspace;
  admitted.request.cwd = folder.path();
  bool good = judge(tool_, folder, admitted) && (also_.empty() || judge(also_, folder, admitted));
  if (good) {
    if (auto granted = grant(admitted, asked); !granted) {
      refusal_ = error_result(granted.error());
      good = false;
    }
  }
  if (good) {
    admitted.request.run_id = admitted.admissions[0].run_id;
    return admitted;
  }
  admitted.drop(service_.gate, "refused");
  return {};
}

}  // namespace wardenv::mcp
