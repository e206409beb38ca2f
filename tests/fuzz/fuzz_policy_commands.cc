// SPDX-License-Identifier: Apache-2.0
// Arguments against a grammar with one of everything: two judges agree, and a refusal is one clean line.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "policy/commands/commands.h"
#include "tests/unit/policy/commands/lexical.h"
#include "tests/unit/policy/commands/reference.h"
#include "tests/unit/policy/commands/rich_grammar.h"

using namespace wardenv::policy;
using namespace wardenv::testing;

namespace {

constexpr char kBetween = '\x1e';          // record separator: between the words of a call
constexpr std::size_t kLongest = 256;      // of a word: the other judge's regular expressions need stack for each letter
constexpr std::size_t kMost = 64;

struct Rich {
  nlohmann::json json = nlohmann::json::parse(kRichGrammar);
  std::shared_ptr<const CommandSet> set;
  Rich() {
    Findings findings;
    set = compile_commands(json, "", findings);
    if (!set) std::abort();
  }
};

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  while (!text.empty() && words.size() < kMost) {
    const std::size_t end = std::min(text.find(kBetween), text.size());
    words.emplace_back(text.substr(0, std::min(end, kLongest)));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return words;
}

bool is_clean(const std::string& line) {
  return std::all_of(line.begin(), line.end(), [](char letter) { return static_cast<unsigned char>(letter) >= 0x20 && letter != 0x7F; });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Rich rich;
  std::vector<std::string> words = words_of({reinterpret_cast<const char*>(data), size});
  if (words.empty()) return 0;
  const std::string command = words[0];
  words.erase(words.begin());
  const Verdict verdict = judge_in_ws(*rich.set, command, {words.begin(), words.end()});
  if (verdict.allowed != reference_allows(rich.json, command, words, {"/ws", resolve_lexically})) std::abort();
  if (verdict.allowed != verdict.reason.empty() || !is_clean(verdict.reason)) std::abort();
  if (!verdict.rule.empty() && verdict.rule[0] != '/') std::abort();
  return 0;
}
