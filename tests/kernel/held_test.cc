// SPDX-License-Identifier: Apache-2.0
// A sandbox that is held is made whole, and nothing of its command is ever executed without the engine's word.
#include <fcntl.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
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

Result<Engine> plain_engine() { return Engine::create({.ahead = Ahead::kNo, .launcher = {}}); }

bool has_filter(int pid) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line == "Seccomp:\t2") return true;
  }
  return false;
}

// The init below the launcher once its last step is done, the filter; -1 where that does not come.
int filtered_init(int launcher) {
  int init = -1;
  eventually([&] {
    for (int child : children_of(launcher)) init = has_filter(child) ? child : init;
    return init > 0;
  });
  return init;
}

struct Held {
  ScratchFolder workspace;
  Result<Engine> engine = plain_engine();
  RunRequest wanted = request(workspace, {"/usr/bin/touch", "ran"});
  int init = -1;   // as it was when the question came

  // `then` is done when all steps of the sandbox are behind it.
  RunReport run(const std::function<Status()>& then) {
    RunIo io;
    io.may_enter = [&] {
      init = filtered_init(engine->launcher_pid());
      return then();
    };
    return engine->run(wanted, io);
  }
  [[nodiscard]] bool ran() const { return ::access((workspace.path() + "/ran").c_str(), F_OK) == 0; }
};

Status no_entry() { return fail(ErrorCode::kBadInput, "no entry"); }

}  // namespace

