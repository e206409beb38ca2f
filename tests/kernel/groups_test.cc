// SPDX-License-Identifier: Apache-2.0
// Control groups that serve one run after another: as good as new ones, or not used again.
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <set>

#include "engine/run_loop.h"
#include "sandbox/cgroup.h"
#include "tests/kernel/support.h"
#include "tests/support/catch.h"
#include "tests/support/files.h"

using namespace wardenv;
using namespace wardenv::engine;
using namespace wardenv::testing;
namespace fs = std::filesystem;

namespace {

constexpr sandbox::CgroupPlan kPlan{.kind = sandbox::CgroupKind::kV1, .memory_bytes = 64 << 20, .processes = 33, .cpu_quota_us = 150'000};
enum Hierarchy : std::size_t { kMemory, kPids, kCpu };

// Only v1 groups are used again.
bool has_v1(const char* test) {
  const bool here = sandbox::probe_cgroup().kind == sandbox::CgroupKind::kV1;
  if (!here) std::printf("SKIPPED %s: no cgroup v1 that is ours on this host\n", test);
  return here;
}

sandbox::CgroupLeaf make_leaf() {
  auto leaf = sandbox::CgroupLeaf::create(sandbox::probe_cgroup(), kPlan);
  REQUIRE(leaf);
  return std::move(*leaf);
}

std::string folder_of(int tasks) { return fs::read_symlink("/proc/self/fd/" + std::to_string(tasks)).parent_path(); }

std::string text_of(const sandbox::CgroupLeaf& leaf, Hierarchy hierarchy, const std::string& file) {
  return testing::text_of(folder_of(leaf.join_fds().at(hierarchy)) + "/" + file);
}

void change(const sandbox::CgroupLeaf& leaf, Hierarchy hierarchy, const std::string& file, const std::string& value) {
  std::ofstream stream(folder_of(leaf.join_fds().at(hierarchy)) + "/" + file);
  stream << value << std::flush;
  REQUIRE(stream.good());
}

void join(const std::vector<int>& tasks) {
  for (int fd : tasks) {
    if (::write(fd, "0", 1) != 1) ::_exit(99);
  }
}

// A process in the group, to its end; answers its wait status.
int live_in(const sandbox::CgroupLeaf& leaf, const std::function<void()>& life = [] {}) {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    join(leaf.join_fds());
    life();
    ::_exit(0);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  return status;
}

void touch_memory(std::size_t bytes) {
  void* memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (memory == MAP_FAILED) ::_exit(98);
}

// Names of the groups that this process holds.
std::set<std::string> own_groups() {
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator("/proc/self/fd")) {
    std::error_code ignored;
    const fs::path file = fs::read_symlink(entry.path(), ignored);
    if (file.filename() == "tasks") names.insert(file.parent_path().filename());
  }
  return names;
}

// All groups that an engine has had while it made so many runs, one after another.
std::set<std::string> groups_of(Engine& engine, const RunRequest& run, int runs, const std::function<void(const RunReport&)>& check) {
  std::set<std::string> all;
  for (int i = 0; i < runs; ++i) {
    const RunReport report = engine.run(run);
    INFO((report.error ? report.error->message : std::string()));
    check(report);
    REQUIRE(eventually([&] { return engine.sandboxes_ahead() == 1; }));
    all.merge(own_groups());
  }
  return all;
}

void expect_exit(const RunReport& report) { CHECK(report.exit_code == 0); }

}  // namespace

TEST_CASE("a control group that one process has lived in is renewed, with its limits and without a trace") {
  if (!has_v1("renewed groups")) return;
  sandbox::CgroupLeaf leaf = make_leaf();
  REQUIRE(leaf.renew());   // control: nobody was ever in it
  CHECK(live_in(leaf, [] { touch_memory(32 << 20); }) == 0);
  CHECK(leaf.usage().peak_memory_bytes >= 32 << 20);
  REQUIRE(leaf.renew());
  CHECK(leaf.usage().peak_memory_bytes == 0);
  CHECK(leaf.usage().peak_processes <= 1);
  CHECK(leaf.limits() == kPlan);
  CHECK(live_in(leaf, [] { touch_memory(8 << 20); }) == 0);
  CHECK(leaf.usage().peak_memory_bytes >= 7 << 20);
  CHECK(leaf.usage().peak_memory_bytes < 16 << 20);
}

