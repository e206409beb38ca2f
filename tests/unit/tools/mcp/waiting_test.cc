// SPDX-License-Identifier: Apache-2.0
// Whoever waits for a client's answer holds a thread: it ends with the answer, with a cancel, or with its time.
#include <atomic>
#include <nlohmann/json.hpp>
#include <thread>

#include "tests/support/catch.h"
#include "tools/mcp/channel.h"
#include "tools/mcp/tasks.h"

using namespace wardenv::mcp;
using namespace std::chrono_literals;

TEST_CASE("a question on a channel") {
  Channel channel("id", "grant");
  const std::string id = channel.new_ask();
  SECTION("is answered") {
    std::thread client([&] { channel.answer(id, "{}"); });
    const auto asked = channel.wait_answer(id, [] { return false; }, 1min);
    client.join();
    REQUIRE(asked);
    CHECK(asked->result == "{}");
  }
  SECTION("is given up by a cancel") {
    std::atomic<bool> cancelled{false};
    std::thread other([&] {
      cancelled = true;
      channel.wake();
    });
    CHECK_FALSE(channel.wait_answer(id, [&] { return cancelled.load(); }, 1min));
    other.join();
  }
  SECTION("is given up after its time, and an answer that comes then is nobody's") {
    CHECK_FALSE(channel.wait_answer(id, [] { return false; }, 10ms));
    channel.answer(id, "{}");
    CHECK_FALSE(channel.wait_answer(id, [] { return false; }, 10ms));
  }
}

TEST_CASE("a question of a task") {
  const InputRequest question{"confirm", "elicitation/create", "{}"};
  SECTION("is answered") {
    Task task("id", "owner", 1h, {});
    const Answers answers = task.ask(std::span(&question, 1), [&] { task.update(nlohmann::json{{"confirm", {{"action", "accept"}}}}); });
    CHECK(answers.state == AskState::kAnswered);
    CHECK(answers.by_key.at("confirm") == R"({"action":"accept"})");
  }
  SECTION("is given up with the task") {
    Task task("id", "owner", 1h, {});
    CHECK(task.ask(std::span(&question, 1), [&] { task.cancel(); }).state == AskState::kCancelled);
  }
  SECTION("is given up after the time that was promised") {
    Task task("id", "owner", 10ms, {});
    CHECK(task.ask(std::span(&question, 1), [] {}).state == AskState::kFailed);
    CHECK_FALSE(task.over());
    CHECK(task.members().find("inputRequests") == std::string::npos);
  }
}
