// SPDX-License-Identifier: Apache-2.0
// Presets: they compile, and refuse the injections that are known for their tools while ordinary calls go through.
#include "policy/commands/presets.h"

#include <fstream>
#include <nlohmann/json.hpp>

#include "policy/commands/commands.h"
#include "tests/support/catch.h"
#include "tests/unit/policy/commands/lexical.h"

using namespace wardenv::policy;
using namespace wardenv::testing;
using Json = nlohmann::json;

namespace {

Json injections() {
  std::ifstream file(std::string(WARDENV_SOURCE_DIR) + "/tests/unit/policy/commands/injections.json");
  return Json::parse(file);
}

// A call is a list of arguments, or one string that is split at blanks, perhaps with the reason why it is refused.
std::vector<std::string> arguments(const Json& row) {
  if (row.is_object()) return arguments(row["args"]);
  if (row.is_array()) return row.get<std::vector<std::string>>();
  std::vector<std::string> args;
  std::istringstream words(row.get<std::string>());
  for (std::string word; words >> word;) args.push_back(word);
  return args;
}

void check_table(const std::string& name, const Json& grammar, const Json& table) {
  Findings findings;
  const auto set = compile_commands(Json{{name, grammar}}, "", findings);
  for (const Finding& finding : findings) UNSCOPED_INFO(finding.pointer << ": " << finding.message);
  REQUIRE(set != nullptr);
  for (const Json& row : table["allowed"]) {
    const std::vector<std::string> args = arguments(row);
    const Verdict verdict = judge_in_ws(*set, name, {args.begin(), args.end()});
    INFO(name << " " << row << ": " << verdict.rule << ": " << verdict.reason);
    CHECK(verdict.allowed);
  }
  for (const Json& row : table["refused"]) {
    const std::vector<std::string> args = arguments(row);
    const Verdict verdict = judge_in_ws(*set, name, {args.begin(), args.end()});
    INFO(name << " " << row);
    CHECK_FALSE(verdict.allowed);
    CHECK(verdict.allowed == verdict.reason.empty());
  }
}

}  // namespace

TEST_CASE("presets are listed by name, and each compiles") {
  REQUIRE(presets().size() >= 14);
  std::string_view before;
  for (const Preset& preset : presets()) {
    INFO(preset.name);
    CHECK(before < preset.name);
    before = preset.name;
    CHECK_FALSE(preset.summary.empty());
    CHECK_FALSE(preset.allows.empty());
    CHECK(find_preset(preset.name) == &preset);
    Findings findings;
    // As an author would write it: then its patterns are compiled as well.
    CHECK(compile_commands(Json{{"tool", Json::parse(preset.grammar)}}, "", findings) != nullptr);
    auto set = compile_commands(Json{{"tool", {{"preset", preset.name}}}}, "", findings);
    for (const Finding& finding : findings) UNSCOPED_INFO(finding.pointer << ": " << finding.message);
    CHECK(set != nullptr);
  }
  CHECK(find_preset("no-such") == nullptr);
}

TEST_CASE("every preset refuses the injections known for its tool, and allows ordinary work") {
  const Json all = injections();
  for (const Preset& preset : presets()) {
    const std::string name(preset.name);
    INFO(name);
    REQUIRE(all["presets"].contains(name));
    check_table(name, {{"preset", name}}, all["presets"][name]);
  }
}

TEST_CASE("an author's natural grammar refuses the injections known for other tools") {
  const Json all = injections();
  REQUIRE(all["grammars"].size() >= 10);
  for (const auto& [name, table] : all["grammars"].items()) check_table(name, table["grammar"], table);
}

TEST_CASE("text of a shell in an argument is text") {
  Findings findings;
  const auto set = compile_commands(Json{{"pytest", {{"preset", "pytest"}}}}, "", findings);
  REQUIRE(set != nullptr);
  CHECK(judge_in_ws(*set, "pytest", {"-k", "$(id); rm -rf / | sh && x > y"}).allowed);
  CHECK_FALSE(judge_in_ws(*set, "pytest", {"-k x; -p evil", "-p", "evil"}).allowed);
  CHECK_FALSE(judge_in_ws(*set, "pytest -x", {}).allowed);
  CHECK_FALSE(judge_in_ws(*set, "pytest;id", {}).allowed);
}

TEST_CASE("what a policy adds to a preset is laid over it") {
  Findings findings;
  const auto set = compile_commands(Json::parse(R"({
    "pytest": {"preset": "pytest", "flags": {"-p": {"enum": ["no:cacheprovider"]}, "-k": "deny"}, "positionals": []},
    "pip": {"preset": "pip-install", "subcommands": {"install": {"flags": {"-r": {"path_under": "{workspace}"}}}, "download": {}}}
  })"), "", findings);
  REQUIRE(set != nullptr);
  CHECK(judge_in_ws(*set, "pytest", {"-x", "-p", "no:cacheprovider"}).allowed);
  CHECK_FALSE(judge_in_ws(*set, "pytest", {"-p", "evil"}).allowed);
  CHECK(judge_in_ws(*set, "pytest", {"-k", "x"}).rule == "/pytest/flags/-k");
  CHECK(judge_in_ws(*set, "pytest", {"tests"}).rule == "/pytest/positionals");
  CHECK(judge_in_ws(*set, "pytest", {"--maxfail=x"}).rule == "/pytest/preset");
  CHECK(judge_in_ws(*set, "pip", {"install", "-q", "-r", "req.txt", "x"}).allowed);
  CHECK_FALSE(judge_in_ws(*set, "pip", {"install", "-r", "../req.txt"}).allowed);
  CHECK(judge_in_ws(*set, "pip", {"install", "-e", "."}).rule == "/pip/subcommands/install/flags");
  CHECK(judge_in_ws(*set, "pip", {"list", "-q", "--outdated"}).allowed);
  CHECK(judge_in_ws(*set, "pip", {"download", "-q"}).allowed);
}
