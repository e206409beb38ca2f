// SPDX-License-Identifier: Apache-2.0
// wardenv policy test: a table of calls with the decisions that are expected.
#include <algorithm>
#include <array>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "policy/core/authorize.h"
#include "tools/options/text.h"
#include "tools/wardenv/policy_commands.h"

namespace wardenv::cli {
namespace {

using Json = nlohmann::json;

const PolicyUsage kTest = {
    "test",
    "FILE CASES",
    "Judges every call in CASES by the policy in FILE and compares. CASES is a list (or an object {cases: LIST}), JSON or YAML, of\n"
    "  {tool, expect: allow|deny|require_approval, args?, rule?, reason?, grant?, session?, workspace?, cwd?, profile?, name?}\n"
    "`rule` is the deciding rule as `explain` shows it, `reason` a part of the reason. Paths are compared as they are written, below /workspace\n"
    "unless the case says otherwise, relative ones from cwd, else from the argument `current_working_dir`; quotas are taken as unused. Exit status: 0 where all agree, 1 where one does not.",
    {{"--json", "", "one JSON object on standard output"}},
    "  wardenv policy test policy.yaml cases.yaml\n"};

constexpr std::array<std::string_view, 11> kKeys = {"name", "tool", "args", "expect", "rule", "reason", "grant", "session", "workspace", "cwd", "profile"};

struct Outcome {
  std::string name{};
  std::string wrong{};   // empty: as expected
};

std::string text_of(const Json& item, const char* key, const std::string& otherwise = {}) {
  const auto found = item.find(key);
  return found != item.end() && found->is_string() ? found->get<std::string>() : otherwise;
}

// What is wrong with a case itself; empty: nothing.
std::string malformed(const Json& item) {
  if (!item.is_object()) return "the case is no object";
  for (const auto& member : item.items()) {
    if (std::find(kKeys.begin(), kKeys.end(), member.key()) == kKeys.end()) return "unknown key `" + member.key() + "`";
    if (member.key() != "args" && !member.value().is_string()) return "`" + member.key() + "` must be a string";
  }
  if (item.find("tool") == item.end()) return "`tool` is missing";
  const std::string expect = text_of(item, "expect");
  if (expect != "allow" && expect != "deny" && expect != "require_approval") return "`expect` must be allow, deny or require_approval";
  return "";
}

std::optional<std::string> as_written(const std::string& cwd, std::string_view path) {
  std::string text = (std::filesystem::path(cwd) / path).lexically_normal().string();
  if (text.size() > 1 && text.ends_with('/')) text.pop_back();
  return text;
}

std::string difference(const Json& item, const policy::Decision& decision) {
  const std::string got = std::string(policy::to_string(decision.effect)) + " by " + decision.rule + " (" + decision.reason + ")";
  if (policy::to_string(decision.effect) != text_of(item, "expect")) return "expected " + text_of(item, "expect") + ", got " + got;
  if (item.contains("rule") && decision.rule != text_of(item, "rule")) return "expected the rule " + text_of(item, "rule") + ", got " + got;
  if (item.contains("profile") && decision.profile != text_of(item, "profile")) return "expected the profile " + text_of(item, "profile") + ", got `" + decision.profile + "`";
  const bool said = decision.reason.find(text_of(item, "reason")) != std::string::npos;
  return said ? "" : "expected a reason with `" + text_of(item, "reason") + "`, got " + got;
}

Outcome try_case(const policy::Document& document, const Json& item, std::size_t index) {
  Outcome outcome{"case " + std::to_string(index + 1), malformed(item)};
  if (item.is_object() && item.contains("name")) outcome.name += " (" + text_of(item, "name") + ")";
  if (!outcome.wrong.empty()) return outcome;
  const Json arguments = item.value("args", Json::object());
  const std::string tool = text_of(item, "tool");
  const std::string grant = text_of(item, "grant");
  const std::string session = text_of(item, "session");
  const std::string workspace = text_of(item, "workspace", "/workspace");
  const auto folder = folder_of_call(text_of(item, "cwd"), arguments, workspace);
  const std::string cwd = folder ? as_written(workspace, *folder).value_or("") : "";
  const policy::ResolvePath resolve = [&cwd](std::string_view path) { return as_written(cwd, path); };
  const policy::Call call{tool, arguments, grant, session, cwd, workspace, cwd.empty() ? nullptr : &resolve};
  outcome.wrong = difference(item, policy::authorize(call, document, policy::NothingUsed()));
  return outcome;
}

Result<Json> read_cases(const std::string& path) {
  const auto text = read_text_file(path, policy::kMaxDocumentBytes);
  if (!text) return tl::unexpected(text.error());
  auto cases = policy::load_data(*text, policy::format_of(path));
  if (!cases) return tl::unexpected(Error{cases.error().code, "`" + path + "`: " + cases.error().message, "", 0});
  if (cases->is_object() && cases->size() == 1 && cases->contains("cases")) cases = Json((*cases)["cases"]);
  if (!cases->is_array() || cases->empty()) return fail(ErrorCode::kBadInput, "`" + path + "` has no list of cases", "- {tool: run_in_venv, expect: allow}");
  return cases;
}

int show(const std::vector<Outcome>& outcomes, const PolicyArguments& read) {
  nlohmann::ordered_json failures = nlohmann::ordered_json::array();
  std::string text;
  for (const Outcome& outcome : outcomes) {
    if (outcome.wrong.empty()) continue;
    failures.push_back({{"case", outcome.name}, {"wrong", outcome.wrong}});
    text += tools::one_line(outcome.name + ": " + outcome.wrong) + "\n";
  }
  const std::size_t passed = outcomes.size() - failures.size();
  text += std::to_string(passed) + " passed, " + std::to_string(failures.size()) + " failed\n";
  const nlohmann::ordered_json all = {{"passed", passed}, {"failed", failures.size()}, {"failures", failures}};
  if (const int printed = print(read.has("--json") ? all.dump(2, ' ', false, Json::error_handler_t::replace) + "\n" : text); printed != 0) return printed;
  return failures.empty() ? 0 : 1;
}

}  // namespace

int policy_test(const Arguments& arguments) {
  int status = 0;
  const auto read = read_policy_arguments(kTest, arguments, status);
  if (!read) return status;
  if (read->files.size() != 2) return complain({ErrorCode::kBadInput, "needs a policy and a file of cases", "wardenv policy test policy.yaml cases.yaml", 0});
  const auto document = load_policy(read->files[0]);
  if (document == nullptr) return 1;
  const auto cases = read_cases(read->files[1]);
  if (!cases) return complain(cases.error());
  std::vector<Outcome> outcomes;
  for (std::size_t i = 0; i < cases->size(); ++i) outcomes.push_back(try_case(*document, (*cases)[i], i));
  return show(outcomes, *read);
}

}  // namespace wardenv::cli