TEST_CASE("what was changed by hand does not outlast the renewal of a control group") {
  if (!has_v1("limits of renewed groups")) return;
  struct Case {
    Hierarchy hierarchy;
    const char* file;
    const char* value;
  };
  sandbox::CgroupLeaf leaf = make_leaf();
  SECTION("limits are written anew") {
    for (const Case& item : {Case{kMemory, "memory.limit_in_bytes", "8388608"}, Case{kPids, "pids.max", "max"}, Case{kPids, "pids.max", "5"},
                             Case{kCpu, "cpu.cfs_quota_us", "-1"}, Case{kCpu, "cpu.cfs_quota_us", "10000"}}) {
      INFO(item.file << " " << item.value);
      const std::string before = text_of(leaf, item.hierarchy, item.file);
      change(leaf, item.hierarchy, item.file, item.value);
      CHECK(text_of(leaf, item.hierarchy, item.file) != before);
      REQUIRE(leaf.renew());
      CHECK(text_of(leaf, item.hierarchy, item.file) == before);
    }
  }
  SECTION("limits of memory with swap are written anew, or nothing is") {
    const std::string file = "memory.memsw.limit_in_bytes";
    const std::string before = text_of(leaf, kMemory, file);
    if (before.empty()) return;   // no accounting of swap
    change(leaf, kMemory, file, "-1");
    REQUIRE(leaf.renew());
    CHECK(text_of(leaf, kMemory, file) == before);
    change(leaf, kMemory, "memory.limit_in_bytes", "8388608");
    change(leaf, kMemory, file, "8388608");
    CHECK_FALSE(leaf.renew());
  }
  SECTION("what is not ours to write is compared") {
    const Case item = GENERATE(Case{kMemory, "memory.oom_control", "1"}, Case{kCpu, "cpu.cfs_period_us", "200000"},
                               Case{kCpu, "cpu.cfs_burst_us", "20000"});
    INFO(item.file);
    if (text_of(leaf, item.hierarchy, item.file).empty()) return;   // this kernel has no such file
    change(leaf, item.hierarchy, item.file, item.value);
    CHECK_FALSE(leaf.renew());
  }
}

TEST_CASE("a control group that something is left in is not renewed") {
  if (!has_v1("groups that are not renewed")) return;
  sandbox::CgroupLeaf leaf = make_leaf();
  REQUIRE(leaf.renew());   // its files are open from here on: what they told then must not be told again
  SECTION("a process, in any of the hierarchies") {
    const auto hierarchy = GENERATE(as<std::size_t>{}, kMemory, kPids, kCpu);
    int ready[2];
    REQUIRE(::pipe(ready) == 0);
    const pid_t child = ::fork();
    if (child == 0) {
      join({leaf.join_fds().at(hierarchy)});
      (void)!::write(ready[1], "r", 1);
      for (;;) ::pause();
    }
    char byte = 0;
    REQUIRE(::read(ready[0], &byte, 1) == 1);
    CHECK_FALSE(leaf.renew());
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    CHECK(leaf.renew());
    ::close(ready[0]);
    ::close(ready[1]);
  }
  SECTION("memory") {
    const UniqueFd file(::memfd_create("left", MFD_CLOEXEC));
    const auto fill = [&](off_t bytes) {
      return live_in(leaf, [&] { ::_exit(::fallocate(file.get(), 0, 0, bytes) == 0 ? 0 : 97); });
    };
    CHECK(fill(64 << 10) == 0);
    CHECK(leaf.renew());
    CHECK(leaf.usage().peak_memory_bytes == 0);
    CHECK(fill(4 << 20) == 0);
    CHECK_FALSE(leaf.renew());
  }
#ifndef __SANITIZE_THREAD__   // it has a thread of its own in each process, which counts
  SECTION("the highest number of processes") {
    if (text_of(leaf, kPids, "pids.peak").empty()) return;   // this kernel does not tell it
    const auto with_children = [&](int count) {
      return live_in(leaf, [=] {
        for (int i = 0; i < count; ++i) {
          if (::fork() == 0) ::_exit(0);
        }
        for (int i = 0; i < count; ++i) ::wait(nullptr);
        ::_exit(0);
      });
    };
    CHECK(with_children(1) == 0);
    CHECK(leaf.renew());
    for (int i = 0; i < 20; ++i) CHECK(with_children(3) == 0);   // those that live at the same time are counted
    CHECK_FALSE(leaf.renew());
  }
#endif
  SECTION("a death for want of memory") {
    const int status = live_in(leaf, [] { touch_memory(128 << 20); });
    CHECK((WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL));
    CHECK_FALSE(leaf.renew());
  }
}

