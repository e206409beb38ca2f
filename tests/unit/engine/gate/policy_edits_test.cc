// SPDX-License-Identifier: Apache-2.0
// What is in force after the policy was edited, and what never comes into force.
#include "engine/gate/gate.h"

#include <sys/stat.h>
#include <unistd.h>

#include <condition_variable>
#include <mutex>

#include "engine/audit/crypto.h"
#include "tests/support/catch.h"
#include "tests/unit/engine/gate/scene.h"

using namespace wardenv;
using namespace wardenv::engine;
using namespace std::chrono_literals;

TEST_CASE("an edit of the policy counts from the next call on, a wrong one never") {
  const Scene scene;
  auto gate = scene.open(kAllow, Watch::kYes);
  REQUIRE(gate);
  std::mutex mutex;
  std::condition_variable told;
  int changes = 0;
  int refused = 0;
  (*gate)->on_change([&] { const std::lock_guard lock(mutex); ++changes; told.notify_all(); });
  std::string digest;
  (*gate)->on_edit([&](std::string_view now) { const std::lock_guard lock(mutex); digest = now; });
  (*gate)->on_notice([&](std::string_view) { const std::lock_guard lock(mutex); ++refused; told.notify_all(); });
  auto await = [&](int& count, int wanted) {
    std::unique_lock lock(mutex);
    return told.wait_for(lock, 20s, [&] { return count >= wanted; });
  };
  const Admission old = (*gate)->admit(scene.call());
  CHECK(old.allowed());
  write(scene.file, R"({"version": "1", "default": "nonsense"})");
  REQUIRE(await(refused, 1));
  CHECK((*gate)->admit(scene.call()).allowed());
  write(scene.file, R"({"version": "1", "default": "deny"})");
  REQUIRE(await(changes, 1));
  {
    const std::lock_guard lock(mutex);
    CHECK(digest == audit::to_hex(audit::Sha256::of(R"({"version": "1", "default": "deny"})")));
  }
  CHECK_FALSE((*gate)->admit(scene.call()).allowed());
  RunRequest request;
  CHECK(Gate::tighten(old, request));   // a call in flight keeps the policy that it was judged by
  std::ofstream(scene.file) << kAllow;  // in place, too
  REQUIRE(await(changes, 2));
  CHECK((*gate)->admit(scene.call()).allowed());
}

TEST_CASE("an edit counts wherever links lead by then, and in a folder that has taken the place of the policy's") {
  const testing::Folder folder;
  const std::string deny = R"({"version": "1", "default": "deny"})";
  for (const char* name : {"one", "two", "three"}) ::mkdir(folder.at(name).c_str(), 0755);
  for (const char* name : {"one/p", "two/p", "three/p"}) write(folder.at(name), kAllow);
  const std::string link = folder.at("one/link");
  REQUIRE(::symlink(folder.at("one/p").c_str(), link.c_str()) == 0);
  auto gate = Gate::open({.policy_file = link, .state_dir = folder.at("state"), .watch = Watch::kYes});
  REQUIRE(gate);
  std::mutex mutex;
  std::condition_variable told;
  int changes = 0;
  (*gate)->on_change([&] { const std::lock_guard lock(mutex); ++changes; told.notify_all(); });
  auto await = [&](int wanted) {
    std::unique_lock lock(mutex);
    return told.wait_for(lock, 20s, [&] { return changes >= wanted; });
  };
  write(folder.at("two/p"), deny);
  REQUIRE(::symlink(folder.at("two/p").c_str(), (link + ".new").c_str()) == 0);
  REQUIRE(::rename((link + ".new").c_str(), link.c_str()) == 0);
  REQUIRE(await(1));
  write(folder.at("two/p"), kAllow);   // where the link leads now
  REQUIRE(await(2));
  REQUIRE(::symlink("p", folder.at("three/link").c_str()) == 0);
  write(folder.at("three/p"), deny);
  REQUIRE(::rename(folder.at("one").c_str(), folder.at("away").c_str()) == 0);
  REQUIRE(::rename(folder.at("three").c_str(), folder.at("one").c_str()) == 0);
  REQUIRE(await(3));
  write(folder.at("one/p"), kAllow);
  REQUIRE(await(4));
  write(folder.at("one/p"), deny);
  REQUIRE(await(5));
}

TEST_CASE("while the policy is gone the operator hears where it was, and a run that it stopped was not allowed") {
  const Scene scene;
  auto gate = scene.open(kAllow, Watch::kYes);
  REQUIRE(gate);
  std::mutex mutex;
  std::condition_variable told;
  std::string notice;
  (*gate)->on_notice([&](std::string_view line) { const std::lock_guard lock(mutex); notice = line; told.notify_all(); });
  REQUIRE(::unlink(scene.file.c_str()) == 0);
  {
    std::unique_lock lock(mutex);
    REQUIRE(told.wait_for(lock, 20s, [&] { return !notice.empty(); }));
    CHECK(notice.find("the policy is gone") != std::string::npos);
    CHECK(notice.find(scene.file) != std::string::npos);
  }
  const auto effect = [&] {
    const Admission admission = (*gate)->admit(scene.call());
    CHECK(admission.allowed());   // by the old one
    RunReport report = ended(false);
    report.error = Error{ErrorCode::kNotFound, "gone", "", 0};
    (*gate)->finish(admission, report);
    return report.decision->effect;
  };
  CHECK(effect() == "deny");
  write(scene.file, kAllow);
  CHECK(effect() == "allow");   // the control: whatever else kept it from beginning
}

TEST_CASE("a wrong policy, a missing one and one that others can write are refused at the start") {
  const Scene scene;
  CHECK_FALSE(scene.open("{"));
  CHECK_FALSE(Gate::open({.policy_file = scene.folder.at("none"), .state_dir = scene.state}));
  write(scene.file, kAllow);
  ::chmod(scene.file.c_str(), 0666);
  CHECK_FALSE(Gate::open({.policy_file = scene.file, .state_dir = scene.state}));
  CHECK_FALSE(Gate::open({.builtin_policy = "", .state_dir = scene.state}));
  CHECK(Gate::open({.builtin_policy = kAllow, .state_dir = scene.state}));
}
