// SPDX-License-Identifier: Apache-2.0
// What the runs of one launcher see alike comes from one tree: the same for all, written by none, and made anew where the host's files are.
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "sandbox/host_facts.h"
#include "sandbox/launcher_client.h"
#include "sandbox/plan.h"
#include "tests/kernel/support.h"
#include "tests/support/catch.h"

using namespace wardenv;
using namespace wardenv::engine;
using namespace wardenv::testing;

namespace {

// Only root's launcher, on Linux 6.15 and newer, has such a tree.
bool has_tree() { return ::geteuid() == 0 && sandbox::can_nest_trees(); }

nlohmann::json steps_of(const RunRequest& run, Ahead ahead) { return nlohmann::json::parse(*Engine::plan_json(run, {}, ahead))["steps"]; }

bool is_in_tree(const nlohmann::json& step) {
  const std::string what = step["do"];
  return what == "tree" || what == "keep-tree" || step.value("with", "").find("-tree") != std::string::npos;
}

// Runs sandboxes of any spec, without control groups.
class Sandboxes {
 public:
  Sandboxes() : launcher_(sandbox::LauncherClient::start(*sandbox::find_launcher())) {}

  // What the command writes.
  std::string operator()(const sandbox::SandboxSpec& spec, bool shared) {
    auto facts = sandbox::probe_host();
    facts->cgroup = {.why_not = "not here"};
    facts->shared_trees = shared;
    const auto plan = sandbox::compile(spec, *facts);
    REQUIRE(plan);
    const auto is_shared = [](const sandbox::PlanStep& step) { return step.op == wire::Op::kTree; };
    CHECK(std::any_of(plan->steps.begin(), plan->steps.end(), is_shared) == shared);
    return run(*sandbox::encode(*plan));
  }

  [[nodiscard]] int pid() const { return launcher_->pid(); }

 private:
  std::string run(const std::vector<std::uint8_t>& plan) {
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    const UniqueFd out(ends[0]);
    UniqueFd in(ends[1]);
    const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
    auto control = launcher_->submit(plan, {null.get(), in.get(), null.get(), {}});
    REQUIRE(control);
    in.reset();
    wire::Event event{};
    while (::recv(control->get(), &event, sizeof event, 0) > 0 && event.kind == wire::EventKind::kDenied) {}
    CHECK(event.kind == wire::EventKind::kEnded);
    char text[4096];
    const ssize_t got = ::read(out.get(), text, sizeof text);
    return {text, static_cast<std::size_t>(got > 0 ? got : 0)};
  }

  Result<sandbox::LauncherClient> launcher_;
};

sandbox::SandboxSpec bare_spec(std::vector<std::string> argv) {
  sandbox::SandboxSpec spec;
  spec.argv = std::move(argv);
  spec.env = {"PATH=/usr/bin", "HOME=" + spec.home};
  spec.mounts = {{.source = "/usr", .target = "/usr", .stable = true}};
  spec.symlinks = {{"/bin", "usr/bin", true}, {"/lib", "usr/lib", true}, {"/lib64", "usr/lib64", true}};
  return spec;
}

// What `cat /etc/marked` says in a sandbox that sees `source` there, as a part of the system.
class Cat {
 public:
  explicit Cat(const std::string& source) : spec_(bare_spec({"/usr/bin/cat", "/etc/marked"})) {
    spec_.mounts.push_back({.source = source, .target = "/etc/marked", .optional = true, .stable = true});
  }
  std::string operator()() { return sandboxes_(spec_, true); }