TEST_CASE("a sandbox is whole and has no process but init before it is entered") {
  Held held;
  REQUIRE(held.engine);
  std::vector<int> children{0};
  const RunReport report = held.run([&]() -> Status {
    ::usleep(100'000);   // time enough for what must not happen
    children = children_of(held.init);
    CHECK_FALSE(held.ran());
    return {};
  });
  CHECK(held.init > 0);
  CHECK(children.empty());
  CHECK(report.exit_code == 0);
  CHECK(report.entered);
  CHECK(held.ran());
}

TEST_CASE("a sandbox that was made whole and is refused goes without a trace") {
  Held held;
  REQUIRE(held.engine);
  const RunReport report = held.run(no_entry);
  REQUIRE(report.error);
  CHECK(report.error->message == "no entry");
  CHECK_FALSE(report.entered);
  CHECK(held.init > 0);
  CHECK(gone(held.init));
  CHECK_FALSE(held.ran());
  CHECK(held.run([]() -> Status { return {}; }).exit_code == 0);
  held.engine->close();
  CHECK(no_cgroup_left());
}

TEST_CASE("an answer that is there already is asked for before the sandbox is made") {
  Held held;
  REQUIRE(held.engine);
  RunIo io;
  io.answered = [] { return true; };
  io.may_enter = no_entry;
  CHECK_FALSE(held.engine->run(held.wanted, io).entered);
  CHECK_FALSE(held.ran());
  io.may_enter = []() -> Status { return {}; };
  CHECK(held.engine->run(held.wanted, io).exit_code == 0);
  CHECK(held.ran());
}

TEST_CASE("a run that is cancelled before the answer is never entered, however it is answered") {
  Held held;
  REQUIRE(held.engine);
  const UniqueFd cancel(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  RunIo io;
  io.cancel_fd = cancel.get();
  for (int round = 0; round < 20; ++round) {
    const bool before = round % 2 == 0;   // before the sandbox is made, or while it is held
    const std::uint64_t one = 1;
    if (before) REQUIRE(::write(cancel.get(), &one, sizeof one) == sizeof one);
    io.answered = [before] { return before; };
    io.may_enter = [&]() -> Status {
      if (!before) REQUIRE(::write(cancel.get(), &one, sizeof one) == sizeof one);
      return {};
    };
    const RunReport report = held.engine->run(held.wanted, io);
    CHECK(report.outcome == Outcome::kCancelled);
    CHECK_FALSE(report.entered);
    CHECK_FALSE(held.ran());
    std::uint64_t count = 0;
    REQUIRE(::read(cancel.get(), &count, sizeof count) == sizeof count);
  }
  io = RunIo{};
  CHECK(held.engine->run(held.wanted, io).exit_code == 0);
  CHECK(held.ran());
}

TEST_CASE("the death of the launcher while a sandbox is held leaves nothing, and nothing was entered") {
  Held held;
  REQUIRE(held.engine);
  const RunReport report = held.run([&]() -> Status {
    ::kill(held.engine->launcher_pid(), SIGKILL);
    REQUIRE(gone(held.engine->launcher_pid()));
    return {};
  });
  CHECK(report.outcome == Outcome::kSetupFailed);
  CHECK_FALSE(report.entered);
  REQUIRE(held.init > 0);
  CHECK(gone(held.init));
  CHECK_FALSE(held.ran());
}

TEST_CASE("the death of init while a sandbox is held is told") {
  Held held;
  REQUIRE(held.engine);
  const bool waits = GENERATE(true, false);
  const RunReport report = held.run([&]() -> Status {
    ::kill(held.init, SIGKILL);
    if (waits) REQUIRE(eventually([&] { return children_of(held.engine->launcher_pid()).empty(); }));
    return {};
  });
  CHECK(held.init > 0);
  CHECK(report.outcome == Outcome::kSetupFailed);
  REQUIRE(report.error);
  CHECK(report.error->message == "the sandbox's init was killed from outside");
  CHECK_FALSE(held.ran());
}

TEST_CASE("the death of the engine while a sandbox is held leaves nothing") {
  ScratchFolder workspace;
  int ready[2];
  REQUIRE(::pipe(ready) == 0);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    auto engine = plain_engine();
    const int launcher = engine->launcher_pid();
    RunIo io;
    io.may_enter = [&]() -> Status {
      if (::write(ready[1], &launcher, sizeof launcher) != sizeof launcher) ::_exit(2);
      for (;;) ::pause();
    };
    (void)engine->run(request(workspace, {"/usr/bin/touch", "ran"}), io);
    ::_exit(0);
  }
  int launcher = 0;
  REQUIRE(::read(ready[0], &launcher, sizeof launcher) == sizeof launcher);
  const int init = filtered_init(launcher);
  CHECK(init > 0);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  CHECK(gone(launcher));
  CHECK(gone(init));
  CHECK(::access((workspace.path() + "/ran").c_str(), F_OK) != 0);
  ::close(ready[0]);
  ::close(ready[1]);
  auto engine = Engine::create();  // sweeps
  CHECK(no_cgroup_left());
}

TEST_CASE("a step that fails while a sandbox is held is named, whatever the answer, and nothing was entered") {
  ScratchFolder workspace;
  auto engine = plain_engine();
  REQUIRE(engine);
  RunRequest run = request(workspace, {"/usr/bin/touch", "ran"});
  const auto steps = static_cast<std::uint32_t>(nlohmann::json::parse(*engine->plan_json(run))["steps"].size());
  const bool late = GENERATE(true, false);   // the failure is told before there is an answer
  RunIo io;
  io.may_enter = [&]() -> Status {
    if (late) CHECK(eventually([&] { return children_of(engine->launcher_pid()).empty(); }));
    return {};
  };
  for (std::uint32_t step = 1; step <= steps; ++step) {
    run.fault = {.step = step, .kind = wire::Fault::kFail, .sys_errno = EIO};
    const RunReport report = engine->run(run, io);
    INFO("step " << step << (late ? " late" : ""));
    REQUIRE(report.error);
    CHECK(report.error->message.rfind("step " + std::to_string(step) + " of " + std::to_string(steps) + ": ", 0) == 0);
    CHECK_FALSE(report.entered);
  }
  CHECK(::access((workspace.path() + "/ran").c_str(), F_OK) != 0);
}

TEST_CASE("the wall time of a held run begins with the answer, and then it counts") {
  Held held;
  REQUIRE(held.engine);
  held.wanted.limits.wall_time = std::chrono::milliseconds(1500);
  const RunReport report = held.run([]() -> Status { return ::usleep(2'000'000), Status(); });
  CHECK(report.outcome == Outcome::kExited);
  held.wanted = request(held.workspace, {"/usr/bin/sleep", "86396"});
  held.wanted.limits.wall_time = std::chrono::milliseconds(100);
  CHECK(held.run([]() -> Status { return {}; }).outcome == Outcome::kTimedOut);
  CHECK(gone("86396"));
}

namespace {

// A launcher of our own, and a held plan whose command says that it ran.
struct Launcher {
  Result<sandbox::LauncherClient> client = sandbox::LauncherClient::start(*sandbox::find_launcher());
  std::vector<std::uint8_t> early{};
  std::vector<std::uint8_t> plan{};
  UniqueFd control{};
  UniqueFd output{};   // the read end of the command's

  Launcher() {
    auto facts = sandbox::probe_host();
    REQUIRE((facts && client));
    facts->cgroup = {.why_not = "not here"};
    sandbox::SandboxSpec spec;
    spec.argv = {"/bin/sh", "-c", "echo ran"};
    spec.cwd = "/";
    spec.mounts = {{.source = "/usr", .target = "/usr", .stable = true}};
    spec.symlinks = {{"/bin", "usr/bin", true}, {"/lib", "usr/lib", true}, {"/lib64", "usr/lib64", true}};
    const auto compiled = sandbox::compile(spec, *facts);
    REQUIRE(compiled);
    early = *sandbox::encode_early(*compiled);
    plan = *sandbox::encode(*compiled);
    sandbox::hold(plan);
  }

  void submit(bool prepared) {
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    output = UniqueFd(ends[0]);
    const UniqueFd write(ends[1]);
    const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
    const sandbox::LaunchFds fds{null.get(), write.get(), write.get(), {}};
    auto made = prepared ? client->prepare(early, {}) : client->submit(plan, fds);
    REQUIRE(made);
    if (prepared) REQUIRE(client->submit_to(*made, plan, fds));
    control = std::move(*made);
    REQUIRE(filtered_init(client->pid()) > 0);
  }

  void say(std::string_view word) const { REQUIRE(::send(control.get(), word.data(), word.size(), 0) == static_cast<ssize_t>(word.size())); }

  [[nodiscard]] wire::Event end() const {
    wire::Event event{};
    REQUIRE(::recv(control.get(), &event, sizeof event, 0) == static_cast<ssize_t>(sizeof event));
    return event;
  }

  // Returns once nobody can write any more.
  [[nodiscard]] std::string said() const {
    std::string text;
    char buffer[64];
    for (ssize_t got; (got = ::read(output.get(), buffer, sizeof buffer)) > 0;) text.append(buffer, static_cast<std::size_t>(got));
    return text;
  }
};

}  // namespace

TEST_CASE("a held command is executed at its engine's word, and at nothing else") {
  Launcher launcher;
  const bool prepared = GENERATE(true, false);
  launcher.submit(prepared);
  SECTION("control: the word") {
    CHECK(sandbox::LauncherClient::let_in(launcher.control));
    CHECK(launcher.end().cause == wire::Cause::kOwn);
    CHECK(launcher.said() == "ran\n");
  }
  SECTION("the word of a process that did not start the launcher") {
    const pid_t other = ::fork();
    REQUIRE(other >= 0);
    if (other == 0) ::_exit(sandbox::LauncherClient::let_in(launcher.control) ? 0 : 1);
    int status = -1;
    ::waitpid(other, &status, 0);
    CHECK(status == 0);
    CHECK(launcher.end().cause == wire::Cause::kCancelled);
    CHECK(launcher.said().empty());
  }
  SECTION("other words") {
    launcher.say(GENERATE("c", "x", "gg", "go now"));
    CHECK(launcher.end().cause == wire::Cause::kCancelled);
    CHECK(launcher.said().empty());
  }
  SECTION("the end of the control socket") {
    launcher.control.reset();
    CHECK(launcher.said().empty());
  }
  SECTION("the end of the engine's socket") {
    launcher.client->dismiss();
    launcher.client->wait();
    CHECK(launcher.said().empty());
  }
  SECTION("the death of the launcher") {
    ::kill(launcher.client->pid(), SIGKILL);
    CHECK(launcher.said().empty());
  }
}
