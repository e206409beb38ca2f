// SPDX-License-Identifier: Apache-2.0
// The judge and a second one, written from the contract alone, say the same of tens of thousands of calls.
#include "tests/unit/policy/commands/reference.h"

#include <algorithm>
#include <iterator>
#include <map>

#include "policy/commands/commands.h"
#include "tests/support/catch.h"
#include "tests/unit/policy/commands/lexical.h"
#include "tests/unit/policy/commands/rich_grammar.h"

using namespace wardenv::policy;
using namespace wardenv::testing;
using Json = nlohmann::json;

namespace {

// xorshift64*: the same calls every time, on every machine.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::size_t below(std::size_t bound) {
    state_ ^= state_ >> 12U;
    state_ ^= state_ << 25U;
    state_ ^= state_ >> 27U;
    return static_cast<std::size_t>((state_ * 0x2545F4914F6CDD1DULL) >> 33U) % bound;
  }
  bool one_in(std::size_t count) { return below(count) == 0; }

 private:
  std::uint64_t state_;
};

// Every word that the grammar knows, and words that it does not.
std::vector<std::string> vocabulary() {
  std::vector<std::string> words{"",       "-",    "--",      "a",     "b.py",      "../x",     "/etc/x",  "/ws/a", "link-out/x", "5",     "-5",   "007",   "99999999999999999999",
                                 "@file",  "a\nb", "a\x1b",   "\xff",  "\xc3\xa9",  "host:x",   "~x",      "x::y", "a::/../../../b::c",  "a,b",        "a,,b",  "=",    "--=",   "--=x",
                                 "--out",  "--le", "--level", "-xq",   "-xqz",      "-k",       "-kfoo",   "-k=foo", "-n5",       "-n=5",  "-xn5", "-xk",   "--color=never",
                                 "--color", "never", "--level=3", "--level=", "--level=9", "--quiet=1", "-c", "rest", "value", "two", "run", "list", "deep", "file.zip", "name==1"};
  return words;
}

using Args = std::vector<std::string>;

// Calls that the grammar allows, to begin with.
const std::map<std::string, std::vector<Args>> kCalls{
    {"plain", {{"-x", "--level", "3", "a", "b.py"}, {"-xq", "-k", "value", "--color", "a"}, {"-rab", "-5", "--out=a", "--", "-x"}, {"--version"}, {"--list", "a,b", "--text=-x"}, {"--text", "-x", "a"},
               {"--need", "a", "-n", "5", "--name=two"}, {"-kfoo", "--color=never", "/usr/share/x"}}},
    {"strict", {{"-n", "-5", "run", "name", "a", "host:x::y"}, {"-xn5", "list", "two"}, {"-n5", "run", "a", "--", "5", "-a", "=b"}, {"-n", "1", "-n2", "list", "b.py", "a"}}},
    {"module", {{"-m", "rest", "-x", "--any", ""}, {"-xm", "list", "-x", "--level", "5", "value"}, {"-mdeep", "run"}, {"-c", "x", "-"}, {"-xc", "@file"}, {"-k", "x", "-x"}}},
    {"must", {{"-n", "1", "-m", "x", "y"}, {"-n", "5"}}},
    {"find", {{"a", "-name", "value", "-type", "a"}, {"-n", "5"}, {"b.py"}}},
    {"sub", {{"-x", "--level=3", "run", "-k", "value", "a", "-b", "-"}, {"list", "-q", "b.py"}, {"deep", "two", "-x", "-q"}, {"run", "a", "-k"}, {"--level", "5", "list"}}}};

std::string some_word(Random& random, const Args& words) {
  std::string word = words[random.below(words.size())];
  if (random.one_in(6)) word += words[random.below(words.size())];
  if (random.one_in(12) && !word.empty()) word[random.below(word.size())] = static_cast<char>(random.below(256));
  return word;
}

// An allowed call with up to three words left out, put in, exchanged or joined.
Args some_call(Random& random, const std::vector<Args>& calls, const Args& words) {
  Args args = calls[random.below(calls.size())];
  for (std::size_t i = 0, count = random.below(4); i < count; ++i) {
    const std::size_t at = random.below(args.size() + 1);
    const auto place = args.begin() + static_cast<std::ptrdiff_t>(at);
    if (at == args.size() || random.one_in(3)) args.insert(place, some_word(random, words));
    else if (random.one_in(3)) args.erase(place);
    else if (random.one_in(3) && at > 0) args[at - 1] += args[at];
    else *place = some_word(random, words);
  }
  return args;
}

struct Both {
  bool real;
  bool reference;
};

Both judge_both(const CommandSet& set, const Json& grammar, const std::string& command, const std::vector<std::string>& args) {
  const bool real = judge_in_ws(set, command, {args.begin(), args.end()}).allowed;
  return {real, reference_allows(grammar, command, args, {"/ws", resolve_lexically})};
}

}  // namespace

TEST_CASE("two judges of commands agree") {
  const Json grammar = Json::parse(kRichGrammar);
  Findings findings;
  const auto set = compile_commands(grammar, "", findings);
  for (const Finding& finding : findings) UNSCOPED_INFO(finding.pointer << ": " << finding.message);
  REQUIRE(set != nullptr);
  const std::vector<std::string> words = vocabulary();
  Random random(20'261'126);
  std::size_t allowed = 0;
  for (const auto& [command, calls] : kCalls) {
    for (const Args& args : calls) {
      INFO(command << " " << Json(args).dump());
      CHECK(judge_in_ws(*set, command, {args.begin(), args.end()}).allowed);
    }
  }
  for (int i = 0; i < 40'000; ++i) {
    const auto& [command, calls] = *std::next(kCalls.begin(), static_cast<std::ptrdiff_t>(random.below(kCalls.size())));
    const Args args = some_call(random, calls, words);
    const Both both = judge_both(*set, grammar, command, args);
    allowed += both.real ? 1 : 0;
    if (both.real != both.reference) {
      INFO(command << " " << Json(args).dump(-1, ' ', true, Json::error_handler_t::replace));
      CHECK(both.real == both.reference);
    }
  }
  CHECK(allowed > 8'000);  // the control: many are allowed, and many are not
  CHECK(allowed < 32'000);
}
