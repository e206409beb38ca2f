// SPDX-License-Identifier: Apache-2.0
// Approvals: who may say yes to what, when, and how often it counts.
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "policy/approvals/store.h"
#include "tests/support/catch.h"
#include "tests/unit/engine/scratch.h"
#include "tests/unit/policy/quota/fake_clock.h"

using namespace wardenv;
using namespace wardenv::policy;
using wardenv::testing::FakeClock;
using wardenv::testing::Folder;

namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;

ApprovalCall call(const std::string& arguments = R"({"command":"rm","args":["-r","build"]})") {
  return {.tool = "run_in_venv", .arguments_json = arguments, .grant = "agent", .cwd = "/src/app", .rule = "/tools/run_in_venv/rules/0", .profile = "strict",
          .policy_digest = "d1", .workspace = "/src", .venv = "/src/.venv", .program = "/usr/bin/rm", .program_identity = "1:2:3.000000004",
          .granted_json = R"({"network":"none"})"};
}

struct Fixture {
  std::shared_ptr<FakeClock> clock = std::make_shared<FakeClock>();
  std::unique_ptr<ApprovalStore> store = std::move(*make_memory_approvals(clock));

  Approval ask(const ApprovalCall& what = call(), const ApprovalTerms& terms = {}) {
    auto asked = store->create_or_find(what, terms);
    REQUIRE(asked);
    return asked->approval;
  }
  bool consume(const ApprovalCall& what = call()) {
    auto taken = store->consume(*fingerprint_of(what));
    REQUIRE(taken);
    return taken->has_value();
  }
};

}  // namespace

TEST_CASE("a call's fingerprint is that of its meaning, not of its text") {
  const std::string plain = *fingerprint_of(call(R"({"a":{"x":1,"y":[1,2]},"b":"é"})"));
  CHECK(plain.size() == 64);
  CHECK(*fingerprint_of(call(R"( { "b" : "\u00e9", "a" : {"y":[1, 2], "x":1} } )")) == plain);
  CHECK(*fingerprint_of(call(R"({"a":{"x":1,"y":[2,1]},"b":"é"})")) != plain);
  CHECK(*fingerprint_of(call(R"({"a":{"x":"1","y":[1,2]},"b":"é"})")) != plain);
  CHECK(*fingerprint_of(call(R"({"a":9007199254740993})")) != *fingerprint_of(call(R"({"a":9007199254740992})")));
}

TEST_CASE("every part of a call is in its fingerprint") {
  const std::string plain = *fingerprint_of(call());
  for (auto part : {&ApprovalCall::tool, &ApprovalCall::grant, &ApprovalCall::cwd, &ApprovalCall::rule, &ApprovalCall::profile, &ApprovalCall::policy_digest,
                    &ApprovalCall::workspace, &ApprovalCall::venv, &ApprovalCall::program, &ApprovalCall::program_identity, &ApprovalCall::granted_json}) {
    ApprovalCall other = call();
    other.*part += "x";
    CHECK(*fingerprint_of(other) != plain);
  }
  // What moves from one part to the next is another call.
  ApprovalCall moved = call();
  moved.tool = "run_in_venvagent";
  moved.grant = "";
  CHECK(*fingerprint_of(moved) != plain);
}

