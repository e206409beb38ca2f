// SPDX-License-Identifier: Apache-2.0
// Each step of the plan is made to fail: every time the run is refused, the step is named, nothing is left.
#include <algorithm>

#include "tests/kernel/whole_plans.h"
#include "tests/support/catch.h"

using namespace wardenv;
using namespace wardenv::engine;
using namespace wardenv::testing;

namespace {

void every_step_is_named(Engine& engine, const WholePlan& plan) {
  const std::string of_all = " of " + std::to_string(plan.steps().size()) + ": ";
  for (const PlannedStep& step : plan.steps()) {
    const RunReport report = engine.run(plan.request_with(step.number, wire::Fault::kFail));
    INFO(plan.name() << ", " << step.kind << ", step " << step.number << ": " << (report.error ? report.error->message : "no error"));
    CHECK(report.outcome == Outcome::kSetupFailed);
    CHECK(report.exit_status == 125);
    REQUIRE(report.error);
    CHECK(report.error->message.rfind("step " + std::to_string(step.number) + of_all, 0) == 0);
    CHECK(report.error->sys_errno == EIO);
  }
}

void leaves_nothing(const Engine& engine, std::size_t most_children) {
  CHECK(eventually([&] { return children_of(engine.launcher_pid()).size() <= most_children; }));
}

}  // namespace

TEST_CASE("a step that fails refuses the run and is named") {
  for (const WholePlan::Shape shape : {WholePlan::Shape::kVenv, WholePlan::Shape::kNoVenv}) {
    const WholePlan plan(shape);
    auto engine = Engine::create({.ahead = Ahead::kNo, .launcher = {}});
    REQUIRE(engine);
    REQUIRE(plan.steps().size() > 60);
    every_step_is_named(*engine, plan);
    leaves_nothing(*engine, 0);
    CHECK_FALSE(plan.ran());
  }
  CHECK(no_cgroup_left());
}

TEST_CASE("so does one that fails in a sandbox that was begun ahead") {
  const WholePlan plan(WholePlan::Shape::kVenv, Ahead::kYes);
  auto engine = Engine::create();
  REQUIRE(engine);
  REQUIRE(engine->run(request(ScratchFolder(), {"true"})).exit_code == 0);
  REQUIRE(eventually([&] { return engine->sandboxes_ahead() > 0; }));
  every_step_is_named(*engine, plan);
  leaves_nothing(*engine, 8);
  CHECK_FALSE(plan.ran());
}
