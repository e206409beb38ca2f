// SPDX-License-Identifier: Apache-2.0
// The grammar of `commands`: what it lets through, and what it refuses.
#include "policy/commands/commands.h"

#include <nlohmann/json.hpp>

#include "tests/support/catch.h"
#include "tests/unit/policy/commands/lexical.h"

using namespace wardenv;
using namespace wardenv::policy;

namespace {

using Json = nlohmann::json;
using Args = std::vector<std::string_view>;

std::shared_ptr<const CommandSet> compiled(const char* text) {
  Findings findings;
  auto set = compile_commands(Json::parse(text), "/tools/run/commands", findings);
  for (const Finding& finding : findings) UNSCOPED_INFO(finding.pointer << ": " << finding.message);
  REQUIRE(set != nullptr);
  return set;
}

Verdict judge(const CommandSet& set, std::string_view command, const Args& args) {
  return testing::judge_in_ws(set, command, args);
}

bool allows(const CommandSet& set, std::string_view command, const Args& args) {
  const Verdict verdict = judge(set, command, args);
  UNSCOPED_INFO(command << ": " << verdict.rule << ": " << verdict.reason);
  CHECK(verdict.allowed == verdict.reason.empty());
  return verdict.allowed;
}

// The example of the contract, to the letter.
constexpr const char* kContract = R"({
  "pytest": {"flags": {"-x": "none", "-q": "none", "-k": "string", "--maxfail": {"integer": [1, 100]}},
             "positionals": {"path_under": "{workspace}"}},
  "python": {"flags": {"-m": {"enum": ["unittest", "json.tool"]}}, "after": {"-m": "rest"}},
  "pip":    {"subcommands": {"list": {}, "install": {"flags": {"--no-deps": "none"},
             "positionals": {"regex": "^[A-Za-z0-9._-]+([=<>!~]=?[0-9A-Za-z.*]+)?$", "max": 10}}}}
})";

}  // namespace

TEST_CASE("the contract's example allows ordinary work") {
  const auto set = compiled(kContract);
  CHECK(allows(*set, "pytest", {}));
  CHECK(allows(*set, "pytest", {"-x", "-q", "tests"}));
  CHECK(allows(*set, "pytest", {"-xq", "tests/test_a.py"}));
  CHECK(allows(*set, "pytest", {"-k", "a and not b"}));
  CHECK(allows(*set, "pytest", {"-kfoo"}));
  CHECK(allows(*set, "pytest", {"-xkfoo"}));
  CHECK(allows(*set, "pytest", {"--maxfail", "3"}));
  CHECK(allows(*set, "pytest", {"--maxfail=3"}));
  CHECK(allows(*set, "pytest", {"tests", "-x"}));
  CHECK(allows(*set, "pytest", {"--", "-x"}));
  CHECK(allows(*set, "python", {"-m", "unittest", "-v", "--anything", "-c", "x"}));
  CHECK(allows(*set, "python", {"-munittest", "discover"}));
  CHECK(allows(*set, "pip", {"list"}));
  CHECK(allows(*set, "pip", {"install", "--no-deps", "requests==2.0", "six"}));
}

TEST_CASE("the contract's example denies what it does not declare") {
  const auto set = compiled(kContract);
  CHECK_FALSE(allows(*set, "sh", {"-c", "id"}));
  CHECK_FALSE(allows(*set, "/usr/bin/pytest", {}));
  CHECK_FALSE(allows(*set, "./pytest", {}));
  CHECK_FALSE(allows(*set, "", {}));
  CHECK_FALSE(allows(*set, "pytest", {"-p", "evil"}));
  CHECK_FALSE(allows(*set, "pytest", {"--maxf=3"}));
  CHECK_FALSE(allows(*set, "pytest", {"--maxfail"}));
  CHECK_FALSE(allows(*set, "pytest", {"--maxfail", "--", "3"}));
  CHECK_FALSE(allows(*set, "pytest", {"--maxfail=0"}));
  CHECK_FALSE(allows(*set, "pytest", {"--maxfail=101"}));
  CHECK_FALSE(allows(*set, "pytest", {"--maxfail=007"}));
  CHECK_FALSE(allows(*set, "pytest", {"-x=1"}));
  CHECK_FALSE(allows(*set, "pytest", {"-xpq"}));
  CHECK_FALSE(allows(*set, "pytest", {"-k=foo"}));
  CHECK_FALSE(allows(*set, "pytest", {"-k"}));
  CHECK_FALSE(allows(*set, "pytest", {"-k", "-x"}));
  CHECK_FALSE(allows(*set, "pytest", {"../outside"}));
  CHECK_FALSE(allows(*set, "pytest", {"/etc/passwd"}));
  CHECK_FALSE(allows(*set, "pytest", {"/wsx"}));
  CHECK_FALSE(allows(*set, "pytest", {"-"}));
  CHECK_FALSE(allows(*set, "pytest", {""}));
  CHECK_FALSE(allows(*set, "pytest", {"@args"}));
  CHECK_FALSE(allows(*set, "pytest", {"--", "../-x"}));
  CHECK_FALSE(allows(*set, "python", {"-c", "print(1)"}));
  CHECK_FALSE(allows(*set, "python", {"-m", "http.server"}));
  CHECK_FALSE(allows(*set, "python", {"-mhttp.server"}));
  CHECK_FALSE(allows(*set, "python", {"script.py"}));
  CHECK_FALSE(allows(*set, "python", {"-m", "unittest", "a\nb"}));
  CHECK_FALSE(allows(*set, "pip", {}));
  CHECK_FALSE(allows(*set, "pip", {"download", "x"}));
  CHECK_FALSE(allows(*set, "pip", {"--", "list"}));
  CHECK_FALSE(allows(*set, "pip", {"list", "x"}));
  CHECK_FALSE(allows(*set, "pip", {"install", "git+ssh://host/x"}));
  CHECK_FALSE(allows(*set, "pip", {"install", "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"}));
}

TEST_CASE("a denial says which rule, in one line, without the host's paths") {
  const auto set = compiled(kContract);
  CHECK(judge(*set, "sh", {}).rule.empty());
  CHECK(judge(*set, "pytest", {"--frob"}).rule == "/pytest/flags");
  CHECK(judge(*set, "pytest", {"--maxfail=0"}).rule == "/pytest/flags/--maxfail");
  CHECK(judge(*set, "pytest", {"/etc/passwd"}).rule == "/pytest/positionals");
  CHECK(judge(*set, "pip", {"list", "x"}).rule == "/pip/subcommands/list");
  CHECK(judge(*set, "pip", {"frob"}).rule == "/pip/subcommands");
  const Verdict verdict = judge(*set, "pytest", {"-k", "a\nb\x1b[2J\x80"});
  CHECK(verdict.reason == "value `a\\x0ab\\x1b[2J\\x80` of `-k` holds a line break");
  CHECK(judge(*set, "pytest", {"../x"}).reason == "argument `../x` leads out of the declared folder");
}
