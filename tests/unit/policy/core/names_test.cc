// SPDX-License-Identifier: Apache-2.0
// Names and globs of tools: which meet, which cover which, and what is warned of.
#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "policy/core/text/glob.h"
#include "tests/unit/policy/core/support.h"

using namespace wardenv::policy;
using namespace wardenv::policy::testing;
using Catch::Contains;

namespace {

// Whether some text matches both, by walking both at once; for ASCII.
bool meet(std::string_view one, std::string_view other) {
  if (one.empty() && other.empty()) return true;
  if (!one.empty() && one[0] == '*') return meet(one.substr(1), other) || (!other.empty() && meet(one, other.substr(1)));
  if (!other.empty() && other[0] == '*') return meet(other, one);
  if (one.empty() || other.empty()) return false;
  return (one[0] == other[0] || one[0] == '?' || other[0] == '?') && meet(one.substr(1), other.substr(1));
}

std::string document(const std::string& text) { return "{\"version\":\"1\",\"default\":\"deny\"," + text + "}"; }

std::string warnings(const std::string& text) {
  const Loaded loaded = load_document(document(text));
  INFO(text);
  REQUIRE(loaded.document != nullptr);
  return all_text(loaded.findings);
}

std::string many_globs(int count, const std::string& before, const std::string& behind) {
  std::string tools;
  for (int i = 0; i < count; ++i) tools += (i == 0 ? "\"" : ",\"") + before + std::to_string(100'000 + i) + behind + "\":{}";
  return document("\"tools\":{" + tools + "}");
}

}  // namespace

TEST_CASE("policy: whether two globs meet is told as by trying") {
  std::mt19937 random(7);
  const auto glob = [&] {
    std::string made;
    for (auto i = random() % 6; i > 0; --i) made += "ab?*"[random() % 4];
    return made;
  };
  int met = 0;
  for (int i = 0; i < 20'000; ++i) {
    const std::string one = glob();
    const std::string other = glob();
    INFO(one << " " << other);
    REQUIRE(core::name_globs_overlap(one, other) == meet(one, other));
    met += meet(one, other) ? 1 : 0;
    if (core::name_glob_covers(one, other)) {   // then what the narrow one stands for matches the wide one
      std::string text;
      for (const char c : other) text += c == '*' ? "ba" : std::string(1, c == '?' ? 'b' : c);
      REQUIRE(core::name_matches(one, text));
    }
  }
  CHECK(met > 2'000);
  CHECK(met < 18'000);
}

TEST_CASE("policy: a mark is one character, of as many bytes as it has") {
  CHECK(core::name_globs_overlap("\u00e4a*", "?a*"));
  CHECK(core::name_globs_overlap("*a\u00e4", "*a?"));
  CHECK(core::name_globs_overlap("*\u00e4", "a?"));
  CHECK_FALSE(core::name_globs_overlap("*\u00e4a", "a?"));
  CHECK_FALSE(core::name_globs_overlap("\u00e4b*", "?a*"));
}

TEST_CASE("policy: very many globs are compared, and of those that meet the first are said") {
  const std::string findings = refused(many_globs(5'000, "*", "*"));
  CHECK(std::count(findings.begin(), findings.end(), '\n') == 21);
  CHECK_THAT(findings, Contains("/tools: more globs match the same names"));
  CHECK(verdict(*load(many_globs(5'000, "tool_", "_*")), "tool_100007_x") == "allow /tools/tool_100007_*");
  CHECK_THAT(refused(many_globs(10'001, "tool_", "_*")), Contains("/tools: has more than 10000 globs"));
}

TEST_CASE("policy: what looks like a pattern of a shell is warned of") {
  const std::string names = "brackets and braces stand for themselves";
  CHECK_THAT(warnings(R"("tools":{"get_[ab]":{}})"), Contains("warning: /tools/get_[ab]: only `*` and `?` are special") && Contains(names));
  CHECK_THAT(warnings(R"("tools":{"{a,b}_*":{}})"), Contains("warning: /tools/{a,b}_*: ") && Contains(names));
  CHECK_THAT(warnings(R"("hide":["x","get_{a,b}"])"), Contains("warning: /hide/1: ") && Contains(names));
  CHECK_THAT(warnings(R"("grants":{"g":{"tools":["[a-z]*"]}})"), Contains("warning: /grants/g/tools/0: only") && Contains(names));
  CHECK_THAT(warnings(R"("tools":{"t":{"deny_if":[{"arg":"f","op":"glob","value":"*.{pem,key}"}]}})"), Contains("warning: /tools/t/deny_if/0/value: braces stand for themselves"));
  CHECK_THAT(warnings(R"("tools":{"t":{"commands":{"x":{"positionals":{"glob":"*.{a,b}"}}}}})"), Contains("warning: /tools/t/commands/x/positionals/glob: braces stand for themselves"));
  CHECK(warnings(R"("tools":{"a]b[c":{},"}x{":{},"get_*":{"deny_if":[{"arg":"f","op":"glob","value":"*.[ab]"}]}},"hide":["a?"])").empty());
}

TEST_CASE("policy: what is listed and hidden is warned of, and what a grant names and nothing lists") {
  CHECK_THAT(warnings(R"("tools":{"a":{}},"hide":["x","a"])"), Contains("warning: /hide/1: hides `a`, which `tools` lists"));
  CHECK_THAT(warnings(R"("tools":{"a_1":{},"a_2":{},"b":{},"a_3":{},"a_?":{},"a_4*":{}},"hide":["a_*"])"), Contains("/hide/0: hides `a_1`, `a_2`, `a_3` and 2 more, which"));
  CHECK_THAT(warnings(R"("tools":{"a*":{}},"hide":["*"])"), Contains("/hide/0: hides `a*`, which"));
  CHECK(warnings(R"("tools":{"a_*":{},"*":{"rules":[]}},"hide":["a_key","b*","*_?"])").empty());   // an exception, and what is not listed
  const std::string grants = warnings(R"("tools":{"a":{},"b_*":{},"*":{"rules":[]}},"grants":{"g":{"tools":["a","b_1","c","?","*_x","d*"]}})");
  CHECK(std::count(grants.begin(), grants.end(), '\n') == 2);
  CHECK_THAT(grants, Contains("warning: /grants/g/tools/2: no entry of `tools` matches `c`") && Contains("/grants/g/tools/5: no entry of `tools` matches `d*`"));
  CHECK(load_document(R"({"version":"1","default":"allow","tools":{},"grants":{"g":{"tools":["c"]}}})").findings.empty());
}

TEST_CASE("policy: warnings do not take the place of errors") {
  std::string tools;
  for (int i = 0; i < 300; ++i) tools += "\"t[" + std::to_string(i) + "]\":{},";
  const std::string findings = refused(document("\"tools\":{" + tools + "\"u\":{\"limts\":[]}}"));
  CHECK_THAT(findings, Contains("error: /tools/u/limts") && Contains("error: /: 101 more findings are not shown"));
}
