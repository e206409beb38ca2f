// SPDX-License-Identifier: Apache-2.0
// A single run that shows what was kept sees what it would see without, can change nothing of it, and is never without.
#include "engine/kept_view.h"

#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/kernel/support.h"
#include "tests/support/catch.h"

using namespace wardenv;
using namespace wardenv::engine;
using namespace wardenv::testing;
namespace fs = std::filesystem;

namespace {

const std::string kLook =
    "cd /etc && find . | sort && find . -type l -printf '%p %l\\n' | sort && find . -type f | sort | xargs md5sum &&"
    "find . -type f -not -path './ssl/*' -not -path './pki/*' -printf '%p %s\\n' | sort && find /dev /var -printf '%p %y %l\\n' | grep -v ' c $' | sort;"
    "for i in null zero full random urandom tty; do stat -c '%n %F %t %T %a' /dev/$i; done; head -c 4 /dev/zero | od; (echo x >/dev/full) 2>/dev/null || echo full;"
    "cat /proc/cmdline; ls /proc/acpi; echo x >/dev/shm/x && cat /dev/shm/x; ls /dev/pts";

RunReport once(const RunRequest& request) {
  auto engine = Engine::create({.ahead = Ahead::kNo, .launcher = {}});
  REQUIRE(engine);
  return engine->run(request);
}

RunReport shell(const ScratchFolder& workspace, const std::string& script) { return once(request(workspace, {"/bin/sh", "-c", script})); }

bool has_view(const RunRequest& request) { return Engine::plan_text(request)->find("only-that-folder") != std::string::npos; }

std::string view_in(const StateFolder& state) {
  for (const auto& entry : fs::directory_iterator(state.path() + "/views")) return entry.path();
  return {};
}

// All that could be changed of what lies below a folder.
std::string fingerprint(const std::string& folder) {
  std::string text;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    struct stat status {};
    REQUIRE(::lstat(entry.path().c_str(), &status) == 0);
    text += entry.path().string();
    for (const auto number : {static_cast<long long>(status.st_mode), static_cast<long long>(status.st_uid), static_cast<long long>(status.st_size),
                              static_cast<long long>(status.st_nlink), static_cast<long long>(status.st_mtim.tv_sec), static_cast<long long>(status.st_mtim.tv_nsec),
                              static_cast<long long>(status.st_ctim.tv_sec), static_cast<long long>(status.st_ctim.tv_nsec)}) {
      text += " " + std::to_string(number);
    }
    text += "\n";
  }
  return text;
}

}  // namespace

TEST_CASE("the second run shows what the first has kept, and that is the same") {
  const StateFolder state;
  const ScratchFolder workspace;
  const RunRequest look = request(workspace, {"/bin/sh", "-c", kLook});
  CHECK_FALSE(has_view(look));
  CHECK_FALSE(fs::exists(state.path() + "/views"));   // a plan makes nothing
  const RunReport without = once(look);
  REQUIRE(has_view(look));
  const RunReport with = once(look);
  INFO(with.err.text << (with.error ? with.error->message : ""));
  CHECK(with.outcome == Outcome::kExited);
  CHECK(without.out.text.find("/etc/passwd") == std::string::npos);
  REQUIRE(without.out.text.find("./passwd") != std::string::npos);
  CHECK(with.out.text == without.out.text);
  CHECK(with.err.text == without.err.text);
  const RunReport mounts = shell(workspace, "cat /proc/self/mountinfo");
  CHECK(mounts.out.text.find(view_in(state) + "/etc /etc ro,nosuid,nodev") != std::string::npos);
}