 private:
  Sandboxes sandboxes_;
  sandbox::SandboxSpec spec_;
};

// A run with folders of its own in the root: one that is a mount, and two in which there are mounts and a link.
sandbox::SandboxSpec spec_with_tops(const ScratchFolder& work, const ScratchFolder& deep, const std::string& script) {
  sandbox::SandboxSpec spec = bare_spec({"/bin/sh", "-c", script});
  spec.cwd = "/work";
  spec.mounts.push_back({.source = work.path(), .target = "/work", .writable = sandbox::Writable::kYes, .owner_mapped = true});
  spec.mounts.push_back({.source = deep.path(), .target = "/srv/deep/project", .writable = sandbox::Writable::kYes, .owner_mapped = true});
  spec.mounts.push_back({.source = deep.path(), .target = "/home/someone/project", .owner_mapped = true});
  spec.symlinks.push_back({"/srv/current", "deep/project"});
  return spec;
}

// Where mounts are attached, in the order of `mountinfo`.
std::vector<std::string> mounts_of(int pid) {
  std::vector<std::string> places;
  std::ifstream file("/proc/" + std::to_string(pid) + "/mountinfo");
  for (std::string id, parent, device, root, place, rest; file >> id >> parent >> device >> root >> place && std::getline(file, rest);) places.push_back(place);
  return places;
}

std::string link_of(int pid, const std::string& name) {
  char target[256];
  const ssize_t length = ::readlink(("/proc/" + std::to_string(pid) + "/" + name).c_str(), target, sizeof target);
  return {target, static_cast<std::size_t>(std::max<ssize_t>(length, 0))};
}

// The mounts of the first sandbox of an engine, which stands still at a step right after its birth.
std::vector<std::string> mounts_at_birth(Engine& engine, RunRequest run, Ahead ahead) {
  for (const auto& step : steps_of(run, ahead)) {
    if (step["do"] == "hostname") run.fault = {.step = step["n"], .kind = wire::Fault::kHang};
  }
  std::vector<std::string> mounts;
  std::thread looker([&] {
    (void)eventually([&] {
      auto inits = children_of(engine.launcher_pid());
      std::sort(inits.begin(), inits.end());
      // What only carries a user namespace for a moment is a child, too, and is where the launcher is.
      const auto init = std::find_if(inits.begin(), inits.end(), [&](int pid) { return link_of(pid, "ns/mnt") != link_of(engine.launcher_pid(), "ns/mnt"); });
      if (init != inits.end()) mounts = mounts_of(*init);
      return !mounts.empty();
    });
  });
  run.limits.wall_time = std::chrono::milliseconds(2000);
  CHECK(engine.run(run).exit_status != 0);
  looker.join();
  return mounts;
}

}  // namespace

TEST_CASE("a sandbox of a resident launcher is born among no mounts of the host, and the launcher stays among them") {
  if (!has_tree()) return;
  ScratchFolder workspace;
  const RunRequest run = request(workspace, {"/usr/bin/touch", "ran"});
  auto resident = Engine::create();
  auto single = Engine::create({.ahead = Ahead::kNo, .launcher = {}});
  REQUIRE((resident && single));
  const auto all = mounts_of(::getpid());
  CHECK(mounts_at_birth(*single, run, Ahead::kNo).size() >= all.size());   // control
  const auto few = mounts_at_birth(*resident, run, Ahead::kYes);
  CHECK(std::count(few.begin(), few.end(), "/") == 1);
  CHECK(std::all_of(few.begin(), few.end(), [](const std::string& place) { return place == "/" || place.starts_with("/proc"); }));
  CHECK(link_of(resident->launcher_pid(), "ns/mnt") == link_of(::getpid(), "ns/mnt"));
  CHECK(link_of(resident->launcher_pid(), "root") == link_of(::getpid(), "root"));
  CHECK(mounts_of(resident->launcher_pid()) == mounts_of(::getpid()));
  CHECK(::access((workspace.path() + "/ran").c_str(), F_OK) != 0);
  REQUIRE(resident->run(run).exit_status == 0);
  CHECK(::access((workspace.path() + "/ran").c_str(), F_OK) == 0);
}

// Born from where the launcher has been, and where it is: it needs CAP_SYS_CHROOT (setns(2), chroot(2)) to come back from there.
TEST_CASE("a launcher that could not come back to the host's mounts never leaves them, and its runs are made all the same") {
  if (!has_tree()) return;
  ScratchFolder workspace;
  const RunRequest run = request(workspace, {"/usr/bin/true"});
  for (const bool able : {true, false}) {
    bool dropped = able;
    std::size_t at_birth = 0;
    std::string home;
    std::vector<int> statuses;
    std::thread person([&] {   // what a thread gives up is its own, and what it starts does not have it
      if (!able) dropped = ::prctl(PR_CAPBSET_DROP, CAP_SYS_CHROOT) == 0;
      auto engine = Engine::create();
      if (!engine) return;
      at_birth = mounts_at_birth(*engine, run, Ahead::kYes).size();
      home = link_of(engine->launcher_pid(), "ns/mnt");
      for (int i = 0; i < 3; ++i) statuses.push_back(engine->run(run).exit_status);
    });
    person.join();
    INFO(able);
    CHECK(dropped);
    const auto all = mounts_of(::getpid()).size();
    CHECK((able ? at_birth > 0 && at_birth < all : at_birth >= all));
    CHECK(home == link_of(::getpid(), "ns/mnt"));
    CHECK(statuses == std::vector<int>{0, 0, 0});
  }
}

TEST_CASE("control: a resident engine has a tree where it can, a single run has none") {
  ScratchFolder workspace;
  const RunRequest run = request(workspace, {"/usr/bin/true"});
  const auto resident = steps_of(run, Ahead::kYes);
  const auto single = steps_of(run, Ahead::kNo);
  CHECK(std::any_of(resident.begin(), resident.end(), is_in_tree) == has_tree());
  CHECK(std::none_of(single.begin(), single.end(), is_in_tree));
}

