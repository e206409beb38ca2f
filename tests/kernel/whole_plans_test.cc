// SPDX-License-Identifier: Apache-2.0
// The requests of whole_plans.h: they run, and nothing that a plan can hold is missing from them.
#include "tests/kernel/whole_plans.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "engine/kept_view.h"
#include "tests/support/catch.h"

namespace wardenv::testing {
namespace fs = std::filesystem;
using namespace wardenv::engine;

// The venv lies in a folder of the workspace, so that there is a way to hold, and needs no more than a venv must have.
WholePlan::WholePlan(Shape shape, Ahead ahead) : shape_(shape), request_(testing::request(workspace_, {"touch", "ran"})) {
  fs::create_directories(workspace_.path() + "/.git/hooks");
  fs::create_directories(workspace_.path() + "/.vscode");
  workspace_.write(".git/config", "[core]\n");
  workspace_.write(".mcp.json", "{}\n");
  if (shape == Shape::kVenv) {
    const std::string venv = workspace_.path() + "/tools/venv";
    fs::create_directories(venv + "/bin");
    fs::create_symlink("/usr/bin/python3", venv + "/bin/python");
    workspace_.write("tools/venv/pyvenv.cfg", "home = /usr/bin\n");
    request_.venv = venv;
    request_.network = sandbox::Network::kEgress;
    request_.egress.rules = {*parse_egress_rule("example.org")};
    request_.clock = sandbox::Clock::kOwnNamespace;
    keep_view(system_view());
  } else {
    std::ofstream(state_.path() + "/views") << "in the way";
  }
  plan(ahead);
}

namespace {

PlannedStep planned(const nlohmann::json& step) {
  const bool by_launcher = step["where"] == "launcher";
  const std::string with = step.value("with", "");
  std::string kind = step["do"];
  kind += by_launcher ? " launcher" : " sandbox";
  kind += step["may_be_ahead"] ? " early" : " late";
  if (with.find(" ro") != std::string::npos) kind += " read-only";
  return {step["n"], kind, by_launcher};
}

}  // namespace

void WholePlan::plan(Ahead ahead) {
  const auto text = Engine::plan_json(request_, {}, ahead);
  if (!text) throw std::runtime_error(text.error().message);
  const nlohmann::json document = nlohmann::json::parse(*text);
  for (const auto& step : document["steps"]) steps_.push_back(planned(step));
}

RunRequest WholePlan::request_with(std::uint32_t step, wire::Fault fault) const {
  RunRequest broken = request_;
  broken.fault = {.step = step, .kind = fault, .sys_errno = fault == wire::Fault::kFail ? EIO : 0};
  return broken;
}

std::vector<PlannedStep> WholePlan::chosen_steps() const {
  const char* wanted = std::getenv("WARDENV_FAULTS");
  if (wanted != nullptr && std::string(wanted) == "all") return steps_;
  std::vector<PlannedStep> chosen;
  for (auto step = steps_.rbegin(); step != steps_.rend(); ++step) {
    if (std::none_of(chosen.begin(), chosen.end(), [&](const PlannedStep& other) { return other.kind == step->kind; })) chosen.push_back(*step);
  }
  return chosen;
}

bool WholePlan::ran() const { return ::access((workspace_.path() + "/ran").c_str(), F_OK) == 0; }

}  // namespace wardenv::testing

using namespace wardenv;
using namespace wardenv::engine;
using namespace wardenv::testing;

TEST_CASE("control: the plans whose steps are broken run as they are") {
  for (const WholePlan::Shape shape : {WholePlan::Shape::kVenv, WholePlan::Shape::kNoVenv}) {
    const WholePlan plan(shape);
    auto engine = Engine::create({.ahead = Ahead::kNo, .launcher = {}});
    REQUIRE(engine);
    const RunReport report = engine->run(plan.request());
    INFO(plan.name() << ": " << (report.error ? report.error->message : std::string()) << report.err.text);
    CHECK(report.outcome == Outcome::kExited);
    CHECK(report.exit_code == 0);
    CHECK(plan.ran());
  }
}

TEST_CASE("control: the plan with a venv has a kept view, the other has none") {
  for (const WholePlan::Shape shape : {WholePlan::Shape::kVenv, WholePlan::Shape::kNoVenv}) {
    const WholePlan plan(shape);
    CHECK((Engine::plan_text(plan.request())->find("only-that-folder") != std::string::npos) == (shape == WholePlan::Shape::kVenv));
  }
}

TEST_CASE("between them the plans hold every kind of step") {
  std::set<std::string> kinds;
  for (const WholePlan::Shape shape : {WholePlan::Shape::kVenv, WholePlan::Shape::kNoVenv}) {
    const WholePlan plan(shape);
    for (const PlannedStep& step : plan.chosen_steps()) kinds.insert(step.kind);
  }
  const auto holds = [&](const std::string& kind) {
    return std::any_of(kinds.begin(), kinds.end(), [&](const std::string& other) { return other.rfind(kind, 0) == 0; });
  };
  // `join-cgroup`, `await-maps` and `affinity` are of some hosts and users only.
  for (const char* kind : {"open-tree", "clone launcher", "map-ids", "loopback-up", "hostname", "become-user", "detach", "drop-bounding-set", "new-root",
                           "folder", "file", "symlink sandbox early", "attach sandbox early", "attach sandbox late", "rebind sandbox early",
                           "rebind sandbox late", "rebind sandbox late read-only", "proc", "pts", "no-nested-userns", "mask", "pivot-root", "listen",
                           "seal-root", "rlimit", "drop-capabilities", "no-new-privileges", "close-descriptors", "seccomp", "exec"}) {
    INFO(kind);
    CHECK(holds(kind));
  }
}
