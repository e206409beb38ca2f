// SPDX-License-Identifier: Apache-2.0
// Mistakes in a grammar: each is found, with its place, and none is passed over.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "policy/commands/commands.h"
#include "policy/commands/text.h"
#include "tests/support/catch.h"

using namespace wardenv::policy;
using Json = nlohmann::json;

namespace {

std::vector<std::string> places(const std::string& text) {
  Findings findings;
  const auto set = compile_commands(Json::parse(text), "/c", findings);
  CHECK((set == nullptr) == !findings.empty());
  std::vector<std::string> pointers;
  for (const Finding& finding : findings) {
    UNSCOPED_INFO(finding.pointer << ": " << finding.message);
    CHECK_FALSE(finding.message.empty());
    CHECK(finding.message.find('\n') == std::string::npos);
    pointers.push_back(finding.pointer);
  }
  std::sort(pointers.begin(), pointers.end());
  return pointers;
}

struct Row {
  const char* grammar;  // of the command x
  const char* pointer;  // below /c/x
};

}  // namespace

TEST_CASE("every mistake in a grammar is found at its place") {
  const Row rows[] = {
      {R"(7)", ""},
      {R"({"flag": {}})", "/flag"},
      {R"({"flags": []})", "/flags"},
      {R"({"flags": {"x": "none"}})", "/flags/x"},
      {R"({"flags": {"-": "none"}})", "/flags/-"},
      {R"({"flags": {"--": "none"}})", "/flags/--"},
      {R"({"flags": {"--a=b": "none"}})", "/flags/--a=b"},
      {R"({"flags": {"-a b": "none"}})", "/flags/-a b"},
      {R"({"flags": {"-a/b~": "nothing"}})", "/flags/-a~1b~0"},
      {R"({"flags": {"-x": "any"}})", "/flags/-x"},
      {R"({"flags": {"-x": 1}})", "/flags/-x"},
      {R"({"flags": {"-x": {}}})", "/flags/-x"},
      {R"({"flags": {"-x": {"max": 1}}})", "/flags/-x"},
      {R"({"flags": {"-x": {"string": true, "enum": ["a"]}}})", "/flags/-x"},
      {R"({"flags": {"-x": {"string": false}}})", "/flags/-x/string"},
      {R"({"flags": {"-x": {"none": 1}}})", "/flags/-x/none"},
      {R"({"flags": {"-x": {"none": true, "allow": ["dash"]}}})", "/flags/-x/allow"},
      {R"({"flags": {"-x": {"integer": [5, 1]}}})", "/flags/-x/integer"},
      {R"({"flags": {"-x": {"integer": [1, 2, 3]}}})", "/flags/-x/integer"},
      {R"({"flags": {"-x": {"integer": [0, 1.5]}}})", "/flags/-x/integer"},
      {R"({"flags": {"-x": {"integer": [0, 9223372036854775808]}}})", "/flags/-x/integer"},
      {R"({"flags": {"-x": {"enum": []}}})", "/flags/-x/enum"},
      {R"({"flags": {"-x": {"enum": ["a", "a"]}}})", "/flags/-x/enum"},
      {R"({"flags": {"-x": {"enum": ["a", 1]}}})", "/flags/-x/enum/1"},
      {R"({"flags": {"-x": {"enum": ["-a"]}}})", "/flags/-x/enum"},
      {R"({"flags": {"-x": {"enum": ["a\nb"]}}})", "/flags/-x/enum/0"},
      {R"({"flags": {"-x": {"regex": "("}}})", "/flags/-x/regex"},
      {R"({"flags": {"-x": {"regex": "(?!a)b"}}})", "/flags/-x/regex"},
      {R"({"flags": {"-x": {"glob": "[a"}}})", "/flags/-x/glob"},
      {R"({"flags": {"-x": {"path_under": "relative"}}})", "/flags/-x/path_under"},
      {R"({"flags": {"-x": {"path_under": "/a/../b"}}})", "/flags/-x/path_under"},
      {R"({"flags": {"-x": {"path_under": "{workspace}/.."}}})", "/flags/-x/path_under"},
      {R"({"flags": {"-x": {"path_under": "{home}"}}})", "/flags/-x/path_under"},
      {R"({"flags": {"-x": {"path_under": []}}})", "/flags/-x/path_under"},
      {R"({"flags": {"-x": {"not": {"path_under": "/"}}}})", "/flags/-x/not"},
      {R"({"flags": {"-x": {"not": "string"}}})", "/flags/-x/not"},
      {R"({"flags": {"-x": {"any_of": []}}})", "/flags/-x/any_of"},
      {R"({"flags": {"-x": {"any_of": ["none"]}}})", "/flags/-x/any_of/0"},
      {R"({"flags": {"-x": {"any_of": ["string"], "allow": ["dash"]}}})", "/flags/-x/allow"},
      {R"({"flags": {"-x": {"list": {"optional": "string"}}}})", "/flags/-x/list"},
      {R"({"flags": {"-x": {"list": "string", "separator": ""}}})", "/flags/-x/separator"},
      {R"({"flags": {"-x": {"string": true, "until": "::"}}})", "/flags/-x/until"},
      {R"({"flags": {"-x": {"string": true, "allow": ["nul"]}}})", "/flags/-x/allow"},
      {R"({"flags": {"-x": {"string": true, "min": 2, "max": 1}}})", "/flags/-x"},
      {R"({"flags": {"-x": {"string": true, "max": 0}}})", "/flags/-x/max"},
      {R"({"flags": {"-x": {"string": true, "min": -1}}})", "/flags/-x/min"},
      {R"({"flags": {"-x": {"string": true, "max_length": 0}}})", "/flags/-x/max_length"},
      {R"({"positionals": "none"})", "/positionals"},
      {R"({"positionals": {"optional": "string"}})", "/positionals"},
      {R"({"positionals": [{"string": true, "min": 0}, "string"]})", "/positionals/1"},
      {R"({"positionals": "string", "subcommands": {"a": {}}})", "/positionals"},
      {R"({"number_flag": "string"})", "/number_flag"},
      {R"({"number_flag": {"integer": [-1, 5]}})", "/number_flag"},
      {R"({"standalone": ["version"]})", "/standalone"},
      {R"({"subcommands": []})", "/subcommands"},
      {R"({"subcommands": {"-a": {}}})", "/subcommands/-a"},
      {R"({"subcommands": {"a": {"subcommands": {"b": {"flags": {"-x": "?"}}}}}})", "/subcommands/a/subcommands/b/flags/-x"},
      {R"({"after": {"-m": "rest"}})", "/after/-m"},
      {R"({"flags": {"-m": {"optional": "string"}}, "after": {"-m": "rest"}})", "/after/-m"},
      {R"({"flags": {"-m": "none"}, "after": {"-m": {"a": "rest"}}})", "/after/-m"},
      {R"({"flags": {"-m": "string"}, "after": {"-m": "any"}})", "/after/-m"},
      {R"({"flags": {"-m": "string"}, "after": {"-m": {"a": {"x": 1}}}})", "/after/-m/a/x"},
      {R"({"interspersed": "no"})", "/interspersed"},
      {R"({"preset": "no-such"})", "/preset"},
      {R"({"preset": 1})", "/preset"},
      {R"({"preset": "pytest", "flag": 1})", "/flag"},
      {R"({"subcommands": {"a": {"preset": "no-such"}}})", "/subcommands/a/preset"},
  };
  for (const Row& row : rows) {
    INFO(row.grammar);
    CHECK(places(std::string(R"({"x": )") + row.grammar + "}") == std::vector{std::string("/c/x") + row.pointer});
  }
}

TEST_CASE("all mistakes are found at once, and names of commands are bare") {
  CHECK(places(R"({"x": {"flags": {"-a": 1, "-b": {"regex": "["}}, "positionals": 2}, "y": {"z": 1}, "good": {}})") ==
        std::vector<std::string>{"/c/x/flags/-a", "/c/x/flags/-b/regex", "/c/x/positionals", "/c/y/z"});
  for (const char* name : {"/bin/sh", "a/b", "", ".", "..", "-x", "a b", "a\\nb"}) {
    INFO(name);
    CHECK(places("{\"" + std::string(name) + "\": {}}").size() == 1);
  }
  CHECK(places("{}") == std::vector<std::string>{"/c"});
  CHECK(places("[]") == std::vector<std::string>{"/c"});
  std::string deep = "{}";
  for (int i = 0; i < 40; ++i) deep = R"({"subcommands": {"a": )" + deep + "}}";
  CHECK(places("{\"x\": " + deep + "}").size() == 1);
  std::string parts = "\"string\"";
  for (int i = 0; i < 40; ++i) parts = R"({"any_of": [)" + parts + "]}";
  CHECK(places(R"({"x": {"positionals": )" + parts + "}}").size() == 1);
}

TEST_CASE("bytes of arguments are told apart") {
  CHECK(oddities_of("plain \t text \xc3\xa9 \xf0\x9f\x98\x80") == kNothingOdd);
  CHECK(oddities_of(std::string_view("a\0b", 3)) == kHasNul);
  CHECK(oddities_of("a\rb") == kHasNewline);
  CHECK(oddities_of("a\x1b[0m\x7f") == kHasControl);
  for (const char* bad : {"\x80", "\xc0\xaf", "\xe0\x80\x80", "\xed\xa0\x80", "\xf0\x80\x80\x80", "\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80", "\xc3", "\xe2\x82", "a\xff"}) {
    INFO(in_backticks(bad));
    CHECK(oddities_of(bad) == kHasInvalidUtf8);
  }
  CHECK(in_backticks("a`b\\\n\xc2\x9b\xff\xc3\xa9") == "`a\\x60b\\x5c\\x0a\\xc2\\x9b\\xff\xc3\xa9`");
  CHECK(in_backticks(std::string(500, 'a')).size() < 100);
}
