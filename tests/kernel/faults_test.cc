// SPDX-License-Identifier: Apache-2.0
// Each step of the plan is made to fail, and to stand still: every time the run is refused, the step is named, nothing is left.
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <thread>

#include "tests/kernel/support.h"
#include "tests/support/catch.h"

using namespace wardenv;
using namespace wardenv::engine;
using namespace wardenv::testing;

namespace {

// Number of the step that makes the namespaces; the step after it is the launcher's last.
std::uint32_t clone_step(Engine& engine, const RunRequest& request) {
  const std::string text = *engine.plan_text(request);
  return static_cast<std::uint32_t>(std::stoul(text.substr(text.rfind('\n', text.find(" clone ")) + 1)));
}

std::uint32_t step_count(Engine& engine, const RunRequest& request) {
  auto text = engine.plan_text(request);
  REQUIRE(text);
  std::uint32_t steps = 0;
  for (std::size_t at = 0; (at = text->find('\n', at)) != std::string::npos; ++at) {
    steps += at + 3 < text->size() && ((*text)[at + 3] >= '0' && (*text)[at + 3] <= '9') && (*text)[at + 4] == ' ' ? 1 : 0;
  }
  return steps;
}

}  // namespace

TEST_CASE("control: the command of these tests runs") {
  ScratchFolder workspace;
  auto engine = Engine::create();
  REQUIRE(engine);
  const RunReport report = engine->run(request(workspace, {"/usr/bin/touch", "ran"}));
  INFO((report.error ? report.error->message : std::string()) << report.err.text);
  CHECK(report.outcome == Outcome::kExited);
  CHECK(report.exit_code == 0);
  CHECK(::access((workspace.path() + "/ran").c_str(), F_OK) == 0);
}

TEST_CASE("a step that fails refuses the run and is named") {
  ScratchFolder workspace;
  auto engine = Engine::create();
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
  CHECK(cgroup_count() == 0);
}

TEST_CASE("the death of the engine at any step leaves nothing") {
  ScratchFolder workspace;
  const RunRequest plain = request(workspace, {"/usr/bin/touch", "ran"});
  std::uint32_t steps = 0;
  std::uint32_t clone = 0;
  {
    auto engine = Engine::create();
    REQUIRE(engine);
    steps = step_count(*engine, plain);
    clone = clone_step(*engine, plain);
  }
  for (std::uint32_t step = 1; step <= steps; step += 4) {
    INFO("step " << step);
    int ready[2];
    REQUIRE(::pipe(ready) == 0);
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      auto engine = Engine::create();
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
    std::this_thread::sleep_for(std::chrono::milliseconds(25));
    const std::vector<int> inits = children_of(launcher);
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    // Up to the step after the clone, the launcher itself stands in the injected pause() and can't see the end of its engine.
    if (step <= clone + 1) ::kill(launcher, SIGKILL);
    CHECK(gone(launcher));
    for (int init : inits) CHECK(gone(init));
  }
  CHECK(::access((workspace.path() + "/ran").c_str(), F_OK) != 0);
  auto engine = Engine::create();  // sweeps
  CHECK(cgroup_count() == 0);
}

TEST_CASE("the death of the launcher at any step of the sandbox leaves nothing") {
  ScratchFolder workspace;
  RunRequest run = request(workspace, {"/usr/bin/touch", "ran"});
  std::uint32_t steps = 0;
  std::uint32_t clone = 0;
  {
    auto engine = Engine::create();
    REQUIRE(engine);
    steps = step_count(*engine, run);
    clone = clone_step(*engine, run);
  }
  for (std::uint32_t step = clone + 2; step <= steps; step += 5) {
    INFO("step " << step);
    auto engine = Engine::create();
    REQUIRE(engine);
    run.fault = {.step = step, .kind = wire::Fault::kHang};
    std::vector<int> inits;
    std::thread killer([&] {
      for (int i = 0; i < 250 && (inits = children_of(engine->launcher_pid())).empty(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(5));
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
  CHECK(cgroup_count() == 0);
}

TEST_CASE("the death of the launcher is told and takes the run along") {
  ScratchFolder workspace;
  auto engine = Engine::create();
  REQUIRE(engine);
  std::thread killer([&] {
    for (int i = 0; i < 250 && processes_with("86399").empty(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(20));
    ::kill(engine->launcher_pid(), SIGKILL);
  });
  const RunReport report = engine->run(request(workspace, {"/usr/bin/sleep", "86399"}));
  killer.join();
  CHECK(report.outcome == Outcome::kSetupFailed);
  REQUIRE(report.error);
  CHECK(report.error->code == ErrorCode::kLauncher);
  CHECK(gone("86399"));
  CHECK(cgroup_count() == 0);
}

TEST_CASE("the death of init is told and takes the run along") {
  ScratchFolder workspace;
  auto engine = Engine::create();
  REQUIRE(engine);
  std::thread killer([&] {
    for (int i = 0; i < 250 && processes_with("86398").empty(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(20));
    for (int init : children_of(engine->launcher_pid())) ::kill(init, SIGKILL);
  });
  const RunReport report = engine->run(request(workspace, {"/usr/bin/sleep", "86398"}));
  killer.join();
  CHECK(report.outcome == Outcome::kSetupFailed);
  CHECK(gone("86398"));
}

TEST_CASE("runs leave no descriptor, process or control group") {
  ScratchFolder workspace;
  auto engine = Engine::create();
  REQUIRE(engine);
  (void)engine->run(request(workspace, {"/usr/bin/true"}));
  const std::size_t before = open_descriptors();
  const char* more = ::getenv("WARDENV_RUNS");
  const int runs = more != nullptr ? ::atoi(more) : 200;
  for (int i = 0; i < runs; ++i) {
    const RunReport report = engine->run(request(workspace, {"/usr/bin/true"}));
    if (report.exit_code != 0) FAIL("run " << i << ": " << (report.error ? report.error->message : report.err.text));
  }
  CHECK(open_descriptors() == before);
  CHECK(children_of(engine->launcher_pid()).empty());
  CHECK(cgroup_count() == 0);
}