TEST_CASE("a run changes nothing of what is kept, whoever it runs as, by either wall") {
  const StateFolder state;
  const ScratchFolder workspace;
  REQUIRE(shell(workspace, "true").exit_status == 0);
  const std::string view = view_in(state);
  REQUIRE_FALSE(view.empty());
  const std::string before = fingerprint(view);
  const std::string attack =
      "exec 2>/dev/null; try() { \"$@\" && echo \"did $*\"; };"
      "w() { try sh -c 'echo x >>\"$1\"' - $1; try sh -c ': >\"$1\"' - $1; (exec 5<$1 && { try sh -c 'echo x >/proc/self/fd/5'; try chmod 666 /proc/self/fd/5; });"
      " try chmod 666 $1; try touch $1; try touch -d 2001-01-01 $1; try truncate -s 0 $1; try mv $1 $1.x; try ln $1 $1.l; try ln $1 hardlink; try rm $1; try ln -sf x $1; };"
      "n() { try chmod 666 $1; try touch -c $1; try rm $1; try mv $1 /dev/x; try ln $1 /dev/x; };"
      "d() { try sh -c 'echo x >$1/new' - $1; try mkdir $1/new; try chmod 777 $1; try touch $1; try mv $1 $1.x; try rmdir $1; };"
      "echo a >file; mkdir folder; echo control; w $PWD/file | grep -c did; d $PWD/folder | grep -c did; echo real;"
      "for i in /etc/passwd /etc/ld.so.cache /etc/alternatives/README /var/none /dev/null /dev/zero; do"
      " if [ -c $i ]; then n $i; else w $i; fi; done;"
      "for i in /etc /etc/ssl /etc/alternatives /dev /dev/pts /var /var/empty; do d $i; done; rm -rf /etc/alternatives; ls /etc/alternatives >/dev/null || echo did;"
      "for i in /etc /dev /var; do try mount -o remount,rw $i; try mount -o remount,bind,rw $i; try umount $i; try mount -t tmpfs x $i; done;"
      "try mknod /etc/x c 1 3; try cat " + view + "/etc/passwd; try ls " + state.path() + "; echo end";
  for (const sandbox::Walls walls : {sandbox::Walls{}, sandbox::Walls{.seccomp = false, .landlock = true}, sandbox::Walls{.seccomp = true, .landlock = false}}) {
    const ScratchFolder place;
    RunRequest run = request(place, {"/bin/sh", "-c", attack});
    run.walls = walls;
    REQUIRE(has_view(run));
    const RunReport report = once(run);
    INFO("seccomp " << walls.seccomp << ", landlock " << walls.landlock << "\n" << report.out.text);
    const auto real = report.out.text.find("real\n");
    REQUIRE(real != std::string::npos);
    const std::string control = report.out.text.substr(0, real);
    CHECK(std::atoi(control.c_str() + control.find('\n')) >= 10);   // of the same acts in the workspace
    CHECK(report.out.text.substr(real) == "real\nend\n");
  }
  CHECK(fingerprint(view) == before);
}

TEST_CASE("where the state folder can't be used all is made as before") {
  const ScratchFolder workspace;
  const ScratchFolder elsewhere;
  const auto works_without = [&](const char* why) {
    INFO(why);
    for (int i = 0; i < 2; ++i) {
      RunRequest run = request(workspace, {"/bin/sh", "-c", "cat /etc/hostname && ls -d /dev/null /var/empty"});
      run.access = Access::kReadOnly;   // otherwise they are refused: it could not be noted what they make
      CHECK(once(run).out.text == "wardenv\n/dev/null\n/var/empty\n");
    }
    CHECK_FALSE(has_view(request(workspace, {"/usr/bin/true"})));
  };
  {
    const StateFolder state;
    REQUIRE(shell(workspace, "true").exit_status == 0);
    REQUIRE(has_view(request(workspace, {"/usr/bin/true"})));
    ::chmod(state.path().c_str(), 0770);
    works_without("others can write the state folder");
    ::chmod(state.path().c_str(), 0700);
    ::chmod((state.path() + "/views").c_str(), 0707);
    works_without("others can write the views");
    ::chmod((state.path() + "/views").c_str(), 0700);
    CHECK(has_view(request(workspace, {"/usr/bin/true"})));
  }
  {
    const StateFolder state;
    std::ofstream(state.path() + "/views") << "x";
    works_without("a file in the way");
  }
  {
    const StateFolder state;
    fs::create_directory_symlink(elsewhere.path() + "/absent", state.path() + "/views");
    works_without("a link in the way");
    CHECK(fs::is_empty(elsewhere.path()));
  }
  if (::geteuid() != 0) return;
  const StateFolder state;
  REQUIRE(shell(workspace, "true").exit_status == 0);
  REQUIRE(::chown((view_in(state) + "/etc").c_str(), 65534, 65534) == 0);
  works_without("another's");
}

TEST_CASE("a view that goes while a run begins refuses the run or is not missed by it") {
  const ScratchFolder workspace;
  int refused = 0;
  for (int i = 0; i < 3; ++i) {
    const StateFolder state;
    REQUIRE(shell(workspace, "true").exit_status == 0);
    const RunRequest look = request(workspace, {"/usr/bin/cat", "/etc/hostname"});
    auto engine = Engine::create({.ahead = Ahead::kNo, .launcher = {}});
    REQUIRE(engine);
    if (i > 0) engine->begin(look);
    RunRequest held = look;
    if (i == 2) held.limits.tmp_inodes += 1;   // what was begun will not do
    fs::rename(view_in(state), state.path() + "/views/gone");
    const RunReport report = engine->run(held);
    INFO(i << " " << report.out.text << (report.error ? report.error->message + report.error->hint : ""));
    CHECK((report.out.text == "wardenv\n" || (report.exit_status == 125 && report.error && !report.entered)));
    refused += report.exit_status == 125 ? 1 : 0;
    CHECK(once(look).out.text == "wardenv\n");
  }
  CHECK(refused >= 1);
}

