// SPDX-License-Identifier: Apache-2.0
// Sandboxes that are made ready ahead in the places of the run before: used only where those are still the very same, and everything is still mounted.
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "engine/places.h"
#include "tests/kernel/support.h"
#include "tests/support/catch.h"
#include "tests/support/files.h"

using namespace wardenv;
using namespace wardenv::engine;
using namespace wardenv::testing;
namespace fs = std::filesystem;

namespace {

// How many steps a sandbox has behind it that is begun ahead for any run like this.
std::uint32_t early_steps(const RunRequest& run) {
  std::uint32_t count = 0;
  const auto plan = nlohmann::json::parse(*Engine::plan_json(run, {}, Ahead::kYes));
  for (const auto& step : plan["steps"]) count += step["may_be_ahead"] ? 1 : 0;
  return count;
}

// One workspace with a repository's configuration in it, and an engine that has run there twice, so that a sandbox waits ready.
struct Ready {
  ScratchFolder workspace;
  std::optional<Engine> engine;
  std::uint32_t early = 0;

  Ready() {
    fs::create_directories(workspace.path() + "/.git/hooks");
    workspace.write(".git/config", "[core]\n");
    workspace.write("note", "first\n");
    auto made = Engine::create();
    REQUIRE(made);
    engine.emplace(std::move(*made));
    early = early_steps(run({"/usr/bin/true"}));
    REQUIRE(early > 0);
    make();
    go_ready(run({"/usr/bin/true"}));
    make();
  }

  // Until a sandbox waits that a run in the same places would find.
  void make() {
    for (int i = 0; i < 2; ++i) {
      CHECK(go({"/usr/bin/true"}).exit_code == 0);
      REQUIRE(eventually([&] { return engine->sandboxes_ahead() > 0; }));
    }
  }

  [[nodiscard]] RunRequest run(std::vector<std::string> argv) const { return request(workspace, std::move(argv)); }

  RunReport go(std::vector<std::string> argv) {
    RunReport report = engine->run(run(std::move(argv)));
    INFO((report.error ? report.error->message : std::string()));
    return report;
  }

  // Whatever else is mounted on this host meanwhile makes a sandbox that waits an old one: then once more.
  RunReport go_ready(const RunRequest& run) {
    RunReport report = engine->run(run);
    for (int i = 0; i < 5 && !was_ready(report); ++i) {
      make();
      report = engine->run(run);
    }
    CHECK(was_ready(report));
    return report;
  }
  RunReport go_ready(std::vector<std::string> argv) { return go_ready(run(std::move(argv))); }

  [[nodiscard]] bool was_ready(const RunReport& report) const { return report.prepared_steps > early; }
};

// The same file at the same place, as a name that was never mounted on.
void unmount_by_link(const std::string& path) {
  struct stat before {};
  struct stat after {};
  REQUIRE(::stat(path.c_str(), &before) == 0);
  REQUIRE(::link(path.c_str(), (path + ".kept").c_str()) == 0);
  REQUIRE(::unlink(path.c_str()) == 0);
  REQUIRE(::link((path + ".kept").c_str(), path.c_str()) == 0);
  REQUIRE(::unlink((path + ".kept").c_str()) == 0);
  REQUIRE(::stat(path.c_str(), &after) == 0);
  REQUIRE(before.st_ino == after.st_ino);
}

constexpr const char* kOverwrite = "echo planted > .git/config; cat .git/config note";

}  // namespace

TEST_CASE("a run in the same places finds its sandbox ready, as strong as any other and with nothing of the last run") {
  Ready ready;
  RunReport report = ready.go_ready({"/bin/sh", "-c", "echo secret > /tmp/left; echo secret > $HOME/left; echo x > made; echo planted > .git/config"});
  CHECK(text_of(ready.workspace.path() + "/made") == "x\n");
  CHECK(text_of(ready.workspace.path() + "/.git/config") == "[core]\n");
  REQUIRE(eventually([&] { return ready.engine->sandboxes_ahead() > 0; }));
  report = ready.go_ready({"/bin/sh", "-c", "ls -A /tmp $HOME /dev/shm; cat made; echo $WARDENV_RUN_ID; grep -E '^(CapEff|NoNewPrivs|Seccomp):' /proc/self/status; ls /proc/self/fd | wc -l"});
  CHECK(report.out.text.find("left") == std::string::npos);
  CHECK(report.out.text.find("x\n" + report.run_id) != std::string::npos);
  CHECK(report.out.text.find("CapEff:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2\n4\n") != std::string::npos);
}

