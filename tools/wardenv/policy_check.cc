// SPDX-License-Identifier: Apache-2.0
// wardenv policy check and schema.
#include <nlohmann/json.hpp>

#include "engine/gate/load_policy.h"
#include "engine/gate/profile.h"
#include "engine/gate/text_file.h"
#include "policy/core/cursor.h"
#include "policy/core/schema.h"
#include "tools/options/text.h"
#include "tools/wardenv/policy_commands.h"

namespace wardenv::cli {
namespace {

const PolicyUsage kCheck = {"check",
                            "FILE...",
                            "Reads each FILE (`-`: standard input), JSON or YAML by its ending, else by its first character, and prints every finding as\n"
                            "FILE:LINE:COLUMN: error|warning: /json/pointer: what is wrong. An error is what `run` and `serve` would refuse here, too: also a file that\n"
                            "others can write, and a webhook whose secret is not set. Exit status: 0 without errors, 1 with one.",
                            {{"--json", "", "one JSON object on standard output"}},
                            "  wardenv policy check policy.yaml\n  wardenv policy check --json policies/*.json\n"};

const PolicyUsage kSchema = {"schema", "", "Prints the JSON Schema (2020-12) of the document, for editors and other validators.", {}, "  wardenv policy schema > wardenv-policy.schema.json\n"};

struct Checked {
  std::string text{};                                          // for people
  nlohmann::ordered_json files = nlohmann::ordered_json::array();
  bool failed = false;
};

nlohmann::ordered_json to_json(const policy::Finding& finding) {
  return {{"severity", finding.severity == policy::Severity::kError ? "error" : "warning"}, {"pointer", finding.pointer}, {"line", finding.line},
          {"column", finding.column}, {"message", finding.message}};
}

// Whoever can write a policy decides what we allow: `run` takes it from no file that others can write.
void check_place(const std::string& path, policy::Loaded& loaded) {
  if (path == "-" || loaded.digest_sha256.empty()) return;
  const auto text = engine::read_trusted_file(path, policy::kMaxDocumentBytes);
  if (text) return;
  loaded.findings.insert(loaded.findings.begin(), {"", text.error().message, 1, 1, policy::Severity::kError});
  loaded.document = nullptr;
}

// What only the engine can tell to be wrong, beside what the loader says: both at once.
void check_refused_profiles(const std::string& text, policy::Format format, policy::Loaded& loaded) {
  policy::Findings findings;
  for (const auto& [name, profile] : loaded.refused_profiles) engine::check_profile(profile, "/profiles/" + policy::core::pointer_token(name), findings);
  policy::place_findings(text, format, findings);
  loaded.findings.insert(loaded.findings.end(), findings.begin(), findings.end());
  policy::core::sort_by_place(loaded.findings);
}

void check_file(const std::string& path, Checked& checked) {
  nlohmann::ordered_json findings = nlohmann::ordered_json::array();
  policy::Loaded loaded;
  const auto text = read_text_file(path, policy::kMaxDocumentBytes);
  if (text) loaded = engine::load_policy(*text, policy::format_of(path));
  else loaded.findings.push_back({"", text.error().message, 1, 1, policy::Severity::kError});
  if (!loaded.refused_profiles.empty()) check_refused_profiles(*text, policy::format_of(path), loaded);
  check_place(path, loaded);
  for (const policy::Finding& finding : loaded.findings) {
    findings.push_back(to_json(finding));
    checked.text += tools::one_line(policy::to_text(finding, path)) + "\n";
  }
  const bool good = loaded.document != nullptr;
  if (good && findings.empty()) checked.text += tools::one_line(path + ": good") + "\n";
  checked.failed = checked.failed || !good;
  checked.files.push_back({{"file", path}, {"valid", good}, {"digest_sha256", loaded.digest_sha256}, {"findings", findings}});
}

}  // namespace

int policy_check(const Arguments& arguments) {
  int status = 0;
  const auto read = read_policy_arguments(kCheck, arguments, status);
  if (!read) return status;
  if (read->files.empty()) return complain({ErrorCode::kBadInput, "which file?", "wardenv policy check policy.yaml", 0});
  Checked checked;
  for (const std::string& file : read->files) check_file(file, checked);
  const nlohmann::ordered_json all = {{"valid", !checked.failed}, {"files", checked.files}};
  const std::string json = all.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  if (const int printed = print(read->has("--json") ? json : checked.text); printed != 0) return printed;
  return checked.failed ? 1 : 0;
}

int policy_schema(const Arguments& arguments) {
  int status = 0;
  const auto read = read_policy_arguments(kSchema, arguments, status);
  if (!read) return status;
  if (!read->files.empty()) return complain({ErrorCode::kBadInput, "policy schema takes no argument", "", 0});
  return print(std::string(policy::document_schema()));
}

}  // namespace wardenv::cli