TEST_CASE("another folder in the place of a kept one refuses the run") {
  const StateFolder state;
  const ScratchFolder workspace;
  REQUIRE(shell(workspace, "true").exit_status == 0);
  const RunRequest look = request(workspace, {"/usr/bin/cat", "/etc/hostname"});
  auto engine = Engine::create({.ahead = Ahead::kNo, .launcher = {}});
  REQUIRE(engine);
  engine->begin(look);
  RunRequest other = look;
  other.limits.tmp_inodes += 1;
  const std::string etc = view_in(state) + "/etc";
  fs::rename(etc, state.path() + "/real");
  fs::create_directory(etc);
  std::ofstream(etc + "/hostname") << "forged\n";
  const RunReport report = engine->run(other);
  REQUIRE(report.error);
  INFO(report.error->message);
  CHECK(report.error->sys_errno == ESTALE);
  CHECK(report.error->message.find("only-that-folder") != std::string::npos);
  CHECK_FALSE(report.entered);
}

TEST_CASE("the state folder is in no workspace, writable venv or mount of a run") {
  const ScratchFolder workspace;
  const StateFolder state;
  REQUIRE(shell(workspace, "true").exit_status == 0);
  for (const std::string& folder : {state.path(), state.path() + "/views", view_in(state) + "/etc", view_in(state) + "/etc/passwd"}) {
    INFO(folder);
    RunRequest run = request(workspace, {"/usr/bin/true"});
    run.workspace = folder;
    CHECK(once(run).exit_status == 125);
    run.access = Access::kReadOnly;
    CHECK(once(run).exit_status == 125);
    run = request(workspace, {"/usr/bin/true"});
    run.mounts = {{.path = folder, .access = Access::kDirect}};
    CHECK(once(run).exit_status == 125);
  }
  const std::string venv = state.path() + "/venv";
  fs::create_directories(venv + "/bin");
  fs::create_symlink("/usr/bin/python3", venv + "/bin/python");
  std::ofstream(venv + "/pyvenv.cfg") << "home = /usr/bin\n";
  RunRequest run = request(workspace, {"/usr/bin/true"});
  run.venv = venv;
  CHECK(once(run).exit_status == 0);
  run.venv_access = VenvAccess::kWritable;
  const RunReport report = once(run);
  CHECK(report.exit_status == 125);
  REQUIRE(report.error);
  CHECK(report.error->message.find("wardenv's state") != std::string::npos);
}

TEST_CASE("what lies in /etc, /dev or /var for a run lies there, beside all that is kept elsewhere") {
  const StateFolder state;
  const ScratchFolder workspace;
  workspace.write("x", "of the run\n");
  REQUIRE(shell(workspace, "true").exit_status == 0);
  for (const std::string place : {"/etc/of/the/run", "/var/of/the/run"}) {
    RunRequest run = request(workspace, {"/bin/sh", "-c", "cat " + place + "/x /etc/hostname; ls /var/none /dev/null"});
    const ScratchFolder shown;
    shown.write("x", "of the run\n");
    run.mounts = {{.path = shown.path(), .target = place}};
    REQUIRE(has_view(run));
    const RunReport report = once(run);
    INFO(report.err.text << (report.error ? report.error->message : ""));
    CHECK(report.out.text == "of the run\nwardenv\n/dev/null\n/var/none\n");
    CHECK(report.prepared_steps > 20);   // it was begun as it went on
  }
}

TEST_CASE("runs that begin at once, the first ones, all work") {
  const StateFolder state;
  const ScratchFolder workspace;
  std::vector<pid_t> children;
  for (int i = 0; i < 6; ++i) {
    const pid_t child = ::fork();
    if (child == 0) {
      auto engine = Engine::create({.ahead = Ahead::kNo, .launcher = {}});
      const bool good = engine && engine->run(request(workspace, {"/usr/bin/cat", "/etc/hostname"})).out.text == "wardenv\n";
      if (engine) engine->close();
      ::_exit(good ? 0 : 1);
    }
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = 1;
    CHECK(::waitpid(child, &status, 0) == child);
    CHECK(status == 0);
  }
  CHECK(std::distance(fs::directory_iterator(state.path() + "/views"), {}) == 1);
  CHECK(has_view(request(workspace, {"/usr/bin/true"})));
}

TEST_CASE("who is killed while making a view leaves what the next sweeps") {
  const ScratchFolder workspace;
  int interrupted = 0;
  for (int delay = 0; delay < 12 && interrupted < 3; ++delay) {
    const StateFolder state;
    fs::create_directory(state.path() + "/views");
    ::chmod((state.path() + "/views").c_str(), 0700);
    const pid_t child = ::fork();
    if (child == 0) {
      keep_view(state.path() + "/views", system_view());
      ::_exit(0);
    }
    ::usleep(static_cast<useconds_t>(300 + 500 * delay));
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    const std::string left = view_in(state);
    interrupted += left.find("/.new-") != std::string::npos ? 1 : 0;
    CHECK(shell(workspace, "cat /etc/hostname").out.text == "wardenv\n");
    CHECK(std::distance(fs::directory_iterator(state.path() + "/views"), {}) == 1);
    CHECK(shell(workspace, "cat /etc/hostname").out.text == "wardenv\n");
    CHECK(has_view(request(workspace, {"/usr/bin/true"})));
  }
  CHECK(interrupted > 0);
}