TEST_CASE("what two readers could read differently has no fingerprint") {
  CHECK(fingerprint_of(call("{}")));
  for (const std::string& text : {std::string(R"({"a":1,"a":2})"), std::string(R"({"b":{"a":1,"a":2}})"), std::string(R"([{"a":1},{"a":1,"a":1}])"), std::string("{"),
                                  std::string(), std::string("{\"a\":\"\xff\"}"), std::string("{\"a\":1e999}"), std::string("{} {}")}) {
    CAPTURE(text);
    CHECK_FALSE(fingerprint_of(call(text)));
  }
  CHECK(fingerprint_of(call(R"([{"a":1},{"a":1}])")));
  CHECK_FALSE(fingerprint_of(call(std::string(100'000, '[') + std::string(100'000, ']'))));
  ApprovalCall raw = call();
  raw.cwd = "/tmp/\xff";
  CHECK_FALSE(fingerprint_of(raw));
}

TEST_CASE("an approval runs one call, once") {
  Fixture f;
  const Approval asked = f.ask();
  CHECK(asked.state == ApprovalState::kPending);
  CHECK_FALSE(f.consume());
  const auto approved = f.store->approve(asked.id, "ana");
  REQUIRE(approved);
  CHECK(approved->decided_by == "ana");
  CHECK_FALSE(f.consume(call("{}")));
  CHECK(f.consume());
  CHECK_FALSE(f.consume());
  CHECK(f.store->show(asked.id)->state == ApprovalState::kConsumed);
}

TEST_CASE("only what is pending and unexpired can be decided") {
  Fixture f;
  const Approval first = f.ask();
  REQUIRE(f.store->approve(first.id, "ana"));
  const auto again = f.store->approve(first.id, "ben");
  REQUIRE_FALSE(again);
  CHECK(again.error().message.find("is not pending: it is approved (decided by `ana`)") != std::string::npos);
  CHECK_FALSE(f.store->deny(first.id, "ben", "no"));
  REQUIRE(f.consume());
  CHECK_FALSE(f.store->approve(first.id, "ben"));

  const Approval second = f.ask();
  REQUIRE(f.store->deny(second.id, "ana", "no"));
  CHECK_FALSE(f.store->approve(second.id, "ben"));
  CHECK_FALSE(f.consume());

  const Approval third = f.ask(call("[3]"), {.timeout = minutes(5)});
  f.clock->pass(minutes(5) / milliseconds(1));
  CHECK_FALSE(f.store->approve(third.id, "ana"));
  CHECK_FALSE(f.store->deny(third.id, "ana", ""));
  CHECK(f.store->show(third.id)->state == ApprovalState::kExpired);

  const auto nobody = f.store->approve("no-such-id", "ana");
  REQUIRE_FALSE(nobody);
  CHECK(nobody.error().code == ErrorCode::kNotFound);
}

TEST_CASE("an approval ends with its time, also when the wall clock is set back") {
  Fixture f;
  const Approval asked = f.ask(call(), {.timeout = minutes(5)});
  REQUIRE(f.store->approve(asked.id, "ana"));
  f.clock->pass(minutes(4) / milliseconds(1));
  f.clock->step(-3'600'000);
  CHECK(f.store->show(asked.id)->state == ApprovalState::kApproved);
  f.clock->pass(minutes(1) / milliseconds(1));
  CHECK(f.store->show(asked.id)->state == ApprovalState::kExpired);
  CHECK_FALSE(f.consume());

  const Approval other = f.ask(call("[1]"), {.timeout = minutes(5)});
  f.clock->step(7'200'000);   // forward: it does not end early either
  CHECK(f.store->approve(other.id, "ana"));
}

TEST_CASE("the same call within the dedupe window is the same record") {
  Fixture f;
  const ApprovalTerms terms{.timeout = minutes(30), .dedupe_window = minutes(10)};
  const Approval first = f.ask(call(), terms);
  CHECK(f.ask(call(), terms).id == first.id);
  CHECK(f.ask(call("[]"), terms).id != first.id);
  f.clock->pass(minutes(10) / milliseconds(1));
  const Approval second = f.ask(call(), terms);
  CHECK(second.id != first.id);

  // Two records of one fingerprint: each yes is one call, whichever record it is.
  REQUIRE(f.store->approve(first.id, "ana"));
  CHECK(f.consume());
  CHECK_FALSE(f.consume());
  REQUIRE(f.store->approve(second.id, "ana"));
  CHECK(f.consume());
  CHECK_FALSE(f.consume());
}

TEST_CASE("who was told no is told no again") {
  Fixture f;
  const ApprovalTerms terms{.timeout = minutes(30), .dedupe_window = minutes(10)};
  const Approval first = f.ask(call(), terms);
  REQUIRE(f.store->deny(first.id, "ana", "not that folder"));
  const auto again = f.store->create_or_find(call(), terms);
  REQUIRE(again);
  CHECK_FALSE(again->is_new);
  CHECK(again->approval.state == ApprovalState::kDenied);
  CHECK(again->approval.note == "not that folder");
  f.clock->pass(minutes(10) / milliseconds(1));
  CHECK(f.ask(call(), terms).state == ApprovalState::kPending);
}

TEST_CASE("an approval is given back once, by who took it") {
  Fixture f;
  const Approval asked = f.ask();
  REQUIRE(f.store->approve(asked.id, "ana"));
  CHECK_FALSE(f.store->give_back(asked));
  const auto first = *f.store->consume(asked.fingerprint);
  REQUIRE(first);
  REQUIRE(f.store->give_back(*first));
  CHECK_FALSE(f.store->give_back(*first));
  const auto second = *f.store->consume(asked.fingerprint);
  REQUIRE(second);
  CHECK_FALSE(f.store->give_back(*first));   // the second's by now
  CHECK_FALSE(f.consume());
  REQUIRE(f.store->give_back(*second));
  CHECK(f.consume());
}

TEST_CASE("a flood of questions is refused, and takes nobody else's place") {
  Fixture f;
  for (int i = 0; i < 100; ++i) f.ask(call("[" + std::to_string(i) + "]"));
  CHECK_FALSE(f.store->create_or_find(call("[100]"), {}));
  CHECK(f.store->create_or_find(call("[99]"), {}));   // waits already
  ApprovalCall other = call("[100]");
  other.grant = "someone else";
  CHECK(f.store->create_or_find(other, {}));
  CHECK_FALSE(f.store->create_or_find(call("\"" + std::string(300'000, 'x') + "\""), {}));
  f.clock->pass(minutes(30) / milliseconds(1));
  CHECK(f.store->create_or_find(call("[100]"), {}));
}

TEST_CASE("lists show what is open, or all, oldest first") {
  Fixture f;
  const Approval one = f.ask(call("[1]"));
  f.clock->pass(10);
  const Approval two = f.ask(call("[2]"));
  f.clock->pass(10);
  const Approval three = f.ask(call("[3]"));
  REQUIRE(f.store->deny(two.id, "ana", ""));
  REQUIRE(f.store->approve(three.id, "ana"));
  const auto open = *f.store->list(Which::kOpen);
  REQUIRE(open.size() == 2);
  CHECK((open[0].id == one.id && open[1].id == three.id));
  CHECK(f.store->list(Which::kAll)->size() == 3);
  CHECK(open[0].call == ApprovalCall(call("[1]")));
}

TEST_CASE("of many that take one approval at once exactly one gets it") {
  const Folder folder;
  const std::string path = folder.at("state/approvals.db");
  auto store = open_sqlite_approvals(path);
  REQUIRE(store);
  constexpr int kCalls = 20;
  for (int i = 0; i < kCalls; ++i) {
    auto asked = (*store)->create_or_find(call("[" + std::to_string(i) + "]"), {});
    REQUIRE(asked);
    REQUIRE((*store)->approve(asked->approval.id, "ana"));
  }
  std::vector<pid_t> children;
  for (int process = 0; process < 4; ++process) {
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      std::atomic<int> taken = 0;
      std::atomic<bool> failed = false;
      auto own = open_sqlite_approvals(path);
      if (!own) ::_exit(255);
      std::vector<std::thread> threads;
      for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&] {
          for (int i = 0; i < kCalls; ++i) {
            auto got = (*own)->consume(*fingerprint_of(call("[" + std::to_string(i) + "]")));
            if (!got) failed = true;
            else if (got->has_value()) ++taken;
          }
        });
      }
      for (std::thread& thread : threads) thread.join();
      ::_exit(failed ? 255 : taken.load());
    }
    children.push_back(child);
  }
  int taken = 0;
  for (const pid_t child : children) {
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    REQUIRE(WIFEXITED(status));
    REQUIRE(WEXITSTATUS(status) != 255);
    taken += WEXITSTATUS(status);
  }
  CHECK(taken == kCalls);
  CHECK((*store)->list(Which::kOpen)->empty());
}
