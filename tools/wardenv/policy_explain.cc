// SPDX-License-Identifier: Apache-2.0
// wardenv policy explain
#include <nlohmann/json.hpp>

#include "engine/gate/resolve.h"
#include "engine/paths.h"
#include "policy/core/authorize.h"
#include "tools/options/text.h"
#include "tools/wardenv/policy_commands.h"

namespace wardenv::cli {
namespace {

const PolicyUsage kExplain = {
    "explain",
    "FILE",
    "What the policy in FILE says about one call: the decision, the rule that decides, and every rule that was looked at. Nothing is counted:\n"
    "quotas are taken as unused, hooks are not asked. Exit status: 0; 1 where FILE can't be loaded.",
    {{"--tool", "NAME", "the tool that is called"},
     {"--args", "JSON", "the arguments of the call, an object; default {}"},
     {"--grant", "NAME", "who calls"},
     {"--session", "NAME", "in which session"},
     {"--workspace", "DIR", "what {workspace} stands for; default the current folder"},
     {"--cwd", "DIR", "where relative paths begin; default the argument current_working_dir, else the workspace"},
     {"--json", "", "the decision as one JSON object"}},
    "  wardenv policy explain policy.yaml --tool run_in_venv --args '{\"command\":\"pytest\",\"args\":[\"-x\"]}'\n"
    "  wardenv policy explain policy.yaml --tool add_package --grant ci --json\n"};

std::string real_folder(const std::string& path) {
  const auto resolved = engine::resolve_path(path);
  return resolved ? resolved->real : "";
}

std::string lines(const std::string& text) { return text.empty() ? "" : text + "\n"; }

std::string quota_lines(const policy::Decision& decision) {
  std::string text;
  for (const policy::QuotaUse& use : decision.quotas) {
    text += "  " + std::to_string(use.amount) + " of at most " + std::to_string(use.max) + " in " + policy::window_text(use.window) + " from " + use.key + "\n";
  }
  return text.empty() ? "" : "takes\n" + text;
}

// They are asked where nothing denied, and may still deny.
void note_hooks(const policy::Document& document, policy::Decision& decision) {
  if (decision.effect == policy::Effect::kDeny) return;
  for (const policy::HookSpec& hook : document.hooks) decision.trace.push_back({hook.pointer, "not asked by explain"});
}

std::string to_text(const policy::Decision& decision) {
  std::string text = std::string(policy::to_string(decision.effect)) + "  " + decision.rule + "\n" + "reason: " + decision.reason + "\n";
  text += decision.profile.empty() ? "" : lines("profile: " + decision.profile);
  text += quota_lines(decision) + "looked at\n";
  for (const policy::TraceEntry& entry : decision.trace) text += "  " + entry.rule + "  " + entry.result + "\n";
  return text;
}

}  // namespace

int policy_explain(const Arguments& arguments) {
  int status = 0;
  const auto read = read_policy_arguments(kExplain, arguments, status);
  if (!read) return status;
  if (read->files.size() != 1) return complain({ErrorCode::kBadInput, "which file?", "wardenv policy explain policy.yaml --tool run_in_venv", 0});
  if (!read->has("--tool")) return complain({ErrorCode::kBadInput, "which tool?", "--tool run_in_venv", 0});
  const auto parsed = policy::parse_arguments(read->value("--args", "{}"));
  if (!parsed) return complain({ErrorCode::kBadInput, "--args: " + parsed.error().message, R"(for example '{"command":"pytest"}')", 0});
  const auto document = load_policy(read->files[0]);
  if (document == nullptr) return 1;

  const std::string workspace = real_folder(read->value("--workspace", "."));
  const std::string cwd = real_folder(folder_of_call(read->value("--cwd"), *parsed, workspace).value_or(""));
  const std::string tool = read->value("--tool");
  const std::string grant = read->value("--grant");
  const std::string session = read->value("--session");
  const policy::ResolvePath in_cwd = engine::path_resolver(cwd);
  const policy::Call call{tool, *parsed, grant, session, cwd, workspace, cwd.empty() ? nullptr : &in_cwd};
  policy::Decision decision = policy::authorize(call, *document, policy::NothingUsed(), policy::Trace::kYes);
  note_hooks(*document, decision);
  return print(read->has("--json") ? policy::decision_to_json(decision) + "\n" : tools::visible(to_text(decision)));
}

}  // namespace wardenv::cli
