// SPDX-License-Identifier: Apache-2.0
// A launcher that has no room for one more descriptor can't answer, look or limit: no run goes on without it.
#include <signal.h>
#include <sys/resource.h>

#include <chrono>
#include <thread>
#include <utility>

#include "tests/kernel/support.h"
#include "tests/support/catch.h"

using namespace wardenv;
using namespace wardenv::engine;
using namespace wardenv::testing;

namespace {

Result<Engine> plain_engine() { return Engine::create({.ahead = Ahead::kNo, .launcher = {}}); }

// Answers what the limit was.
rlim_t limit_descriptors(int pid, rlim_t count) {
  rlimit limit{};
  REQUIRE(::prlimit(pid, RLIMIT_NOFILE, nullptr, &limit) == 0);
  const rlim_t before = std::exchange(limit.rlim_cur, count);
  REQUIRE(::prlimit(pid, RLIMIT_NOFILE, &limit, nullptr) == 0);
  return before;
}

// The init of the one sandbox that is prepared; -1 where there is none, or another one is still on its way out.
int waiting_sandbox(const Engine& engine) {
  const std::vector<int> children = children_of(engine.launcher_pid());
  return engine.sandboxes_ahead() == 1 && children.size() == 1 ? children[0] : -1;
}

constexpr int kMostAhead = 4;   // sandboxes that are begun ahead (engine/backstage.cc)

bool is_lost(const RunReport& report) {
  return report.error && report.error->message.find("could not watch over the run") != std::string::npos && report.error->sys_errno == EMFILE;
}

}  // namespace

TEST_CASE("a run whose descriptors the launcher can't take ends, and says so") {
  ScratchFolder workspace;
  auto engine = Engine::create();
  REQUIRE(engine);
  const RunRequest run = request(workspace, {"/usr/bin/true"});
  REQUIRE(engine->run(run).exit_code == 0);
  int waiting = -1;
  REQUIRE(eventually([&] { return (waiting = waiting_sandbox(*engine)) > 0; }));
  REQUIRE(::kill(waiting, SIGSTOP) == 0);  // so that its descriptors come when we want them to
  RunReport report;
  std::thread runner([&] { report = engine->run(run); });
  std::this_thread::sleep_for(std::chrono::milliseconds(300));  // so that the plan has been handed over
  const rlim_t before = limit_descriptors(engine->launcher_pid(), 3);
  ::kill(waiting, SIGCONT);
  runner.join();
  INFO((report.error ? report.error->message : std::string("it ran")));
  CHECK(report.outcome == Outcome::kSetupFailed);
  CHECK(report.exit_status == 125);
  CHECK(is_lost(report));
  limit_descriptors(engine->launcher_pid(), before);
  // What was begun ahead under the low limit may be lost, too: each such run says so, and there are no more of them than are begun ahead.
  int lost = 0;
  for (RunReport next = engine->run(run); next.exit_code != 0; next = engine->run(run)) {
    INFO((next.error ? next.error->message : std::string("it ran")));
    REQUIRE(is_lost(next));
    REQUIRE(++lost <= kMostAhead);
  }
}

TEST_CASE("a run that can't be watched any longer ends, and says so") {
  ScratchFolder workspace;
  auto engine = plain_engine();
  REQUIRE(engine);
  const RunReport control = engine->run(request(workspace, {"/usr/bin/true"}));
  REQUIRE(control.outcome == Outcome::kExited);
  if (control.enforced.memory != sandbox::Holder::kWatchdog) return;   // the same program is run as an ordinary user, too
  std::thread thief([&] {
    eventually([] { return !processes_with("86396").empty(); });
    limit_descriptors(engine->launcher_pid(), 3);
  });
  const RunReport report = engine->run(request(workspace, {"/usr/bin/sleep", "86396"}));
  thief.join();
  CHECK(report.outcome == Outcome::kSetupFailed);
  CHECK(report.exit_status == 125);
  CHECK(is_lost(report));
  CHECK(gone("86396"));
}
