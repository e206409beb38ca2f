// SPDX-License-Identifier: Apache-2.0
// compile(): what single runs are shown of /dev, /etc and /var rather than made.
#include "tests/unit/sandbox/plans.h"

using namespace wardenv;
using namespace wardenv::sandbox;

TEST_CASE("each place is either kept or made, with all that belongs there") {
  for (const bool dev : {false, true}) {
    for (const bool etc : {false, true}) {
      for (const bool var : {false, true}) {
        for (const HostFacts& facts : {root_facts(), user_facts()}) {
          SandboxSpec spec = with_kept_view(Devices::kOfTheHost);
          if (!dev) spec.kept->dev = {};
          if (!etc) spec.kept->etc = {};
          if (!var) spec.kept->var = {};
          const auto plan = compile(spec, facts);
          REQUIRE(plan);
          INFO(to_text(*plan));
          CHECK(has_step(*plan, wire::Op::kAttach, "/etc") == etc);
          CHECK(has_step(*plan, wire::Op::kFile, "/etc/passwd") != etc);
          CHECK(has_step(*plan, wire::Op::kSymlink, "/etc/localtime") != etc);
          CHECK(has_step(*plan, wire::Op::kAttach, "/etc/ld.so.cache") != etc);
          CHECK(has_step(*plan, wire::Op::kAttach, "/etc/ssl/certs"));
          CHECK(has_step(*plan, wire::Op::kAttach, "/dev") == dev);
          CHECK(has_step(*plan, wire::Op::kSymlink, "/dev/fd") != dev);
          CHECK(has_step(*plan, wire::Op::kAttach, "/dev/null"));
          CHECK(has_step(*plan, wire::Op::kAttach, "/dev/shm") == dev);
          CHECK(has_step(*plan, wire::Op::kRebind, "/dev/shm") != dev);
          CHECK(has_step(*plan, wire::Op::kAttach, "/var") == var);
          CHECK(has_step(*plan, wire::Op::kFile, "/var/none") != var);
          CHECK(has_step(*plan, wire::Op::kRebind, "/var/none") != var);
        }
      }
    }
  }
}

TEST_CASE("what is kept is read-only, is one folder and no other, and comes before what lies in it") {
  const auto plan = compile(with_kept_view(Devices::kKept), root_facts());
  REQUIRE(plan);
  for (const PlanStep& step : plan->steps) {
    if (step.op != wire::Op::kOpenTree || !step.text.starts_with("/state/")) continue;
    INFO(step.text);
    CHECK((step.b & 0x3) == 0x3);                                         // read-only, nosuid
    CHECK((step.b & 0x4) == (step.text.ends_with("/dev") ? 0U : 0x4U));   // nodev
    CHECK(step.a >= 11);
    CHECK(step.c == 8);
    CHECK((step.flags & wire::kFlagOptional) == 0);
  }
  const auto attached = [&](const std::string& path) {
    return std::find_if(plan->steps.begin(), plan->steps.end(), [&](const PlanStep& step) { return step.op == wire::Op::kAttach && step.text == path; });
  };
  CHECK(attached("/etc") < attached("/etc/ssl/certs"));
  CHECK(attached("/dev") < attached("/dev/shm"));
}

TEST_CASE("a kept device that the watchdog could not count gives way to another") {
  const SandboxSpec spec = with_kept_view(Devices::kKept);
  const auto with_groups = compile(spec, root_facts());
  HostFacts watched = root_facts();
  watched.cgroup = {.why_not = "none"};
  const auto without = compile(spec, watched);
  REQUIRE(with_groups);
  REQUIRE(without);
  CHECK_FALSE(has_step(*with_groups, wire::Op::kAttach, "/dev/zero"));
  CHECK(has_step(*without, wire::Op::kAttach, "/dev/zero"));
  CHECK(has_step(*without, wire::Op::kOpenTree, "/dev/full"));
  CHECK_FALSE(has_step(*without, wire::Op::kAttach, "/dev/null"));
}

TEST_CASE("where something of the run lies in a place, that is made, not kept") {
  for (const std::string place : {"/dev", "/etc", "/var"}) {
    SandboxSpec spec = with_kept_view(Devices::kKept);
    spec.mounts.push_back({.source = "/srv/x", .target = place + "/of/the/run"});
    const auto plan = compile(spec, user_facts());
    REQUIRE(plan);
    CHECK_FALSE(has_step(*plan, wire::Op::kAttach, place));
    CHECK(has_step(*plan, wire::Op::kAttach, place == "/etc" ? "/dev" : "/etc"));
  }
}
