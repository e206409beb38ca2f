// SPDX-License-Identifier: Apache-2.0
#include "tools/mcp/request_state.h"

#include "tests/support/catch.h"

using namespace wardenv::mcp;

namespace {
constexpr StateBinding kMine{"agent", "tools/call", "run", "{\"a\":1}"};
}

TEST_CASE("a state comes back once, within its time") {
  RequestStates states;
  const auto now = RequestStates::Clock::now();
  const std::string sealed = states.seal("approval 7", kMine, now);
  CHECK(states.open(sealed, kMine, now + std::chrono::minutes(9)) == "approval 7");
  CHECK_FALSE(states.open(sealed, kMine, now).has_value());
  CHECK_FALSE(states.open(states.seal("x", kMine, now), kMine, now + std::chrono::minutes(11)).has_value());
}

TEST_CASE("a state is of one caller, method, name and arguments") {
  RequestStates states;
  for (const StateBinding& other : {StateBinding{"other", "tools/call", "run", "{\"a\":1}"}, StateBinding{"agent", "prompts/get", "run", "{\"a\":1}"},
                                    StateBinding{"agent", "tools/call", "ru", "n{\"a\":1}"}, StateBinding{"agent", "tools/call", "run", "{\"a\":2}"}}) {
    CHECK_FALSE(states.open(states.seal("x", kMine), other).has_value());
  }
  CHECK(states.open(states.seal("x", kMine), kMine) == "x");
}

TEST_CASE("every altered byte is noticed") {
  RequestStates states;
  const std::string sealed = states.seal("some state", kMine);
  for (std::size_t i = 0; i < sealed.size(); ++i) {
    std::string altered = sealed;
    altered[i] = altered[i] == 'A' ? 'B' : 'A';
    CHECK_FALSE(states.open(altered, kMine).has_value());
  }
  RequestStates another;
  CHECK_FALSE(another.open(sealed, kMine).has_value());
  CHECK(states.open(sealed, kMine) == "some state");
}
