// SPDX-License-Identifier: Apache-2.0
// compile(): the root that all runs of a resident launcher share.
#include "sandbox/mount_order.h"
#include "tests/unit/sandbox/plans.h"

using namespace wardenv;
using namespace wardenv::sandbox;

TEST_CASE("only root's resident launcher shares a tree, and only where nothing of the run lies in it") {
  HostFacts facts = resident_facts();
  const auto shares = [&](const SandboxSpec& spec) {
    const auto plan = compile(spec, facts);
    REQUIRE(plan);
    return std::any_of(plan->steps.begin(), plan->steps.end(), [](const PlanStep& step) { return step.op == wire::Op::kTree; });
  };
  CHECK(shares(small_spec()));
  for (const char* target : {"/etc/wardenv/ca.pem", "/etc", "/var/lib/x", "/dev/x"}) {
    SandboxSpec spec = small_spec();
    spec.mounts.push_back({.source = "/srv/x", .target = target});
    INFO(target);
    CHECK_FALSE(shares(spec));
  }
  SandboxSpec linked = small_spec();
  linked.symlinks.push_back({"/var/current", "/srv/project"});
  CHECK_FALSE(shares(linked));
  SandboxSpec home = small_spec();
  home.home = "/var/home";
  CHECK_FALSE(shares(home));
  SandboxSpec in_root = small_spec();
  in_root.symlinks.push_back({"/current", "/srv/project"});
  CHECK_FALSE(shares(in_root));
  SandboxSpec through_link = small_spec();
  through_link.mounts.push_back({.source = "/srv/x", .target = "/bin/x"});
  CHECK_FALSE(shares(through_link));
  SandboxSpec over_home = small_spec();
  over_home.mounts.push_back({.source = "/srv/x", .target = "/home"});
  CHECK_FALSE(shares(over_home));
  facts.uid = 1234;
  CHECK_FALSE(shares(small_spec()));
}

TEST_CASE("a folder in the root that is shared is the run's own, unless it is one of its mounts; what may be a file there is not shared") {
  SandboxSpec spec = small_spec();
  const std::vector<std::string> taken = {"/proc"};
  CHECK(own_tops(spec, taken) == std::vector<Top>{{"/srv", false}});
  spec.mounts.push_back({.source = "/x", .target = "/tmp/x"});
  spec.mounts.push_back({.source = "/x", .target = spec.home + "/x"});
  spec.mounts.push_back({.source = "/x", .target = "/usr/lib/x"});
  CHECK(own_tops(spec, taken) == std::vector<Top>{{"/srv", false}});
  spec.mounts.push_back({.source = "/x", .target = "/home/someone/x"});
  CHECK(own_tops(spec, taken) == std::vector<Top>{{"/home", false}, {"/srv", false}});
  spec.mounts.push_back({.source = "/x", .target = "/data"});
  CHECK_FALSE(own_tops(spec, taken));
  const std::vector<Top> with_data{{"/data", true}, {"/home", false}, {"/srv", false}};
  SandboxSpec by_folder = spec;
  by_folder.cwd = "/data";
  CHECK(own_tops(by_folder, taken) == with_data);
  SandboxSpec by_path = spec;
  by_path.env = {"PATH=/usr/bin:/data/bin"};
  CHECK(own_tops(by_path, taken) == with_data);
  SandboxSpec by_mount = spec;
  by_mount.mounts.push_back({.source = "/x", .target = "/data/x/y"});
  CHECK(own_tops(by_mount, taken) == with_data);
  by_mount.mounts.push_back({.source = "/x", .target = "/proc/x"});
  CHECK_FALSE(own_tops(by_mount, taken));
}

TEST_CASE("a tree of all runs is used rather than what is kept") {
  const auto with = compile(with_kept_view(Devices::kKept), resident_facts());
  REQUIRE(with);
  CHECK(has_step(*with, wire::Op::kFile, "/etc/passwd"));
  CHECK(std::none_of(with->steps.begin(), with->steps.end(), [](const PlanStep& step) { return step.text.starts_with("/state/"); }));
}