TEST_CASE("what comes with the run is its own: folder, environment, streams, limits of time") {
  Ready ready;
  fs::create_directory(ready.workspace.path() + "/sub");
  RunRequest run = ready.run({"/bin/sh", "-c", "pwd; echo $WORD; echo err >&2; sleep 86395"});
  run.cwd = "sub";
  run.env = {"WORD=here"};
  run.limits.wall_time = std::chrono::milliseconds(300);
  const RunReport report = ready.go_ready(run);
  CHECK(report.outcome == Outcome::kTimedOut);
  CHECK(report.out.text == ready.workspace.path() + "/sub\nhere\n");
  CHECK(report.err.text == "err\n");
}

TEST_CASE("a sandbox that was made ready elsewhere is not used") {
  Ready ready;
  ScratchFolder other;
  other.write("note", "other\n");
  const RunReport report = ready.engine->run(request(other, {"/bin/cat", "note"}));
  CHECK(report.out.text == "other\n");
  CHECK_FALSE(ready.was_ready(report));
}

TEST_CASE("a workspace that was replaced is the new one, with its protected paths") {
  Ready ready;
  const std::string path = ready.workspace.path();
  const std::string aside = path + "-aside";
  fs::rename(path, aside);
  fs::create_directories(path + "/.git/hooks");
  ready.workspace.write(".git/config", "[new]\n");
  ready.workspace.write("note", "second\n");
  const RunReport report = ready.go({"/bin/sh", "-c", kOverwrite});
  CHECK_FALSE(ready.was_ready(report));
  CHECK(report.out.text == "[new]\nsecond\n");
  CHECK(text_of(aside + "/.git/config") == "[core]\n");
  fs::remove_all(aside);
}

TEST_CASE("a protected path that was replaced is protected") {
  Ready ready;
  const std::string git = ready.workspace.path() + "/.git";
  ready.workspace.write(".git/config.lock", "[edited]\n");
  fs::rename(git + "/config.lock", git + "/config");   // as git does it
  RunReport report = ready.go({"/bin/sh", "-c", kOverwrite});
  CHECK_FALSE(ready.was_ready(report));
  CHECK(report.out.text == "[edited]\nfirst\n");
  ready.make();
  fs::rename(git, git + "-aside");
  fs::copy(git + "-aside", git, fs::copy_options::recursive);
  report = ready.go({"/bin/sh", "-c", kOverwrite});
  CHECK_FALSE(ready.was_ready(report));
  CHECK(report.out.text == "[edited]\nfirst\n");
}

TEST_CASE("a protected path that is new is protected") {
  Ready ready;
  fs::create_directory(ready.workspace.path() + "/.vscode");
  ready.workspace.write(".vscode/tasks.json", "{}\n");
  const RunReport report = ready.go({"/bin/sh", "-c", "echo planted > .vscode/tasks.json; cat .vscode/tasks.json"});
  CHECK_FALSE(ready.was_ready(report));
  CHECK(report.out.text == "{}\n");
}

