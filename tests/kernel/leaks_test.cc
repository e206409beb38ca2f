// SPDX-License-Identifier: Apache-2.0
// Many runs leave nothing behind.
#include "tests/kernel/support.h"
#include "tests/support/catch.h"

using namespace wardenv;
using namespace wardenv::engine;
using namespace wardenv::testing;

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