TEST_CASE("the files of a group that serves again stay open, but for `tasks` and where descriptors are scarce") {
  if (!has_v1("files of renewed groups")) return;
  const auto files_of = [](const sandbox::CgroupLeaf& leaf) {
    std::multiset<std::string> names;
    for (const auto& entry : fs::directory_iterator("/proc/self/fd")) {
      std::error_code ignored;
      const fs::path file = fs::read_symlink(entry.path(), ignored);
      if (file.parent_path().filename() == fs::path(folder_of(leaf.join_fds()[0])).filename()) names.insert(file.filename());
    }
    return names;
  };
  std::vector<UniqueFd> taken;
  sandbox::CgroupLeaf leaf = make_leaf();
  const auto before = files_of(leaf);
  CHECK(before.count("pids.current") == 0);
  SECTION("low ones are kept") {
    for (int i = 0; i < 3; ++i) REQUIRE(leaf.renew());
    const auto after = files_of(leaf);
    CHECK(after.count("pids.current") == 1);
    CHECK(after.count("cpu.cfs_quota_us") == 1);
    CHECK(after.count("tasks") == before.count("tasks"));
    leaf.remove();
    for (const auto& entry : fs::directory_iterator("/proc/self/fd")) {
      std::error_code ignored;
      CHECK(fs::read_symlink(entry.path(), ignored).filename() != "pids.current");
    }
  }
  SECTION("high ones are not") {
    while (taken.empty() || taken.back().get() <= 256) {
      taken.emplace_back(::open("/dev/null", O_RDONLY | O_CLOEXEC));
      REQUIRE(taken.back().valid());
    }
    REQUIRE(leaf.renew());
    CHECK(files_of(leaf) == before);
  }
}

TEST_CASE("a group that can't be read, or of another kind, is not renewed") {
  CHECK_FALSE(sandbox::CgroupLeaf().renew());
  if (!has_v1("groups that are gone")) return;
  sandbox::CgroupLeaf leaf = make_leaf();
  if (GENERATE(false, true)) REQUIRE(leaf.renew());
  const auto hierarchy = GENERATE(as<std::size_t>{}, kMemory, kPids, kCpu);
  REQUIRE(::rmdir(folder_of(leaf.join_fds().at(hierarchy)).c_str()) == 0);
  CHECK_FALSE(leaf.renew());
}

TEST_CASE("the group of a run whose one process has ended serves later runs, which are accounted for their own use") {
  if (!has_v1("groups of later runs")) return;
  ScratchFolder workspace;
  auto engine = Engine::create();
  REQUIRE(engine);
  constexpr int kRuns = 20;
  const RunRequest big = request(workspace, {"/usr/bin/dd", "if=/dev/zero", "of=/dev/null", "bs=64M", "count=1", "status=none"});
  const RunRequest small = request(workspace, {"/usr/bin/true"});
  std::set<std::string> groups;
  for (int i = 0; i < kRuns / 2; ++i) {
    groups.merge(groups_of(*engine, big, 1, [](const RunReport& report) {
      CHECK(report.exit_code == 0);
      CHECK(report.usage.peak_memory_bytes >= 64 << 20);
    }));
    groups.merge(groups_of(*engine, small, 1, [](const RunReport& report) {
      CHECK(report.exit_code == 0);
      CHECK(report.usage.peak_memory_bytes < 16 << 20);
      CHECK(report.usage.peak_processes == 1);
    }));
  }
  CHECK(groups.size() < kRuns / 2);
  const RunRequest many = request(workspace, {"/bin/sh", "-c", "sleep 0.01 & sleep 0.01; wait"});
  CHECK(groups_of(*engine, many, kRuns, expect_exit).size() >= kRuns);   // each has one of its own, as their number of processes can't be begun anew
}

