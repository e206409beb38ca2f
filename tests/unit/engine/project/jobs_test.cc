// SPDX-License-Identifier: Apache-2.0
// Jobs: whose they are, how many, how much they keep, and that they end.
#include "engine/project/jobs.h"

#include <poll.h>

#include <atomic>
#include <set>
#include <thread>

#include "tests/support/catch.h"

using namespace wardenv;
using namespace wardenv::engine;

namespace {

// Runs until it is cancelled.
RunReport until_cancelled(const RunIo& io) {
  pollfd item{io.cancel_fd, POLLIN, 0};
  ::poll(&item, 1, 20'000);
  RunReport report;
  report.outcome = Outcome::kCancelled;
  return report;
}

RunReport exited() {
  RunReport report;
  report.outcome = Outcome::kExited;
  report.exit_code = 3;
  return report;
}

Jobs::Work says(std::string text) {
  return [text = std::move(text)](const RunIo& io) {
    io.on_stdout(text);
    return exited();
  };
}

JobStatus ended(Jobs& jobs, const std::string& owner, const std::string& id, JobQuery query = {}) {
  for (int i = 0; i < 2000; ++i) {
    auto status = jobs.status(owner, id, query);
    REQUIRE(status);
    if (status->summary.state == JobState::kEnded) return *status;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  FAIL("the job did not end");
  return {};
}

}  // namespace

TEST_CASE("a job's output is read as it comes, and its report at the end") {
  Jobs jobs;
  std::atomic<bool> go{false};
  auto id = jobs.start("me", "echo", [&](const RunIo& io) {
    io.on_stdout("first ");
    while (!go) std::this_thread::yield();
    io.on_stdout("second");
    io.on_stderr("oops");
    return exited();
  });
  REQUIRE(id);
  CHECK(id->size() == 32);
  auto status = jobs.status("me", *id, {.wait = std::chrono::seconds(20)});
  REQUIRE(status);
  CHECK(status->out.bytes == "first ");
  CHECK(status->summary.state == JobState::kRunning);
  CHECK_FALSE(status->report);
  go = true;
  const JobStatus last = ended(jobs, "me", *id, {.stdout_from = 6});
  CHECK(last.out.bytes == "second");
  CHECK(last.out.next() == 12);
  CHECK(last.err.bytes == "oops");
  REQUIRE(last.report);
  CHECK(last.report->outcome == Outcome::kExited);
  CHECK(jobs.status("me", *id, {.stdout_from = 99})->out.bytes.empty());
  CHECK(jobs.status("me", *id, {.max_bytes = 3})->out.bytes == "fir");
}

TEST_CASE("a job belongs to whoever started it") {
  Jobs jobs;
  auto id = jobs.start("me", "x", until_cancelled);
  REQUIRE(id);
  CHECK_FALSE(jobs.status("you", *id, {}));
  CHECK_FALSE(jobs.cancel("you", *id));
  CHECK(jobs.list("you").empty());
  CHECK(jobs.list("me").size() == 1);
  CHECK_FALSE(jobs.status("me", "0000", {}));
  CHECK(jobs.status("you", *id, {}).error().message == jobs.status("you", "0000", {}).error().message);
  std::set<std::string> ids;
  Jobs many({.running = 100, .running_of_payer = 100, .kept = 100});
  for (int i = 0; i < 100; ++i) ids.insert(*many.start("me", "x", says("")));
  CHECK(ids.size() == 100);
}

TEST_CASE("a job is cancelled, and so are all at the end") {
  std::atomic<int> over{0};
  const auto work = [&](const RunIo& io) {
    RunReport report = until_cancelled(io);
    ++over;
    return report;
  };
  {
    Jobs jobs;
    auto id = jobs.start("me", "x", work);
    REQUIRE(jobs.start("me", "y", work));
    CHECK(jobs.cancel("me", *id)->state != JobState::kRunning);
    CHECK(ended(jobs, "me", *id).report->outcome == Outcome::kCancelled);
    CHECK(jobs.cancel("me", *id)->state == JobState::kEnded);
    CHECK(over == 1);
  }
  CHECK(over == 2);
}

TEST_CASE("the number of jobs is bounded") {
  Jobs jobs({.running = 3, .running_of_payer = 2, .kept = 4});
  auto first = jobs.start("a", "x", until_cancelled);
  REQUIRE(first);
  REQUIRE(jobs.start("a", "x", until_cancelled));
  auto refused = jobs.start("a", "x", until_cancelled);
  REQUIRE_FALSE(refused);
  CHECK_FALSE(refused.error().hint.empty());
  REQUIRE(jobs.start("b", "x", until_cancelled));
  CHECK_FALSE(jobs.start("c", "x", until_cancelled));
  REQUIRE(jobs.cancel("a", *first));
  ended(jobs, "a", *first);
  std::vector<std::string> ids;
  for (int i = 0; i < 6; ++i) {
    auto id = jobs.start("a", "x", says("x"));
    REQUIRE(id);
    ended(jobs, "a", *id);
    ids.push_back(*id);
  }
  CHECK(jobs.list("a").size() + jobs.list("b").size() == 4);
  CHECK_FALSE(jobs.status("a", ids[0], {}));
  CHECK(jobs.status("a", ids[5], {}));
}

TEST_CASE("owners that share a payer share its places, and see nothing of each other") {
  Jobs jobs({.running = 10, .running_of_payer = 2});
  auto first = jobs.start("a", "x", until_cancelled, "grant");
  REQUIRE(first);
  REQUIRE(jobs.start("b", "x", until_cancelled, "grant"));
  CHECK_FALSE(jobs.start("c", "x", until_cancelled, "grant"));
  CHECK(jobs.start("c", "x", until_cancelled, "another"));
  CHECK_FALSE(jobs.status("b", *first, {}));
  CHECK(jobs.has_running("a"));
  CHECK_FALSE(jobs.has_running("grant"));
  REQUIRE(jobs.cancel("a", *first));
  ended(jobs, "a", *first);
  CHECK_FALSE(jobs.has_running("a"));
}

TEST_CASE("ended jobs are forgotten after a while, those of an owner who left at once") {
  Jobs jobs({.keep_ended = std::chrono::seconds(0)});
  auto id = jobs.start("a", "x", says("x"));
  ended(jobs, "a", *id);
  std::this_thread::sleep_for(std::chrono::milliseconds(2));
  CHECK(jobs.list("a").empty());
  Jobs others;
  auto left = others.start("b", "x", until_cancelled);
  others.drop_owners([](const std::string& owner) { return owner == "b"; });
  CHECK_FALSE(others.status("b", *left, {}));
  CHECK(others.list("b").empty());
}

TEST_CASE("output beyond what is kept is counted and its newest part stays") {
  Jobs jobs({.output_bytes = 1000});
  auto id = jobs.start("me", "x", [](const RunIo& io) {
    for (int i = 0; i < 10'000; ++i) io.on_stdout("0123456789");
    io.on_stdout(std::string(5000, 'x') + "end");
    return RunReport{};
  });
  const JobStatus status = ended(jobs, "me", *id, {.max_bytes = 1 << 20});
  CHECK(status.out.total == 105'003);
  CHECK(status.out.bytes.size() == 1000);
  CHECK(status.out.from == 104'003);
  CHECK(status.out.bytes.ends_with("xxend"));
}

TEST_CASE("waiting ends with news, with the time, and with a cancel") {
  Jobs jobs;
  auto id = jobs.start("me", "x", until_cancelled);
  CHECK(jobs.status("me", *id, {.wait = std::chrono::milliseconds(20)})->summary.state == JobState::kRunning);
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  REQUIRE(::write(ends[1], "x", 1) == 1);
  CHECK(jobs.status("me", *id, {.wait = std::chrono::hours(1), .cancel_fd = ends[0]}));
  ::close(ends[0]);
  ::close(ends[1]);
}
