// SPDX-License-Identifier: Apache-2.0
// `wardenv run` and `plan` as a call that a policy judges.
#include "tools/wardenv/judge.h"

#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "engine/command_resolve.h"
#include "engine/paths.h"

namespace wardenv::cli {

void use_state(const engine::Config& config) {
  if (!config.state.empty() && std::getenv("WARDENV_STATE") == nullptr) ::setenv("WARDENV_STATE", config.state.c_str(), 1);
}

Result<std::shared_ptr<engine::Gate>> open_gate(RunOptions& options, const engine::Config& config) {
  if (options.policy.empty()) options.policy = config.policy;
  if (options.grant.empty()) options.grant = config.grant;
  if (!config.file.empty()) options.request.read_only_files.push_back(config.file);
  if (options.policy.empty()) {
    if (!options.profile.empty()) return fail(ErrorCode::kBadInput, "--profile names a profile of a policy, and there is none", "give --policy FILE too");
    if (!options.grant.empty()) return fail(ErrorCode::kBadInput, "--grant names a grant of a policy, and there is none", "give --policy FILE too");
    return nullptr;
  }
  return engine::Gate::open({.policy_file = options.policy, .quota_store = config.quota_store});
}

engine::ToolCall call_as_asked(const RunOptions& options, const std::string& cwd) {
  const engine::RunRequest& request = options.request;
  const nlohmann::json arguments = {{"current_working_dir", cwd},
                                    {"command", request.argv.front()},
                                    {"args", std::vector<std::string>(request.argv.begin() + 1, request.argv.end())}};
  engine::ToolCall call{.tool = "run_in_venv", .grant = options.grant, .run_id = engine::new_run_id()};
  try {
    call.arguments_json = arguments.dump();
  } catch (const nlohmann::json::exception&) {
    // For the log alone: no rule may see another text than the command would get.
    call.arguments_json = arguments.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
    call.unjudgeable = "an argument of the command is not UTF-8, which a policy can't judge";
  }
  return call;
}

Result<engine::ToolCall> call_of(const RunOptions& options) {
  const engine::RunRequest& request = options.request;
  auto workspace = engine::resolve_path(request.workspace);
  if (!workspace) return fail(ErrorCode::kNotFound, "workspace " + workspace.error().message, "name a folder that exists, for example --workspace .");
  auto real = workspace;
  if (request.cwd) real = engine::resolve_path(request.cwd->starts_with('/') ? *request.cwd : workspace->real + "/" + *request.cwd);
  if (!real) return fail(ErrorCode::kNotFound, "--cwd " + real.error().message, "name a folder of the workspace, or leave out --cwd to start at its top");
  engine::ToolCall call = call_as_asked(options, real->real);
  call.cwd = real->real;
  call.workspace = workspace->real;
  return call;
}

void bind(engine::RunRequest& request, engine::ToolCall& call) {
  if (request.venv) {
    const auto real = engine::resolve_path(*request.venv);
    call.venv = real ? real->real : engine::absolute(*request.venv);   // one that is not there is said when it is to be used
  }
  if (request.command != nullptr) call.program = request.command->program;
  request.judged = engine::JudgedPlaces{call.workspace, call.cwd, call.venv};
}

Status grant_to(const engine::Admission& admission, RunOptions& options) {
  if (!options.profile.empty()) WARDENV_TRY(engine::Gate::choose_profile(admission, options.profile, options.request, options.asked));
  return engine::Gate::tighten(admission, options.request, options.asked);
}

std::string refusal_line(const engine::Admission& admission) {
  if (admission.cancelled) return admission.decision.reason;
  const bool waits = admission.decision.effect == policy::Effect::kRequireApproval;
  return std::string(waits ? "approval required: " : "denied by the policy: ") + admission.decision.reason + " (" + admission.decision.rule + ")";
}

}  // namespace wardenv::cli
