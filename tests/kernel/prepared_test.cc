// SPDX-License-Identifier: Apache-2.0
// Sandboxes whose first steps are applied ahead: used once, as strong as any other, and never in the way.
#include <dirent.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <thread>

#include "tests/kernel/support.h"
#include "tests/support/catch.h"

using namespace wardenv;
using namespace wardenv::engine;
using namespace wardenv::testing;

namespace {

std::vector<int> wait_for_children(int launcher, std::size_t count) {
  std::vector<int> children;
  for (int i = 0; i < 400 && (children = children_of(launcher)).size() != count; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  return children;
}

// After it, one sandbox is prepared and nothing else runs.
void run_once(Engine& engine, const RunRequest& run) {
  REQUIRE(engine.run(run).exit_code == 0);
  REQUIRE(wait_for_children(engine.launcher_pid(), 1).size() == 1);
}

std::uint32_t early_steps(Engine& engine, const RunRequest& request) {
  std::uint32_t count = 0;
  const auto plan = nlohmann::json::parse(*engine.plan_json(request));
  for (const auto& step : plan["steps"]) count += step["may_be_ahead"] ? 1 : 0;
  return count;
}

}  // namespace

TEST_CASE("the second run finds a prepared sandbox, and nothing of the first") {
  ScratchFolder workspace;
  auto engine = Engine::create();
  REQUIRE(engine);
  const RunRequest write = request(workspace, {"/bin/sh", "-c", "echo secret > /tmp/left; echo secret > $HOME/left; echo x > /dev/shm/left"});
  const RunReport first = engine->run(write);
  REQUIRE(first.exit_code == 0);
  CHECK(first.prepared_steps == 0);
  REQUIRE(wait_for_children(engine->launcher_pid(), 1).size() == 1);
  const RunReport second = engine->run(request(workspace, {"/bin/sh", "-c", "ls -A /tmp /dev/shm $HOME; echo $WARDENV_RUN_ID"}));
  CHECK(second.prepared_steps == early_steps(*engine, write));
  CHECK(second.out.text.find("left") == std::string::npos);
  CHECK(second.out.text.find(second.run_id) != std::string::npos);
}

TEST_CASE("a prepared sandbox is not used for a run that begins otherwise") {
  ScratchFolder workspace;
  auto engine = Engine::create();
  REQUIRE(engine);
  RunRequest run = request(workspace, {"/bin/sh", "-c", "df -k --output=size /tmp | tail -1"});
  run_once(*engine, run);
  run.limits.tmp_bytes = 8ULL << 20;
  const RunReport report = engine->run(run);
  CHECK(report.exit_code == 0);
  CHECK(report.prepared_steps == 0);
  CHECK(std::stoi(report.out.text) < 16 * 1024);
}

TEST_CASE("a step that fails after the prepared ones refuses the run and is named") {
  ScratchFolder workspace;
  auto engine = Engine::create();
  REQUIRE(engine);
  RunRequest run = request(workspace, {"/usr/bin/touch", "ran"});
  const std::uint32_t early = early_steps(*engine, run);
  const auto steps = static_cast<std::uint32_t>(nlohmann::json::parse(*engine->plan_json(run))["steps"].size());
  REQUIRE(early > 30);
  int prepared = 0;
  for (std::uint32_t step = early + 1; step <= steps; ++step) {
    run.fault = {};
    run.argv = {"/usr/bin/true"};
    run_once(*engine, run);
    run.argv = {"/usr/bin/touch", "ran"};
    run.fault = {.step = step, .kind = wire::Fault::kFail, .sys_errno = EIO};
    const RunReport report = engine->run(run);
    REQUIRE(report.error);
    INFO("step " << step << ": " << report.error->message);
    CHECK(report.outcome == Outcome::kSetupFailed);
    CHECK(report.error->message.rfind("step " + std::to_string(step) + " of " + std::to_string(steps) + ": ", 0) == 0);
    prepared += report.prepared_steps == early ? 1 : 0;
  }
  CHECK(prepared > 5);
  CHECK(::access((workspace.path() + "/ran").c_str(), F_OK) != 0);
}

TEST_CASE("where a prepared sandbox has died, the run is made from nothing") {
  ScratchFolder workspace;
  auto engine = Engine::create();
  REQUIRE(engine);
  const RunRequest run = request(workspace, {"/usr/bin/true"});
  for (int i = 0; i < 20; ++i) {
    run_once(*engine, run);
    for (int init : children_of(engine->launcher_pid())) ::kill(init, SIGKILL);
    REQUIRE(wait_for_children(engine->launcher_pid(), 0).empty());
    const RunReport report = engine->run(run);
    INFO((report.error ? report.error->message : std::string()));
    CHECK(report.exit_code == 0);
    CHECK(report.prepared_steps == 0);
  }
}

TEST_CASE("a prepared sandbox holds nothing of the launcher's and dies with it or with the engine") {
  ScratchFolder workspace;
  const RunRequest run = request(workspace, {"/usr/bin/true"});
  SECTION("descriptors") {
    auto engine = Engine::create();
    REQUIRE(engine);
    run_once(*engine, run);
    const int init = children_of(engine->launcher_pid()).at(0);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    std::size_t count = 0;
    DIR* folder = ::opendir(("/proc/" + std::to_string(init) + "/fd").c_str());
    if (folder == nullptr) return;  // not dumpable: only root may look
    while (const dirent* entry = ::readdir(folder)) count += entry->d_name[0] != '.' ? 1 : 0;
    ::closedir(folder);
    CHECK(count == 3);  // to the launcher, the new root, its procfs
  }
  SECTION("launcher") {
    auto engine = Engine::create();
    REQUIRE(engine);
    run_once(*engine, run);
    const int init = children_of(engine->launcher_pid()).at(0);
    ::kill(engine->launcher_pid(), SIGKILL);
    CHECK(gone(init));
  }
  SECTION("engine") {
    int init = 0;
    {
      auto engine = Engine::create();
      REQUIRE(engine);
      run_once(*engine, run);
      init = children_of(engine->launcher_pid()).at(0);
    }
    CHECK(gone(init));
  }
  CHECK(cgroup_count() == 0);
}

TEST_CASE("many callers share one engine") {
  ScratchFolder workspace;
  auto engine = Engine::create();
  REQUIRE(engine);
  constexpr int kThreads = 8, kRuns = 25;
  std::vector<std::thread> threads;
  std::atomic<int> right = 0;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kRuns; ++i) {
        const std::string word = std::to_string(t) + "-" + std::to_string(i);
        const RunReport report = engine->run(request(workspace, {"/bin/sh", "-c", "echo $0; exit 7", word}));
        right += report.exit_code == 7 && report.out.text == word + "\n" ? 1 : 0;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(right == kThreads * kRuns);
}
