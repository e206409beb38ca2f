// SPDX-License-Identifier: Apache-2.0
// One operation at a time on an environment. Locks of one process keep each other out as those of two do; two processes: tests/mcp/test_tools.py.
#include "engine/project/project_lock.h"

#include <cstdlib>
#include <optional>

#include "tests/support/catch.h"
#include "tests/unit/engine/scratch.h"

using namespace wardenv;
using namespace wardenv::engine;
using namespace wardenv::testing;

namespace {

struct Scene {
  Scene() { ::setenv("WARDENV_STATE", here.at("state").c_str(), 1); }
  ~Scene() { ::unsetenv("WARDENV_STATE"); }

  Folder here;
  std::string venv = here.folder("project") + "/.venv";
};

}  // namespace

TEST_CASE("whoever can't have the lock waits, says for whom, and gives up when it is cancelled") {
  Scene scene;
  std::optional<ProjectLock> holder(std::in_place, Runner{}, scene.venv);
  REQUIRE(holder->held());
  CHECK(holder->waited_for().empty());
  std::vector<std::string> said;
  bool cancelled = false;
  Runner runner;
  runner.cancelled = [&] { return cancelled; };
  runner.say = [&](std::string_view line) { said.emplace_back(line); };
  const std::string process = "(of process " + std::to_string(::getpid()) + ")";

  SECTION("it gives up") {
    runner.say = [&](std::string_view line) {
      said.emplace_back(line);
      cancelled = true;
    };
    const ProjectLock waiting(runner, scene.venv);
    REQUIRE_FALSE(waiting.held());
    CHECK(contains(waiting.held().error().message, process));
    CHECK(said == std::vector<std::string>{"waiting for another operation on this environment " + process, ""});
  }
  SECTION("it gets the lock once that is free") {
    runner.say = [&](std::string_view line) {
      said.emplace_back(line);
      holder.reset();
    };
    const ProjectLock waiting(runner, scene.venv);
    CHECK(waiting.held());
    CHECK(contains(waiting.waited_for(), process));
    CHECK(said.back().empty());
  }
  SECTION("a lock that was given up or let go keeps nobody out") {
    cancelled = true;
    CHECK_FALSE(ProjectLock(runner, scene.venv).held());
    holder.reset();
    CHECK(ProjectLock(runner, scene.venv).held());
  }
  SECTION("another environment is free") {
    CHECK(ProjectLock(runner, scene.here.folder("other") + "/.venv").held());
    CHECK(said.empty());
  }
  SECTION("by another path it is the same") {
    cancelled = true;
    scene.here.link("link", "project");
    CHECK_FALSE(ProjectLock(runner, scene.here.at("link/.venv")).held());
  }
}

TEST_CASE("where nothing can be locked, nothing is done") {
  Scene scene;
  scene.here.file("state");
  const ProjectLock lock(Runner{}, scene.venv);
  REQUIRE_FALSE(lock.held());
  CHECK(contains(lock.held().error().hint, "WARDENV_STATE"));
}

TEST_CASE("the state folder that a lock makes is nobody else's") {
  Scene scene;
  CHECK(ProjectLock(Runner{}, scene.venv).held());
  struct stat status {};
  REQUIRE(::stat(scene.here.at("state").c_str(), &status) == 0);
  CHECK((status.st_mode & 0077) == 0);
}