TEST_CASE("a root that all runs see shows a run just what one of its own would") {
  if (!has_tree()) return;
  ScratchFolder work;
  ScratchFolder deep;
  work.write("mine", "work\n");
  deep.write("file", "deep\n");
  Sandboxes sandboxes;
  const std::string look =
      "ls -A / /dev /etc /home /home/someone /srv /srv/deep /var; ls -A /tmp /dev/shm $HOME; cat mine /srv/current/file /home/someone/project/file;"
      "for i in / /tmp /dev/shm /srv /home /home/wardenv /work /srv/deep/project; do stat -c '%n %a %F' $i; done; stat -f -c '%b %c %T' /tmp /dev/shm /home/wardenv";
  const sandbox::SandboxSpec spec = spec_with_tops(work, deep, look);
  const std::string own = sandboxes(spec, false);
  CHECK(own.find("deep\ndeep\n") != std::string::npos);   // control
  CHECK(own.find("/tmp 1777 directory") != std::string::npos);
  CHECK(sandboxes(spec, true) == own);
  CHECK(sandboxes(spec, true) == own);
}

TEST_CASE("in a root that all runs see, each writes where it may and nowhere else, and leaves nothing to the next") {
  if (!has_tree()) return;
  ScratchFolder work;
  ScratchFolder deep;
  Sandboxes sandboxes;
  const std::string attack =
      "exec 2>/dev/null; for i in / /home /home/someone /srv /srv/deep /home/someone/project /usr /etc /proc; do echo x >$i/new && echo wrote $i; mkdir $i/dir && echo made $i;"
      "chmod 777 $i && echo opened $i; touch $i && echo touched $i; done; rm -f /bin /srv/current && echo removed; ln -s x /link && echo linked;"
      "for i in /work /srv/deep/project /tmp /dev/shm /home/wardenv; do ls -A $i; echo x >$i/new && echo control $i; done; true";
  const std::string expected = "control /work\ncontrol /srv/deep/project\ncontrol /tmp\ncontrol /dev/shm\ncontrol /home/wardenv\n";
  CHECK(sandboxes(spec_with_tops(work, deep, attack), true) == expected);
  CHECK(::unlink((work.path() + "/new").c_str()) == 0);
  CHECK(::unlink((deep.path() + "/new").c_str()) == 0);
  CHECK(sandboxes(spec_with_tops(work, deep, attack), true) == expected);
}

TEST_CASE("in a root that all runs see, what a run may write is held to its size and to its number of files") {
  if (!has_tree()) return;
  ScratchFolder work;
  ScratchFolder deep;
  Sandboxes sandboxes;
  const std::string fill =
      "exec 2>/dev/null; head -c 1000000 /dev/zero >/tmp/a && echo control; head -c 3000000 /dev/zero >/dev/shm/b || echo full; head -c 3000000 /dev/zero >$HOME/c || echo full;"
      "rm -f /tmp/a /dev/shm/b $HOME/c; i=0; while true >/tmp/$i; do i=$((i + 1)); [ $i -lt 4000 ] || break; done; [ $i -ge 1000 ] && [ $i -lt 2000 ] && echo counted";
  sandbox::SandboxSpec spec = spec_with_tops(work, deep, fill);
  spec.limits.tmp_bytes = 2 << 20;
  spec.limits.tmp_inodes = 1000;
  for (const bool shared : {false, true}) CHECK(sandboxes(spec, shared) == "control\nfull\nfull\ncounted\n");
}

TEST_CASE("runs with various folders in their roots see their own, and the launcher keeps a few trees") {
  if (!has_tree()) return;
  ScratchFolder work;
  Sandboxes sandboxes;
  const std::vector<std::string> tops = {"/a", "/b", "/c", "/d", "/e", "/f", "/g"};
  std::size_t most = 0;
  for (int i = 0; i < 40; ++i) {
    const std::string& top = tops[static_cast<std::size_t>(i) % tops.size()];
    sandbox::SandboxSpec spec = bare_spec({"/bin/sh", "-c", "echo /?"});
    spec.mounts.push_back({.source = work.path(), .target = top + "/project", .owner_mapped = true});
    CHECK(sandboxes(spec, true) == top + "\n");
    if (i < 20) most = std::max(most, descriptors_of(sandboxes.pid()));
  }
  CHECK(eventually([&] { return descriptors_of(sandboxes.pid()) <= most; }));
}

