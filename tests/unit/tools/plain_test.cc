// SPDX-License-Identifier: Apache-2.0
// Options that are read without CLI11 are read as CLI11 reads them, or not at all.
#include "tools/options/plain.h"

#include <random>

#include "tests/support/catch.h"
#include "tools/wardenv/options.h"

using wardenv::cli::run_options;
using wardenv::tools::OptionValues;
using wardenv::tools::parse_plain;
using wardenv::tools::parse_table;

namespace {

using Words = std::vector<std::string>;

std::optional<OptionValues> plain(const Words& words) { return parse_plain(run_options(), words); }

}  // namespace

TEST_CASE("what is written plainly is read", "[options]") {
  const auto values = plain({"--no-venv", "--timeout", "5s", "--env=A=1=2", "--env", "B=", "--json"});
  REQUIRE(values);
  CHECK(*values == OptionValues{{"--no-venv", {}}, {"--timeout", {"5s"}}, {"--env", {"A=1=2", "B="}}, {"--json", {}}});
  CHECK(plain({})->empty());
}

TEST_CASE("what could mean something else is left to the library", "[options]") {
  const std::vector<Words> cases = {{"--bogus"}, {"--time", "5s"}, {"-h"}, {"stray"}, {"--timeout"}, {"--timeout", "-5"}, {"--timeout="}, {"--timeout", ""},
                                    {"--json=true"}, {"--json", "--json"}, {"--timeout", "1s", "--timeout", "2s"}, {"--env", "[a,b]"}, {"--", "x"}, {""}, {"--env", "--json"}};
  for (const Words& words : cases) {
    INFO(words.front());
    CHECK_FALSE(plain(words));
  }
}

TEST_CASE("whatever both read, they read alike", "[options]") {
  std::mt19937 random(20);   // NOLINT(cert-msc51-cpp): the same words each time
  const Words pieces = {"--env", "A=1", "--timeout", "5s", "--json", "--no-venv", "--env=B=2", "--venv=x", "--cwd", "[1]", "-q", "--", "", "--memory=", "{a}", "'b'", "\"c d\"", "%%", "--allow-host", "h:1"};
  int both = 0;
  for (int round = 0; round < 20'000; ++round) {
    Words words(random() % 6);
    for (std::string& word : words) word = pieces[random() % pieces.size()];
    const auto fast = plain(words);
    if (!fast) continue;
    const auto thorough = parse_table(run_options(), words, "");
    REQUIRE(thorough);
    REQUIRE(*fast == *thorough);
    both += words.empty() ? 0 : 1;
  }
  CHECK(both > 500);
}
