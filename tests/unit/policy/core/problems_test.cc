// SPDX-License-Identifier: Apache-2.0
// What is no JSON and no YAML: all of it that can be told at once, each with pointer, line and column.
#include <algorithm>
#include <string>

#include "tests/unit/policy/core/support.h"

using namespace wardenv::policy;
using namespace wardenv::policy::testing;
using Catch::Matchers::Contains;

namespace {

// JSON with `tools` being this, the rest being right.
std::string with_tools(const std::string& tools) { return "{\"version\": \"1\", \"default\": \"deny\",\n\"tools\": " + tools + "}"; }

std::string problems(const std::string& text, Format format) { return refused(text, format); }

const std::string kYaml = "version: \"1\"\ndefault: deny\n";
const std::string kMore = "; nothing behind it was read, so more may be wrong";

}  // namespace

TEST_CASE("policy: what is wrong with JSON is said all at once, where it is") {
  CHECK(problems(with_tools("{\"a\\q\": {\"action\": True, \"reason\": \"x\\u12\"},\n \"b\": {\"limits\": [{\"counter\": \"c\", \"max\": 01}, 1e999 2,], \"limit\": 1,},}"), Format::kJson) ==
        "p:2:13: error: /tools/aq: no such escape in JSON\n"
        "p:2:29: error: /tools/aq/action: a value is expected here: words are true, false and null\n"
        "p:2:47: error: /tools/aq/reason: \\u needs four hexadecimal digits\n"
        "p:3:19: error: /tools/b/limits/0: `window` is missing\n"
        "p:3:43: error: /tools/b/limits/0/max: not a JSON number\n"
        "p:3:48: error: /tools/b/limits/1: the number is out of range: integers have at most 64 bits\n"
        "p:3:54: error: /tools/b/limits: `,` or `]` is expected here\n"
        "p:3:54: error: /tools/b/limits/2: must be a limit {counter, window, max, scope}, not a number\n"
        "p:3:55: error: /tools/b/limits: no comma may stand before `]`\n"
        "p:3:59: error: /tools/b/limit: unknown key `limit`: did you mean `limits`?\n"
        "p:3:69: error: /tools/b: no comma may stand before `}`\n"
        "p:3:71: error: /tools: no comma may stand before `}`\n");
}

TEST_CASE("policy: where JSON can't be read on, that is said, with what was wrong before") {
  CHECK(problems("{\"version\": \"1\", \"version\": \"1\",\n \"hide\": [\"a\", \"\\u00e4\\z\", \"b\",\n  ?, \"tols\"]}", Format::kJson) ==
        "p:1:18: error: /version: the key is there twice\n"
        "p:2:23: error: /hide/1: no such escape in JSON\n"
        "p:3:3: error: /hide/3: a value is expected here" + kMore + "\n");
  CHECK(problems(with_tools("{\"t\": {\"reason\": \"never ends,\n \"action\": \"deny\"}}"), Format::kJson) ==
        "p:2:39: error: /tools/t/reason: the string does not end on its line: write a line break as \\n" + kMore + "\n");
  CHECK_THAT(problems(with_tools("{\"t\": {\"reason\"; 1}}"), Format::kJson), Contains("p:2:25: error: /tools/t/reason: `:` is expected here" + kMore));
  CHECK_THAT(problems(with_tools("{\"t\": {action: 1}}"), Format::kJson), Contains("p:2:17: error: /tools/t: a key in double quotes is expected here" + kMore));
  CHECK_THAT(problems(with_tools("{\"t\": {\"rules\": [1, {\"if\""), Format::kJson), Contains("p:2:35: error: /tools/t/rules/1/if: `:` is expected here" + kMore));
  CHECK_THAT(problems(with_tools("{\"t\": [}}"), Format::kJson), Contains("p:2:17: error: /tools/t/0: a value is expected here" + kMore));
}

TEST_CASE("policy: bytes that are no text are said where they are, and what else is wrong besides") {
  const std::string json = with_tools("{\"\u00e4\": {\"reason\": \"\xe4\", \"profile\": \"\xc3\"}}");
  CHECK(problems(json, Format::kJson) ==
        "p:2:28: error: /tools/\u00e4/reason: not UTF-8, or a NUL byte\n"
        "p:2:44: error: /tools/\u00e4/profile: not UTF-8, or a NUL byte\n");
  CHECK_THAT(problems("{\"version\": \"1\", \xff}", Format::kJson), Contains("p:1:18: error: /: not UTF-8, or a NUL byte" + kMore));
  const std::string bad = "not UTF-8, or a control character: in double quotes \\x07 is one\n";
  CHECK(problems(kYaml + "# \xe4\ntools:\n  \u00e4\x07: {reason: \xe4}\nhide: [\"\x04\"] # \x04\n", Format::kYaml) ==
        "p:3:3: error: /: " + bad + "p:5:4: error: /tools/\u00e4?: " + bad + "p:5:16: error: /tools/\u00e4?/reason: " + bad + "p:6:9: error: /hide/0: " + bad + "p:6:15: error: /: " + bad);
}

