// SPDX-License-Identifier: Apache-2.0
// A sandbox that is ready is not entered before the caller says so.
#include <unistd.h>

#include "tests/kernel/support.h"
#include "tests/support/catch.h"

using namespace wardenv;
using namespace wardenv::engine;
using namespace wardenv::testing;

namespace {

bool is_there(const ScratchFolder& workspace, const char* name) { return ::access((workspace.path() + "/" + name).c_str(), F_OK) == 0; }

}  // namespace

TEST_CASE("nothing of a command happens before it may be entered, and nothing at all where it may not") {
  for (const Ahead ahead : {Ahead::kYes, Ahead::kNo}) {
    ScratchFolder workspace;
    auto engine = Engine::create({.ahead = ahead, .launcher = {}});
    REQUIRE(engine);
    const RunRequest wanted = request(workspace, {"touch", "entered"});
    int asked = 0;
    RunIo io;
    io.may_enter = [&]() -> Status {
      ++asked;
      ::usleep(200'000);   // time enough for what must not happen
      return fail(ErrorCode::kBadInput, "no entry");
    };
    const RunReport refused = engine->run(wanted, io);
    CHECK(asked == 1);
    CHECK(refused.outcome == Outcome::kSetupFailed);
    CHECK_FALSE(refused.entered);
    REQUIRE(refused.error);
    CHECK(refused.error->message == "no entry");
    CHECK_FALSE(is_there(workspace, "entered"));

    bool early = false;
    io.may_enter = [&]() -> Status {
      ::usleep(200'000);
      early = is_there(workspace, "entered");
      return {};
    };
    CHECK(engine->run(wanted, io).exit_code == 0);
    CHECK_FALSE(early);
    CHECK(is_there(workspace, "entered"));
  }
}

TEST_CASE("with named egress the question comes before presets ask programs of the environment") {
  ScratchFolder workspace;
  auto engine = Engine::create({.ahead = Ahead::kNo, .launcher = {}});
  REQUIRE(engine);
  RunRequest wanted = request(workspace, {"true"});
  wanted.network = sandbox::Network::kEgress;
  wanted.egress.presets = {*parse_egress_preset("pip-index")};
  wanted.venv = "/no/such/environment";   // looking into it would be another error
  RunIo io;
  io.may_enter = []() -> Status { return fail(ErrorCode::kBadInput, "no entry"); };
  const RunReport refused = engine->run(wanted, io);
  REQUIRE(refused.error);
  CHECK(refused.error->message == "no entry");
}
