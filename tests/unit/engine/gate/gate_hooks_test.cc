// SPDX-License-Identifier: Apache-2.0
// Hooks on the way of a call through the gate.
#include "engine/gate/gate.h"

#include <signal.h>
#include <sys/eventfd.h>
#include <sys/stat.h>

#include <fstream>

#include "engine/gate/stores.h"
#include "policy/approvals/store.h"
#include "sandbox/base/unique_fd.h"
#include "tests/support/catch.h"
#include "tests/unit/engine/gate/scene.h"

using namespace wardenv;
using namespace wardenv::engine;
using policy::Effect;

TEST_CASE("a hook can deny, or ask for a person, and never allow what is denied") {
  const Scene scene;
  const std::string script = scene.folder.at("hook");
  auto hook = [&](const char* answer) {
    std::ofstream(script) << "#!/bin/sh\ncat >/dev/null\necho '" << answer << "'\n";
    ::chmod(script.c_str(), 0755);
  };
  const std::string hooks = R"(, "hooks": [{"name": "h", "event": "before_run", "run": [")" + script + R"("], "timeout": "10s"}]})";
  auto gate = scene.open(R"({"version": "1", "default": "allow")" + hooks);
  REQUIRE(gate);
  hook(R"({"decision": "allow"})");
  CHECK((*gate)->admit(scene.call()).allowed());
  hook(R"({"decision": "deny", "reason": "not today"})");
  const Admission denied = (*gate)->admit(scene.call());
  CHECK(denied.decision.rule == "/hooks/0");
  CHECK(denied.decision.reason == "not today");
  hook(R"({"decision": "require_approval", "reason": "ask"})");
  CHECK((*gate)->admit(scene.call()).decision.effect == Effect::kRequireApproval);
  hook("nonsense");
  CHECK((*gate)->admit(scene.call()).decision.effect == Effect::kDeny);

  auto closed = scene.open(R"({"version": "1", "default": "deny")" + hooks);
  REQUIRE(closed);
  hook(R"({"decision": "allow"})");
  CHECK((*closed)->admit(scene.call()).decision.rule == "(default deny)");
}

