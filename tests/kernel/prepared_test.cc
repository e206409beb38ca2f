// SPDX-License-Identifier: Apache-2.0
// Sandboxes whose first steps are applied ahead: used once, as strong as any other, and never in the way.
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <nlohmann/json.hpp>
#include <thread>

#include "sandbox/host_facts.h"
#include "sandbox/launcher_client.h"
#include "sandbox/plan.h"
#include "tests/kernel/support.h"
#include "tests/support/catch.h"

using namespace wardenv;
using namespace wardenv::engine;
using namespace wardenv::testing;

namespace {

// The one process below the launcher that is not `old`: -1 where there is none, or more.
int only_child(int launcher, int old) {
  const std::vector<int> children = children_of(launcher);
  return children.size() == 1 && children[0] != old ? children[0] : -1;
}

// Runs, and waits until the run's own sandbox is gone and the next one waits. Answers the init of that.
int run_once(Engine& engine, const RunRequest& run) {
  const RunReport report = engine.run(run);
  INFO((report.error ? report.error->message : std::string()));
  REQUIRE(report.exit_code == 0);
  int waiting = -1;
  const bool there = eventually([&] {
    waiting = engine.sandboxes_ahead() == 1 ? only_child(engine.launcher_pid(), report.init_pid) : -1;
    return waiting > 0;
  });
  REQUIRE(there);
  return waiting;
}

std::uint32_t early_steps(const RunRequest& request, Ahead ahead) {
  std::uint32_t count = 0;
  const auto plan = nlohmann::json::parse(*Engine::plan_json(request, {}, ahead));
  for (const auto& step : plan["steps"]) count += step["may_be_ahead"] ? 1 : 0;
  return count;
}

}  // namespace

TEST_CASE("a single run begins its sandbox while its folders are looked at, and takes it for nothing else") {
  ScratchFolder workspace;
  auto engine = Engine::create({.ahead = Ahead::kNo, .launcher = {}});
  REQUIRE(engine);
  RunRequest run = request(workspace, {"/bin/sh", "-c", "ls -A $HOME; echo x > $HOME/left; echo $WARDENV_RUN_ID"});
  for (int i = 0; i < 3; ++i) {
    const RunReport report = engine->run(run);
    CHECK(report.out.text == report.run_id + "\n");
    const bool v2 = report.enforced.memory == sandbox::Holder::kCgroup2;  // there it is born in a group of its own
    CHECK(report.prepared_steps == (v2 ? 0 : early_steps(run, Ahead::kNo)));
    CHECK(engine->sandboxes_ahead() == 0);
  }
  run.workspace = workspace.path() + "/missing";
  CHECK(engine->run(run).outcome == Outcome::kSetupFailed);
  CHECK(eventually([&] { return children_of(engine->launcher_pid()).empty(); }));
}

TEST_CASE("the second run finds a prepared sandbox, and nothing of the first") {
  ScratchFolder workspace;
  auto engine = Engine::create();
  REQUIRE(engine);
  const RunRequest write = request(workspace, {"/bin/sh", "-c", "echo secret > /tmp/left; echo secret > $HOME/left; echo x > /dev/shm/left"});
  run_once(*engine, write);
  const RunReport second = engine->run(request(workspace, {"/bin/sh", "-c", "ls -A /tmp /dev/shm $HOME; echo $WARDENV_RUN_ID"}));
  CHECK(second.prepared_steps == early_steps(write, Ahead::kYes));
  CHECK(second.out.text.find("left") == std::string::npos);
  CHECK(second.out.text.find(second.run_id) != std::string::npos);
}

TEST_CASE("a sandbox whose first steps fail disturbs no other run, and its own is refused with the step") {
  auto facts = sandbox::probe_host();
  auto program = sandbox::find_launcher();
  REQUIRE((facts && program));
  facts->cgroup = {.why_not = "not here"};
  sandbox::SandboxSpec spec;
  spec.argv = {"/bin/sh", "-c", "sleep 86397"};
  spec.cwd = "/";
  spec.mounts = {{.source = "/usr", .target = "/usr", .stable = true}};
  spec.symlinks = {{"/bin", "usr/bin", true}, {"/lib", "usr/lib", true}, {"/lib64", "usr/lib64", true}};
  const auto good = sandbox::compile(spec, *facts);
  spec.mounts.push_back({.source = "/nowhere-at-all", .target = "/srv", .stable = true});
  const auto bad = sandbox::compile(spec, *facts);
  auto launcher = sandbox::LauncherClient::start(*program);
  REQUIRE((good && bad && launcher));
  const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  const sandbox::LaunchFds fds{null.get(), null.get(), null.get(), {}};
  auto other = launcher->submit(*sandbox::encode(*good), fds);
  REQUIRE(other);
  REQUIRE(eventually([] { return !processes_with("86397").empty(); }));
  auto waiting = launcher->prepare(*sandbox::encode_early(*bad), {});
  REQUIRE(waiting);
  REQUIRE(launcher->submit_to(*waiting, *sandbox::encode(*bad), fds));
  wire::Event event{};
  REQUIRE(::recv(waiting->get(), &event, sizeof event, 0) == static_cast<ssize_t>(sizeof event));
  CHECK(event.kind == wire::EventKind::kFailed);
  CHECK(event.sys_errno == ENOENT);
  REQUIRE((event.step >= 1 && event.step <= bad->steps.size()));
  CHECK(bad->steps[event.step - 1].text == "/nowhere-at-all");
  CHECK(::recv(other->get(), &event, sizeof event, MSG_DONTWAIT) < 0);  // still running
  CHECK_FALSE(processes_with("86397").empty());
  other->reset();
  CHECK(gone("86397"));
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
  ScratchFolder other;   // a run elsewhere leaves one that is begun for any run, and not made ready
  RunRequest run = request(workspace, {"/usr/bin/touch", "ran"});
  const std::uint32_t early = early_steps(run, Ahead::kYes);
  const auto steps = static_cast<std::uint32_t>(nlohmann::json::parse(*Engine::plan_json(run, {}, Ahead::kYes))["steps"].size());
  REQUIRE(early > 30);
  int prepared = 0;
  for (std::uint32_t step = early + 1; step <= steps; ++step) {
    run_once(*engine, request(other, {"/usr/bin/true"}));
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
    ::kill(run_once(*engine, run), SIGKILL);
    REQUIRE(eventually([&] { return children_of(engine->launcher_pid()).empty(); }));
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
    const int init = run_once(*engine, run);
    if (descriptors_of(init) == 0) return;  // not dumpable: only root may look
    const std::size_t held = ::geteuid() == 0 && sandbox::can_nest_trees() ? 5 : 4;   // to the launcher, the new root (and its tmpfs, where that is another), its procfs, its ruleset
    CHECK(eventually([&] { return descriptors_of(init) == held; }));
  }
  SECTION("launcher") {
    auto engine = Engine::create();
    REQUIRE(engine);
    const int init = run_once(*engine, run);
    ::kill(engine->launcher_pid(), SIGKILL);
    CHECK(gone(init));
  }
  SECTION("engine") {
    int init = 0;
    {
      auto engine = Engine::create();
      REQUIRE(engine);
      init = run_once(*engine, run);
    }
    CHECK(gone(init));
  }
  CHECK(no_cgroup_left());
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
