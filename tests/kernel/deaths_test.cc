// SPDX-License-Identifier: Apache-2.0
// Engine, launcher and init are killed with SIGKILL while a step of the plan stands still: nothing of the run is left.
// One step of each kind; WARDENV_FAULTS=all takes every step.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <thread>

#include "tests/kernel/whole_plans.h"
#include "tests/support/catch.h"

using namespace wardenv;
using namespace wardenv::engine;
using namespace wardenv::testing;

namespace {

constexpr WholePlan::Shape kShapes[] = {WholePlan::Shape::kVenv, WholePlan::Shape::kNoVenv};

Result<Engine> plain_engine() { return Engine::create({.ahead = Ahead::kNo, .launcher = {}}); }

// State and count of context switches: what stands in pause() shows the same again and again.
std::string activity(int pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/status");
  std::string line, text;
  while (std::getline(file, line)) {
    if (line.rfind("State:", 0) == 0 || line.find("ctxt_switches:") != std::string::npos) text += line + "\n";
  }
  return text;
}

// Waits until `pid` sleeps and does nothing else.
void await_rest(int pid) {
  std::string before;
  int same = 0;
  eventually([&] {
    const std::string now = activity(pid);
    same = now == before && now.find("S (sleeping)") != std::string::npos ? same + 1 : 0;
    before = now;
    return now.empty() || same >= 2;
  });
}

// Process 1 of a PID namespace of its own: the launcher has other children for a moment, that hold a user namespace.
bool is_init(int pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/status");
  std::string line;
  while (std::getline(file, line)) {
    if (line.rfind("NSpid:", 0) == 0) return line.ends_with("\t1") && std::count(line.begin(), line.end(), '\t') > 1;
  }
  return false;
}

std::vector<int> inits_of(int launcher) {
  std::vector<int> inits = children_of(launcher);
  inits.erase(std::remove_if(inits.begin(), inits.end(), [](int pid) { return !is_init(pid); }), inits.end());
  return inits;
}

// The sandbox's first process, once it stands at the step; where the launcher itself does the step it may not have begun.
std::vector<int> await_step(int launcher, const PlannedStep& step) {
  std::vector<int> inits;
  if (!step.by_launcher) eventually([&] { return !(inits = inits_of(launcher)).empty(); });
  await_rest(inits.empty() ? launcher : inits.front());
  return step.by_launcher ? inits_of(launcher) : inits;
}

struct EngineProcess {
  pid_t pid = -1;
  int launcher = -1;
};

// A process of its own, whose engine makes the run.
EngineProcess start_engine(const RunRequest& run) {
  int ready[2];
  REQUIRE(::pipe(ready) == 0);
  EngineProcess process;
  process.pid = ::fork();
  REQUIRE(process.pid >= 0);
  if (process.pid == 0) {
    auto engine = plain_engine();
    const int launcher = engine ? engine->launcher_pid() : -1;
    if (::write(ready[1], &launcher, sizeof launcher) != sizeof launcher) ::_exit(2);
    (void)engine->run(run);
    ::_exit(0);
  }
  REQUIRE(::read(ready[0], &process.launcher, sizeof process.launcher) == sizeof process.launcher);
  ::close(ready[0]);
  ::close(ready[1]);
  REQUIRE(process.launcher > 0);
  return process;
}

void kill_engine_at(const WholePlan& plan, const PlannedStep& step) {
  INFO(plan.name() << ", " << step.kind << ", step " << step.number);
  const EngineProcess engine = start_engine(plan.request_with(step.number, wire::Fault::kHang));
  const std::vector<int> inits = await_step(engine.launcher, step);
  if (!step.by_launcher) CHECK_FALSE(inits.empty());
  ::kill(engine.pid, SIGKILL);
  ::waitpid(engine.pid, nullptr, 0);
  // There the launcher itself stands in the injected pause() and can't see the end of its engine.
  if (step.by_launcher) ::kill(engine.launcher, SIGKILL);
  CHECK(gone(engine.launcher));
  for (const int init : inits) CHECK(gone(init));
}

enum class Victim { kLauncher, kInit };

void kill_at(const WholePlan& plan, const PlannedStep& step, Victim victim) {
  INFO(plan.name() << ", " << step.kind << ", step " << step.number);
  auto engine = plain_engine();
  REQUIRE(engine);
  const int launcher = engine->launcher_pid();
  std::vector<int> inits;
  std::thread killer([&] {
    inits = await_step(launcher, step);
    if (victim == Victim::kLauncher) ::kill(launcher, SIGKILL);
    else for (const int init : inits) ::kill(init, SIGKILL);
  });
  const RunReport report = engine->run(plan.request_with(step.number, wire::Fault::kHang));
  killer.join();
  CHECK(report.outcome == Outcome::kSetupFailed);
  CHECK(report.exit_status == 125);
  CHECK(report.error);
  if (!step.by_launcher) CHECK_FALSE(inits.empty());
  for (const int init : inits) CHECK(gone(init));
}

}  // namespace

TEST_CASE("the death of the engine at any step leaves nothing") {
  for (const WholePlan::Shape shape : kShapes) {
    const WholePlan plan(shape);
    for (const PlannedStep& step : plan.chosen_steps()) kill_engine_at(plan, step);
    CHECK_FALSE(plan.ran());
  }
  auto engine = Engine::create();  // sweeps
  CHECK(no_cgroup_left());
}

TEST_CASE("the death of the launcher at any step leaves nothing") {
  for (const WholePlan::Shape shape : kShapes) {
    const WholePlan plan(shape);
    for (const PlannedStep& step : plan.chosen_steps()) kill_at(plan, step, Victim::kLauncher);
    CHECK_FALSE(plan.ran());
  }
  CHECK(no_cgroup_left());
}

// Where the launcher does the step, it stands still itself: there is nothing that init's death could tell it.
TEST_CASE("the death of init at any step of the sandbox is told and leaves nothing") {
  for (const WholePlan::Shape shape : kShapes) {
    const WholePlan plan(shape);
    for (const PlannedStep& step : plan.chosen_steps()) {
      if (!step.by_launcher) kill_at(plan, step, Victim::kInit);
    }
    CHECK_FALSE(plan.ran());
  }
  CHECK(no_cgroup_left());
}

TEST_CASE("the death of the launcher is told and takes the run along") {
  ScratchFolder workspace;
  auto engine = plain_engine();
  REQUIRE(engine);
  std::thread killer([&] {
    eventually([] { return !processes_with("86399").empty(); });
    ::kill(engine->launcher_pid(), SIGKILL);
  });
  const RunReport report = engine->run(request(workspace, {"/usr/bin/sleep", "86399"}));
  killer.join();
  CHECK(report.outcome == Outcome::kSetupFailed);
  REQUIRE(report.error);
  CHECK(report.error->code == ErrorCode::kLauncher);
  CHECK(gone("86399"));
  CHECK(no_cgroup_left());
}

TEST_CASE("the death of init is told and takes the run along") {
  ScratchFolder workspace;
  auto engine = plain_engine();
  REQUIRE(engine);
  std::thread killer([&] {
    eventually([] { return !processes_with("86398").empty(); });
    for (int init : children_of(engine->launcher_pid())) ::kill(init, SIGKILL);
  });
  const RunReport report = engine->run(request(workspace, {"/usr/bin/sleep", "86398"}));
  killer.join();
  CHECK(report.outcome == Outcome::kSetupFailed);
  CHECK(gone("86398"));
}