TEST_CASE("a run that was ended has a group that nobody gets after it") {
  if (!has_v1("groups of runs that were ended")) return;
  ScratchFolder workspace;
  auto engine = Engine::create();
  REQUIRE(engine);
  constexpr int kRuns = 6;
  const auto expect = [](Outcome outcome) { return [=](const RunReport& report) { CHECK(report.outcome == outcome); }; };
  SECTION("by the time") {
    RunRequest run = request(workspace, {"/usr/bin/sleep", "86396"});
    run.limits.wall_time = std::chrono::milliseconds(50);
    CHECK(groups_of(*engine, run, kRuns, expect(Outcome::kTimedOut)).size() >= kRuns);
  }
  SECTION("by want of memory") {
    RunRequest run = request(workspace, {"/usr/bin/dd", "if=/dev/zero", "of=/dev/null", "bs=64M", "count=1", "status=none"});
    run.limits.memory_bytes = 32 << 20;
    CHECK(groups_of(*engine, run, kRuns, expect(Outcome::kMemoryExceeded)).size() >= kRuns);
  }
  SECTION("by its output") {
    RunRequest run = request(workspace, {"/usr/bin/head", "-c", "100000000", "/dev/zero"});
    run.output_limit_bytes = 4096;
    run.on_output_limit = OnOutputLimit::kKill;
    CHECK(groups_of(*engine, run, kRuns, expect(Outcome::kOutputExceeded)).size() >= kRuns);
  }
  SECTION("before it began") {
    const RunRequest run = request(workspace, {"/usr/bin/no-such-program"});
    CHECK(groups_of(*engine, run, kRuns, [](const RunReport& report) { CHECK(report.exit_status == 127); }).size() >= kRuns);
  }
}

TEST_CASE("only what a run says of its own end lets another have its group") {
  RunEnd end;
  end.last.kind = wire::EventKind::kEnded;
  end.last.have_status = 1;
  end.cgroup.peak_processes = 1;
  REQUIRE(leaves_group(end));
  SECTION("launcher") { end.launcher_died = true; }
  SECTION("memory") { end.out_of_memory = true; }
  SECTION("cancelled") { end.cancelled = true; }
  SECTION("output") { end.output_exceeded = true; }
  SECTION("init") { end.last.have_status = 0; }
  SECTION("time") { end.last.cause = wire::Cause::kTimeout; }
  SECTION("failure") { end.last.kind = wire::EventKind::kFailed; }
  SECTION("processes") { end.cgroup.peak_processes = 2; }
  CHECK_FALSE(leaves_group(end));
}

TEST_CASE("groups that wait for a run go with their engine, and after its death with the next start") {
  if (!has_v1("groups that wait")) return;
  ScratchFolder workspace;
  const RunRequest run = request(workspace, {"/usr/bin/true"});
  {
    auto engine = Engine::create();
    REQUIRE(engine);
    groups_of(*engine, run, 3, expect_exit);
    REQUIRE(eventually([] { return own_groups().size() >= 2; }));   // of the sandbox that waits, and of a run that is over
    SECTION("as always") {}
    SECTION("and with one whose launcher has died") {
      ::kill(engine->launcher_pid(), SIGKILL);
      CHECK(engine->run(run).outcome == Outcome::kSetupFailed);
    }
  }
  CHECK(own_groups().empty());
  CHECK(no_cgroup_left());
  int ready[2];
  REQUIRE(::pipe(ready) == 0);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    auto engine = Engine::create();
    for (int i = 0; i < 3; ++i) (void)engine->run(run);
    const int launcher = eventually([] { return own_groups().size() >= 2; }) ? engine->launcher_pid() : -1;
    (void)!::write(ready[1], &launcher, sizeof launcher);
    for (;;) ::pause();
  }
  int launcher = 0;
  REQUIRE(::read(ready[0], &launcher, sizeof launcher) == sizeof launcher);
  CHECK(launcher > 0);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  CHECK(gone(launcher));   // and with it every process of a run
  ::close(ready[0]);
  ::close(ready[1]);
  auto engine = Engine::create();   // sweeps
  CHECK(no_cgroup_left());
}