TEST_CASE("no run writes what all runs see") {
  ScratchFolder workspace;
  auto engine = Engine::create();
  REQUIRE(engine);
  const std::string look = "cd /etc && ls -A /etc /dev /var /var/empty && cat passwd group hosts hostname nsswitch.conf resolv.conf shells";
  const std::string attack =
      "exec 2>/dev/null; for i in /etc /dev /var /var/empty; do echo x >$i/new && echo wrote $i; mkdir $i/d && echo made $i; chmod 777 $i && echo opened $i; done;"
      "for i in /etc/hosts /etc/passwd /var/none; do echo x >>$i && echo wrote $i; rm -f $i && echo removed $i; chmod 666 $i && echo opened $i; touch $i && echo touched $i;"
      "mv $i /tmp/x && echo moved $i; done; ln -sf x /etc/localtime && echo linked; rm -f /dev/null /dev/fd && echo removed;"
      "echo x >/tmp/control && echo control; echo x >/dev/shm/control && echo control; echo x >/dev/null && echo control;"
      "for i in null zero full random urandom tty; do touch -c /dev/$i && echo touched $i; done; true";
  const RunReport before = engine->run(request(workspace, {"/bin/sh", "-c", look}));
  const RunReport attacked = engine->run(request(workspace, {"/bin/sh", "-c", attack}));
  CHECK(attacked.out.text == "control\ncontrol\ncontrol\n");
  const RunReport after = engine->run(request(workspace, {"/bin/sh", "-c", look}));
  REQUIRE(before.out.text.find("wardenv:x:1000") != std::string::npos);
  CHECK(after.out.text == before.out.text);
  CHECK(engine->run(request(workspace, {"/bin/sh", "-c", "ls -A /dev/shm"})).out.text.empty());
}

TEST_CASE("a sandbox of a resident launcher has all its namespaces to itself") {
  ScratchFolder workspace;
  auto engine = Engine::create();
  REQUIRE(engine);
  for (const char* name : {"user", "mnt", "pid", "net", "ipc", "uts", "cgroup"}) {
    INFO(name);
    const std::string link = std::string("ns/") + name;
    const RunReport report = engine->run(request(workspace, {"/usr/bin/readlink", "/proc/self/" + link}));
    CHECK(report.out.text.rfind(name, 0) == 0);
    CHECK(report.out.text != link_of(::getpid(), link) + "\n");
    CHECK(report.out.text != link_of(engine->launcher_pid(), link) + "\n");
  }
  const RunReport time = engine->run(request(workspace, {"/usr/bin/readlink", "/proc/self/ns/time"}));
  CHECK(time.out.text == link_of(::getpid(), "ns/time") + "\n");   // control: one that was not asked for
}

TEST_CASE("a step of the tree that fails refuses the run and is named, also where the tree is there already") {
  if (!has_tree()) return;
  ScratchFolder workspace;
  RunRequest run = request(workspace, {"/usr/bin/touch", "ran"});
  const auto steps = steps_of(run, Ahead::kYes);
  for (const bool made : {false, true}) {
    auto engine = Engine::create();
    REQUIRE(engine);
    if (made) REQUIRE(engine->run(request(workspace, {"/usr/bin/true"})).exit_status == 0);
    for (const auto& step : steps) {
      if (!is_in_tree(step) && step["do"] != "unshare") continue;
      run.fault = {.step = step["n"], .kind = wire::Fault::kFail, .sys_errno = EIO};
      const RunReport report = engine->run(run);
      REQUIRE(report.error);
      INFO(report.error->message);
      CHECK(report.outcome == Outcome::kSetupFailed);
      CHECK(report.error->message.rfind("step " + std::to_string(run.fault.step) + " of " + std::to_string(steps.size()) + ": ", 0) == 0);
    }
    run.fault = {};
    CHECK(::access((workspace.path() + "/ran").c_str(), F_OK) != 0);
    CHECK(engine->run(request(workspace, {"/usr/bin/true"})).exit_status == 0);
  }
}

TEST_CASE("the tree is made anew when a file of the host comes, is replaced or goes") {
  if (!has_tree()) return;
  ScratchFolder host;
  const std::string file = host.path() + "/marked";
  Cat cat(file);
  CHECK(cat().empty());
  host.write("marked", "one");
  CHECK(cat() == "one");
  CHECK(cat() == "one");
  host.write("other", "two");
  REQUIRE(std::rename((host.path() + "/other").c_str(), file.c_str()) == 0);
  CHECK(cat() == "two");
  REQUIRE(::unlink(file.c_str()) == 0);
  CHECK(cat().empty());
}

TEST_CASE("a launcher keeps one tree, whatever plans come in turn") {
  if (!has_tree()) return;
  ScratchFolder workspace;
  auto engine = Engine::create();
  REQUIRE(engine);
  std::size_t most = 0;
  for (int i = 0; i < 12; ++i) {
    RunRequest run = request(workspace, {"/usr/bin/true"});
    run.degradable.cpu = i % 2 == 0;
    run.limits.tmp_bytes = static_cast<std::uint64_t>(8 + i % 3) << 20;
    REQUIRE(engine->run(run).exit_status == 0);
    if (i < 6) most = std::max(most, descriptors_of(engine->launcher_pid()));
  }
  CHECK(eventually([&] { return descriptors_of(engine->launcher_pid()) <= most; }));
}