TEST_CASE("a hook's bare name is a program of the system, or a denial") {
  const Scene scene;
  const auto hooked = [&](const std::string& run) {
    auto gate = scene.open(R"({"version": "1", "default": "allow", "hooks": [{"name": "h", "event": "before_run", "run": )" + run + R"(, "timeout": "10s"}]})");
    REQUIRE(gate);
    return (*gate)->admit(scene.call()).decision;
  };
  CHECK(hooked(R"(["printf", "{\"decision\": \"abstain\"}"])").effect == Effect::kAllow);
  CHECK(hooked(R"(["no-such-program-of-ours"])").rule == "/hooks/0");
}

TEST_CASE("a hook after the run can withhold the output") {
  const Scene scene;
  const std::string script = scene.folder.at("hook");
  std::ofstream(script) << "#!/bin/sh\ncat >/dev/null\necho '{\"decision\": \"deny\", \"reason\": \"secret\"}'\n";
  ::chmod(script.c_str(), 0755);
  auto gate = scene.open(R"({"version": "1", "default": "allow", "hooks": [{"name": "h", "event": "after_run", "run": [")" + script + R"("], "timeout": "10s"}]})");
  REQUIRE(gate);
  const Admission admission = (*gate)->admit(scene.call());
  REQUIRE(admission.allowed());
  CHECK(Gate::is_reviewed(admission));
  RunReport report = ended(true);
  (*gate)->finish(admission, report);
  CHECK(report.out.text.empty());
  CHECK(report.exit_status == 77);
  REQUIRE(report.decision);
  CHECK((report.decision->effect == "deny" && report.decision->rule == "/hooks/0"));
  CHECK(report.err.text.find("secret") != std::string::npos);

  const Admission other = (*gate)->admit(scene.call());
  const auto withheld = (*gate)->finish(other, "done", Entered::kYes);
  REQUIRE(withheld);
  CHECK((withheld->rule == "/hooks/0" && withheld->reason == "secret"));
  const Admission nothing = (*gate)->admit(scene.call());
  CHECK_FALSE((*gate)->finish(nothing, "failed", Entered::kNo));   // nothing came of it
  const std::string log = testing::text_of(audit_folder(scene.state) + "/audit.jsonl");
  const std::string reason = R"("decision":"deny","rule":"/hooks/0","reason":"a hook withholds the output: secret")";
  CHECK(log.find(reason) != std::string::npos);
  CHECK(log.find(reason, log.find(reason) + 1) != std::string::npos);
}

TEST_CASE("a call that is cancelled while a hook is asked is refused as cancelled, and takes nothing") {
  const Scene scene;
  const UniqueFd cancel(::eventfd(0, EFD_CLOEXEC));
  const std::string hooks = R"("hooks": [{"name": "h", "event": "before_run", "run": ["echo", "{\"decision\": \"allow\"}"], "timeout": "10s"}])";
  const std::string rule = R"({"action": "require_approval", "limits": [{"counter": "calls", "window": "day", "max": 1}]})";
  auto gate = scene.open(R"({"version": "1", "default": "deny", "tools": {"run_in_venv": )" + rule + "}, " + hooks + "}");
  REQUIRE(gate);
  const Admission waits = (*gate)->admit(scene.call(), cancel.get());
  CHECK_FALSE(waits.cancelled);   // a control: nobody cancelled
  auto store = policy::open_sqlite_approvals(approvals_file(scene.state));
  REQUIRE(store);
  REQUIRE((*store)->approve(waits.approval_id, "somebody"));

  REQUIRE(::eventfd_write(cancel.get(), 1) == 0);
  const Admission cancelled = (*gate)->admit(scene.call(), cancel.get());
  CHECK_FALSE(cancelled.allowed());
  CHECK(cancelled.cancelled);
  CHECK(cancelled.decision.effect == Effect::kDeny);
  CHECK(cancelled.decision.rule == "(cancelled)");
  CHECK(cancelled.approval_id.empty());
  const RunReport report = refusal(cancelled);
  CHECK(report.outcome == Outcome::kCancelled);
  CHECK(report.exit_status == 128 + SIGKILL);
  CHECK_FALSE(report.entered);
  CHECK(testing::text_of(audit_folder(scene.state) + "/audit.jsonl").find(R"~("decision":"deny","rule":"(cancelled)")~") != std::string::npos);

  CHECK((*gate)->admit(scene.call()).allowed());   // approval and quota were there still
  CHECK_FALSE((*gate)->admit(scene.call()).cancelled);
}

TEST_CASE("of several hooks the strictest counts, and none after a denial is asked") {
  const Scene scene;
  const std::string asked = scene.folder.at("asked");
  const auto verdict = [&](const std::string& answers) {
    std::string hooks;
    for (const char c : answers) {
      const char* decision = c == 'a' ? "allow" : c == '-' ? "abstain" : c == '?' ? "require_approval" : "deny";
      hooks += (hooks.empty() ? "" : ", ") + (R"({"name": ")" + std::to_string(hooks.size()) + R"(", "event": "before_run", "timeout": "10s", "run": ["sh", "-c", "echo x >> )") + asked +
               R"(; echo '{\"decision\": \")" + decision + R"(\"}'"]})";
    }
    auto gate = scene.open(R"({"version": "1", "default": "allow", "hooks": [)" + hooks + "]}");
    REQUIRE(gate);
    ::remove(asked.c_str());
    const policy::Decision decision = (*gate)->admit(scene.call()).decision;
    return std::string(policy::to_string(decision.effect)) + " " + std::to_string(testing::text_of(asked).size() / 2);
  };
  CHECK(verdict("-a") == "allow 2");
  CHECK(verdict("?a-") == "require_approval 3");
  CHECK(verdict("a?da") == "deny 3");
}
