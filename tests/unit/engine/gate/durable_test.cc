// SPDX-License-Identifier: Apache-2.0
// Reservation and record are both on disk before a call is allowed, whichever of the two fails.
#include <algorithm>
#include <filesystem>

#include "engine/audit/verify.h"
#include "tests/support/catch.h"
#include "tests/unit/engine/gate/scene.h"
#include "tests/unit/policy/quota/watched_log.h"

namespace wardenv::engine {
namespace {

using testing::WatchedLog;

constexpr const char* kTwo = R"({"version": "1", "default": "deny", "tools": {"run_in_venv": {"limits": [{"counter": "c", "window": "day", "max": 2}]}}})";

std::string log_of(const Scene& scene) { return testing::text_of(scene.state + "/audit/audit.jsonl"); }

std::size_t count(const std::string& text, std::string_view part) {
  std::size_t found = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

TEST_CASE("a call that is allowed has its reservation on disk") {
  for (const Watch watch : {Watch::kNo, Watch::kYes}) {
    const Scene scene;
    const WatchedLog watched;
    auto gate = scene.open(kTwo, watch);
    REQUIRE(gate);
    REQUIRE((*gate)->admit(scene.call()).allowed());
    const int before = WatchedLog::syncs;
    CHECK(before > 0);
    CHECK((*gate)->admit(scene.call()).allowed());
    CHECK(WatchedLog::syncs > before);
    CHECK_FALSE((*gate)->admit(scene.call()).allowed());
  }
}

TEST_CASE("a reservation that can't be put on disk stops the call, and the log says that it was refused") {
  for (const Watch watch : {Watch::kNo, Watch::kYes}) {
    const Scene scene;
    const WatchedLog watched;
    auto gate = scene.open(kTwo, watch);
    REQUIRE(gate);
    REQUIRE((*gate)->admit(scene.call()).allowed());   // the control
    WatchedLog::fails = true;
    const Admission refused = (*gate)->admit(scene.call());
    WatchedLog::fails = false;
    CHECK_FALSE(refused.allowed());
    CHECK(refused.decision.rule == "(unavailable)");
    const std::string log = log_of(scene);
    CHECK(log.rfind(R"("decision":"deny")") > log.rfind(R"("decision":"allow")"));
    CHECK(count(log, refused.run_id) >= 1);
    const auto verdict = verify_audit_log(scene.state + "/audit");
    REQUIRE(verdict);
    CHECK_FALSE(verdict->problem);
    const auto open = [](const std::string& note) { return note.find("1 calls that were allowed have no end") != std::string::npos; };
    CHECK(std::any_of(verdict->notes.begin(), verdict->notes.end(), open));   // the first, not the refused one
    auto again = scene.open(kTwo, Watch::kNo);
    REQUIRE(again);
    int allowed = 0;
    for (int i = 0; i < 3; ++i) allowed += (*again)->admit(scene.call()).allowed() ? 1 : 0;
    CHECK(allowed <= 1);   // one is used up; the other is free where giving it back could be put on disk
  }
}

TEST_CASE("a record that can't be written stops the call, and its reservation is given back") {
  const Scene scene;
  auto gate = scene.open(kTwo);
  REQUIRE(gate);
  REQUIRE((*gate)->admit(scene.call()).allowed());
  const std::string folder = scene.state + "/audit";
  std::filesystem::rename(folder, folder + ".away");
  for (int i = 0; i < 4; ++i) CHECK((*gate)->admit(scene.call()).decision.rule == "(unavailable)");
  std::filesystem::rename(folder + ".away", folder);
  CHECK((*gate)->admit(scene.call()).allowed());
  CHECK_FALSE((*gate)->admit(scene.call()).allowed());
}

}  // namespace
}  // namespace wardenv::engine
