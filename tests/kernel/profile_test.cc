// SPDX-License-Identifier: Apache-2.0
// What only a policy profile can give: more folders, dangerous variables, an end at too much output.
#include <unistd.h>

#include <filesystem>

#include "sandbox/seccomp/filter.h"
#include "tests/kernel/support.h"
#include "tests/support/catch.h"

using namespace wardenv;
using namespace wardenv::engine;
using namespace wardenv::testing;

namespace {

RunReport run(const RunRequest& wanted) {
  auto engine = Engine::create();
  REQUIRE(engine);
  return engine->run(wanted);
}

bool there(const std::string& path) { return std::filesystem::exists(std::filesystem::symlink_status(path)); }

}  // namespace

TEST_CASE("a profile's folder is seen, and written only where the profile says so") {
  ScratchFolder workspace;
  ScratchFolder data;
  data.write("fact", "42");
  RunRequest wanted = request(workspace, {"/bin/sh", "-c", "cat " + data.path() + "/fact; echo x > " + data.path() + "/left"});
  const RunReport without = run(wanted);
  CHECK(without.out.text.empty());

  wanted.mounts = {{.path = data.path()}};
  const RunReport read_only = run(wanted);
  CHECK(read_only.out.text == "42");
  CHECK(read_only.exit_code != 0);
  CHECK_FALSE(there(data.path() + "/left"));

  wanted.mounts = {{.path = data.path(), .access = Access::kDirect}};
  const RunReport direct = run(wanted);
  CHECK(direct.exit_code == 0);
  CHECK(there(data.path() + "/left"));
}

TEST_CASE("a profile's folder can appear elsewhere, and nowhere where the sandbox has its own") {
  ScratchFolder workspace;
  ScratchFolder data;
  data.write("fact", "42");
  RunRequest wanted = request(workspace, {"/bin/cat", "/srv/models/fact"});
  wanted.mounts = {{.path = data.path(), .target = "/srv/models"}};
  CHECK(run(wanted).out.text == "42");
  for (const char* target : {"/", "/proc", "/proc/1", "/dev", "/dev/shm", "/etc", "/tmp", "/usr", "/home", "/home/wardenv", "/var", "/sys"}) {
    INFO(target);
    wanted.mounts = {{.path = data.path(), .target = target}};
    const RunReport report = run(wanted);
    CHECK(report.outcome == Outcome::kSetupFailed);
    CHECK_FALSE(report.entered);
  }
}

TEST_CASE("a profile's folder never covers what the sandbox has, and must exist") {
  ScratchFolder workspace;
  RunRequest wanted = request(workspace, {"/usr/bin/true"});
  for (const std::string& path : {std::string("/usr"), std::string("/"), workspace.path(), std::string("/no/such/folder")}) {
    INFO(path);
    wanted.mounts = {{.path = path}};
    const RunReport report = run(wanted);
    CHECK(report.outcome == Outcome::kSetupFailed);
    CHECK_FALSE(report.entered);
  }
}

TEST_CASE("a profile may set what --env may not") {
  ScratchFolder workspace;
  RunRequest wanted = request(workspace, {"/bin/sh", "-c", "echo $PYTHONPATH"});
  wanted.profile_env = {"PYTHONPATH=/opt/x"};
  CHECK(run(wanted).out.text == "/opt/x\n");
  wanted.profile_env.clear();
  wanted.env = {"PYTHONPATH=/opt/x"};
  CHECK(run(wanted).outcome == Outcome::kSetupFailed);
  wanted.env.clear();
  wanted.profile_env = {"WARDENV_RUN_ID=forged"};
  CHECK(run(wanted).outcome == Outcome::kSetupFailed);
}

TEST_CASE("too much output ends the run where the profile says so") {
  ScratchFolder workspace;
  RunRequest wanted = request(workspace, {"/bin/sh", "-c", "while :; do echo line; done"});
  wanted.output_limit_bytes = 10'000;
  wanted.on_output_limit = OnOutputLimit::kKill;
  const RunReport killed = run(wanted);
  CHECK(killed.outcome == Outcome::kOutputExceeded);
  CHECK(killed.exit_status == 137);
  CHECK(killed.out.truncated);
  CHECK(killed.out.text.size() < 11'000);

  wanted.argv = {"/bin/sh", "-c", "head -c 10000 /dev/zero"};
  CHECK(run(wanted).outcome == Outcome::kExited);
  wanted.argv = {"/bin/sh", "-c", "head -c 10001 /dev/zero"};
  CHECK(run(wanted).outcome == Outcome::kOutputExceeded);
}

TEST_CASE("a run that was begun is told apart from one that never was") {
  ScratchFolder workspace;
  CHECK(run(request(workspace, {"/usr/bin/true"})).entered);
  CHECK(run(request(workspace, {"/no/such/program"})).entered);
  RunRequest wanted = request(workspace, {"/usr/bin/true"});
  wanted.venv = "/no/such/venv";
  CHECK_FALSE(run(wanted).entered);
}

TEST_CASE("a system call that a profile adds works, and the report says that it was added") {
  ScratchFolder workspace;
  // personality(2): ADDR_NO_RANDOMIZE, as debuggers ask for; answers what it was before.
  RunRequest wanted = request(workspace, {"/usr/bin/python3", "-c", "import ctypes; c = ctypes.CDLL(None, use_errno=True); print(c.personality(0x40000), ctypes.get_errno())"});
  const RunReport without = run(wanted);
  CHECK(without.out.text == "-1 1\n");
  CHECK(without.enforced.degraded.empty());
  const std::vector<std::string> names{"personality"};
  auto cgroup = sandbox::seccomp::compile_filter(sandbox::seccomp::LimitsBy::kCgroup, names);
  auto process = sandbox::seccomp::compile_filter(sandbox::seccomp::LimitsBy::kProcess, names);
  REQUIRE(cgroup);
  REQUIRE(process);
  wanted.filters = std::make_shared<const sandbox::seccomp::FilterPair>(sandbox::seccomp::FilterPair{*cgroup, *process});
  wanted.added_syscalls = names;
  const RunReport with = run(wanted);
  CHECK(with.out.text == "0 0\n");
  CHECK(with.enforced.degraded == std::vector<std::string>{"seccomp:personality"});
}
