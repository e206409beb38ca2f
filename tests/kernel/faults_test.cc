// SPDX-License-Identifier: Apache-2.0
// Each step of the plan is made to fail, and to stand still: every time the run is refused, the step is named, nothing is left.
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <thread>

#include "tests/kernel/support.h"
#include "tests/support/catch.h"

using namespace wardenv;
using namespace wardenv::engine;
using namespace wardenv::testing;

namespace {

// True where the launcher itself does the step: there an injected pause() keeps it from seeing anything else.
bool is_launchers(Engine& engine, const RunRequest& request, std::uint32_t step) {
  const nlohmann::json plan = nlohmann::json::parse(*engine.plan_json(request));
  return plan["steps"][step - 1]["where"] == "launcher";
}

std::uint32_t step_count(Engine& engine, const RunRequest& request) {
  return static_cast<std::uint32_t>(nlohmann::json::parse(*engine.plan_json(request))["steps"].size());
}

Result<Engine> plain_engine() { return Engine::create({.ahead = Ahead::kNo, .launcher = {}}); }

}  // namespace

TEST_CASE("control: the command of these tests runs") {
  ScratchFolder workspace;
  auto engine = plain_engine();
  REQUIRE(engine);
  const RunReport report = engine->run(request(workspace, {"/usr/bin/touch", "ran"}));
  INFO((report.error ? report.error->message : std::string()) << report.err.text);
  CHECK(report.outcome == Outcome::kExited);
  CHECK(report.exit_code == 0);
  CHECK(::access((workspace.path() + "/ran").c_str(), F_OK) == 0);
}

TEST_CASE("a step that fails refuses the run and is named") {
  ScratchFolder workspace;
  auto engine = plain_engine();
  REQUIRE(engine);
  RunRequest run = request(workspace, {"/usr/bin/touch", "ran"});
  const std::uint32_t steps = step_count(*engine, run);
  REQUIRE(steps > 60);
  for (std::uint32_t step = 1; step <= steps; ++step) {
    run.fault = {.step = step, .kind = wire::Fault::kFail, .sys_errno = EIO};
    const RunReport report = engine->run(run);
    REQUIRE(report.error);
    INFO("step " << step << ": " << report.error->message);
    CHECK(report.outcome == Outcome::kSetupFailed);
    CHECK(report.exit_status == 125);
    CHECK(report.error->message.rfind("step " + std::to_string(step) + " of " + std::to_string(steps) + ": ", 0) == 0);
    CHECK(report.error->sys_errno == EIO);
  }
  CHECK(::access((workspace.path() + "/ran").c_str(), F_OK) != 0);
  CHECK(no_cgroup_left());
}

TEST_CASE("the death of the engine at any step leaves nothing") {
  ScratchFolder workspace;
  const RunRequest plain = request(workspace, {"/usr/bin/touch", "ran"});
  std::uint32_t steps = 0;
  std::vector<bool> launchers;
  {
    auto engine = plain_engine();
    REQUIRE(engine);
    steps = step_count(*engine, plain);
    for (std::uint32_t step = 1; step <= steps; ++step) launchers.push_back(is_launchers(*engine, plain, step));
  }
  for (std::uint32_t step = 1; step <= steps; step += 4) {
    INFO("step " << step);
    int ready[2];
    REQUIRE(::pipe(ready) == 0);
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      auto engine = plain_engine();
      RunRequest run = plain;
      run.fault = {.step = step, .kind = wire::Fault::kHang};
      const int launcher = engine->launcher_pid();
      if (::write(ready[1], &launcher, sizeof launcher) != sizeof launcher) ::_exit(2);
      (void)engine->run(run);
      ::_exit(0);
    }
    int launcher = 0;
    REQUIRE(::read(ready[0], &launcher, sizeof launcher) == sizeof launcher);
    ::close(ready[0]);
    ::close(ready[1]);
    std::vector<int> inits;
    const auto there = [&] { return !(inits = children_of(launcher)).empty(); };
    if (!launchers[step - 1]) REQUIRE(eventually(there));
    std::this_thread::sleep_for(std::chrono::milliseconds(25));  // so that the step is reached
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    // There the launcher itself stands in the injected pause() and can't see the end of its engine.
    if (launchers[step - 1]) ::kill(launcher, SIGKILL);
    CHECK(gone(launcher));
    for (int init : inits) CHECK(gone(init));
  }
  CHECK(::access((workspace.path() + "/ran").c_str(), F_OK) != 0);
  auto engine = Engine::create();  // sweeps
  CHECK(no_cgroup_left());
}

TEST_CASE("the death of the launcher at any step of the sandbox leaves nothing") {
  ScratchFolder workspace;
  RunRequest run = request(workspace, {"/usr/bin/touch", "ran"});
  std::uint32_t steps = 0;
  std::vector<bool> launchers;
  {
    auto engine = plain_engine();
    REQUIRE(engine);
    steps = step_count(*engine, run);
    for (std::uint32_t step = 1; step <= steps; ++step) launchers.push_back(is_launchers(*engine, run, step));
  }
  for (std::uint32_t step = 1; step <= steps; step += 5) {
    if (launchers[step - 1]) continue;
    INFO("step " << step);
    auto engine = plain_engine();
    REQUIRE(engine);
    run.fault = {.step = step, .kind = wire::Fault::kHang};
    std::vector<int> inits;
    std::thread killer([&] {
      eventually([&] { return !(inits = children_of(engine->launcher_pid())).empty(); });
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
      ::kill(engine->launcher_pid(), SIGKILL);
    });
    const RunReport report = engine->run(run);
    killer.join();
    CHECK(report.outcome == Outcome::kSetupFailed);
    REQUIRE_FALSE(inits.empty());
    for (int init : inits) CHECK(gone(init));
  }
  CHECK(::access((workspace.path() + "/ran").c_str(), F_OK) != 0);
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

TEST_CASE("runs leave no descriptor, process or control group") {
  const char* more = ::getenv("WARDENV_RUNS");
  const int runs = more != nullptr ? ::atoi(more) : 200;
  ScratchFolder workspace;
  const std::size_t before = open_descriptors();
  const std::string mounts = mount_table();
  for (const Ahead ahead : {Ahead::kNo, Ahead::kYes}) {
    auto engine = Engine::create({.ahead = ahead, .launcher = {}});
    REQUIRE(engine);
    const int launcher = engine->launcher_pid();
    for (int i = 0; i < runs; ++i) {
      const RunReport report = engine->run(request(workspace, {"/usr/bin/true"}));
      if (report.exit_code != 0) FAIL("run " << i << ": " << (report.error ? report.error->message : report.err.text));
    }
    CHECK(descriptors_of(launcher) <= 64);  // its own, one namespace for each owner of a folder, and what is prepared
    CHECK(children_of(launcher).size() <= (ahead == Ahead::kYes ? 8U : 1U));  // what is prepared, and what is on its way out
    engine = tl::unexpected(Error{});
    CHECK(gone(launcher));
    CHECK(open_descriptors() == before);
    CHECK(mount_table() == mounts);
    CHECK(no_cgroup_left());
  }
}