TEST_CASE("policy: a control character does not end a YAML document before its end") {
  for (const char* text : {"version: \"1\"\ndefault: allow\n\x04\ntools: {t: {action: deny}}\n", "version: \"1\"\ndefault: allow\n...\n\x04tools: {t: {action: deny}}\n", "version: \"1\"\ndefault: allow\x04"}) {
    CHECK_THAT(refused(text, Format::kYaml), Contains("control character"));
  }
}

TEST_CASE("policy: what is wrong with YAML is said all at once, where it is") {
  CHECK(problems(kYaml + "tools:\n  \u00e4: &x {limits: [{counter: c, window: 010, max: 99999999999999999999}]}\n  <<: {t: {}}\n  s: !!map {action: !!str deny}\n  ? [a, b]\n  : {}\n  u: *x\n  ~: {}\n  v: {limit: 1}\n",
                 Format::kYaml) ==
        "p:4:6: error: /tools/\u00e4: anchors and aliases are not taken: write the value out\n"
        "p:4:40: error: /tools/\u00e4/limits/0/window: `010` is read as different numbers by different readers: write it in plain decimal digits, or quote it\n"
        "p:4:50: error: /tools/\u00e4/limits/0/max: the number is out of range: integers have at most 64 bits\n"
        "p:5:3: error: /tools/<<: merge keys are not taken: write the values out\n"
        "p:6:6: error: /tools/s: tags are not taken\n"
        "p:6:21: error: /tools/s/action: tags are not taken: quote a value to make it a string\n"
        "p:7:5: error: /tools: a key must be a string\n"
        "p:9:6: error: /tools/u: anchors and aliases are not taken: write the value out\n"
        "p:10:3: error: /tools: a key may not be empty\n"
        "p:11:7: error: /tools/v/limit: unknown key `limit`: did you mean `limits`?\n");
}

TEST_CASE("policy: where YAML can't be read on, that is said, with what was wrong before") {
  CHECK(problems(kYaml + "default: deny\ntools:\n  t: {rules: *x}\n", Format::kYaml) ==
        "p:3:1: error: /default: the key is there twice\n"
        "p:5:14: error: /tools/t/rules: not YAML: the referenced anchor is not defined" + kMore + "\n");
  CHECK_THAT(problems(kYaml + "tools: {t: {}, \u00e4: 0x1\n", Format::kYaml), Contains("error: /tools: not YAML: end of map flow not found" + kMore));
  CHECK(problems(kYaml + "---\na: 1\n", Format::kYaml) == "p:3:1: error: /: only one document may be in a file" + kMore + "\n");
}

TEST_CASE("policy: of a YAML key that is a collection one thing is said") {
  CHECK(problems(kYaml + "tools:\n  ? {a: !x 1, ? [0x1, ~] : 1, <<: 2}\n  : {}\n", Format::kYaml) == "p:4:5: error: /tools: a key must be a string\n");
  const std::string deep = problems(std::string(5000, '['), Format::kYaml);
  CHECK_THAT(deep, Contains("nested too deeply" + kMore));
  CHECK(std::count(deep.begin(), deep.end(), '\n') <= 2);
}

TEST_CASE("policy: of very many problems the first are said, and that there are more") {
  std::string many;
  for (int i = 0; i < 1000; ++i) many += "01,";
  const Loaded loaded = load_document(with_tools("[" + many + "1]"), Format::kJson);
  CHECK(loaded.document == nullptr);
  REQUIRE(loaded.findings.size() == 200);
  CHECK_THAT(loaded.findings.back().message, Contains("more may be wrong"));
}

TEST_CASE("policy: findings of later readers get their places") {
  Findings findings = {{"/tools/t/limits/1", "a", 0, 0, Severity::kError}, {"/tools/none/x", "b", 0, 0, Severity::kError}, {"", "c", 0, 0, Severity::kError}};
  place_findings(kYaml + "tools:\n  t:\n    limits:\n      - {}\n      - {}\n", Format::kYaml, findings);
  CHECK(all_text(findings) == "p:7:9: error: /tools/t/limits/1: a\np:4:3: error: /tools/none/x: b\np:1:1: error: /: c\n");
}