// The same file at the same place, but what was mounted there is gone: the kernel takes a mount away when its place is removed.
TEST_CASE("a sandbox whose mount was taken away meanwhile is not entered") {
  Ready ready;
  const std::string config = ready.workspace.path() + "/.git/config";
  RunReport report;   // its outcome begins as kSetupFailed
  for (int i = 0; i < 20 && (i == 0 || report.outcome != Outcome::kSetupFailed); ++i) {   // see go_ready; and one that waits may still be mounting
    ready.make();
    ::usleep(20'000);
    unmount_by_link(config);
    report = ready.engine->run(ready.run({"/bin/sh", "-c", kOverwrite}));
    CHECK(text_of(config) == "[core]\n");
  }
  CHECK(report.outcome == Outcome::kSetupFailed);
  REQUIRE(report.error);
  CHECK(report.error->message.find(".git/config") != std::string::npos);
  const RunReport again = ready.go({"/bin/sh", "-c", kOverwrite});
  CHECK(again.out.text == "[core]\nfirst\n");
}

TEST_CASE("a workspace that has another owner is mapped for that one") {
  if (::geteuid() != 0) return;   // an ordinary user can't give anything away, and nothing is mapped
  Ready ready;
  REQUIRE(::chown(ready.workspace.path().c_str(), 4242, 4243) == 0);
  const RunReport report = ready.go({"/usr/bin/touch", "made"});
  CHECK_FALSE(ready.was_ready(report));
  struct stat made {};
  REQUIRE(::stat((ready.workspace.path() + "/made").c_str(), &made) == 0);
  CHECK(made.st_uid == 4242);
  CHECK(made.st_gid == 4243);
}

TEST_CASE("what was mounted in the workspace meanwhile is seen") {
  if (::geteuid() != 0) return;   // an ordinary user mounts nothing
  Ready ready;
  const std::string point = ready.workspace.path() + "/data";
  fs::create_directory(point);
  ready.make();
  REQUIRE(::mount("none", point.c_str(), "tmpfs", 0, "size=64k") == 0);
  std::ofstream(point + "/inside") << "mounted\n";
  const RunReport report = ready.go({"/bin/cat", "data/inside"});
  const RunReport after = (::umount2(point.c_str(), MNT_DETACH), ready.go({"/bin/cat", "data/inside"}));
  CHECK_FALSE(ready.was_ready(report));
  CHECK(report.out.text == "mounted\n");
  CHECK_FALSE(ready.was_ready(after));
  CHECK(after.exit_code == 1);
}

TEST_CASE("pinning names what lies at each path, and leaves alone what is not there") {
  ScratchFolder folder;
  fs::create_directories(folder.path() + "/held");
  struct stat top {};
  struct stat held {};
  REQUIRE(::stat(folder.path().c_str(), &top) == 0);
  REQUIRE(::stat((folder.path() + "/held").c_str(), &held) == 0);
  sandbox::LaunchPlan plan;
  plan.steps = {{.op = wire::Op::kOpenTree, .slot = 0, .text = "/usr"},
                {.op = wire::Op::kOpenTree, .flags = wire::kFlagOwnerMapped, .slot = 3, .text = folder.path()},
                {.op = wire::Op::kOpenTree, .slot = 4, .text = folder.path() + "/missing"},
                {.op = wire::Op::kAttach, .slot = 3, .text = "/srv/place"},
                {.op = wire::Op::kRebind, .text = "/srv/place/held"},
                {.op = wire::Op::kRebind, .text = "/srv/placeless"}};
  plan.early_steps = 1;
  plan.ready_steps = 6;
  sandbox::LaunchPlan whole = plan;
  whole.steps[2].flags = wire::kFlagOptional;
  whole.steps.pop_back();
  whole.ready_steps = 5;
  pin_places(whole);
  CHECK(whole.ready_steps == 5);
  pin_places(plan);
  CHECK(plan.steps[0].a == 0);
  CHECK((plan.steps[1].a == top.st_ino && plan.steps[1].c == top.st_dev));
  CHECK(plan.steps[1].text2.starts_with(std::to_string(top.st_uid) + " " + std::to_string(top.st_gid) + " "));
  CHECK(plan.steps[2].a == 0);
  CHECK((plan.steps[4].b == held.st_ino && plan.steps[4].c == held.st_dev));
  CHECK(plan.steps[5].b == 0);
  CHECK(plan.ready_steps == 0);
}

TEST_CASE("two names of one number are told apart where the first is gone") {
  Ready ready;
  const std::string config = ready.workspace.path() + "/.git/config";
  for (const char* text : {"[second]\n", "[third]\n", "[fourth]\n"}) {   // ext4 gives the number of the first to the third
    ready.make();
    for (int i = 0; i < 2; ++i) {
      ready.workspace.write(".git/config.lock", text);
      fs::rename(config + ".lock", config);
    }
    const RunReport report = ready.go({"/bin/sh", "-c", kOverwrite});
    CHECK_FALSE(ready.was_ready(report));
    CHECK(report.out.text == std::string(text) + "first\n");
  }
}

// The word comes late, and a name on which something was mounted was replaced meanwhile.
TEST_CASE("a run that waits for the word is not entered where a mount of its was taken away") {
  for (const bool resident : {true, false}) {
    ScratchFolder workspace;
    fs::create_directories(workspace.path() + "/.git");
    workspace.write(".git/config", "[core]\n");
    auto engine = Engine::create({.ahead = resident ? Ahead::kYes : Ahead::kNo, .launcher = {}});
    REQUIRE(engine);
    for (const bool replaced : {false, true}) {
      RunIo io;
      io.may_enter = [&]() -> Status {
        ::usleep(100'000);   // until all is mounted
        if (replaced) unmount_by_link(workspace.path() + "/.git/config");
        return {};
      };
      RunReport report = engine->run(request(workspace, {"/bin/sh", "-c", "echo planted > .git/config; echo ran"}), io);
      CHECK(text_of(workspace.path() + "/.git/config") == "[core]\n");
      CHECK(report.out.text == (replaced ? "" : "ran\n"));
      CHECK(report.entered == !replaced);
      if (replaced) CHECK(report.outcome == Outcome::kSetupFailed);
    }
  }
}
