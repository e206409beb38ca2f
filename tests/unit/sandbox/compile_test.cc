// SPDX-License-Identifier: Apache-2.0
// compile(): plans as golden text, and what it refuses.
#include <algorithm>

#include "sandbox/launch/first_steps.h"
#include "tests/support/golden.h"
#include "tests/unit/sandbox/plans.h"

using namespace wardenv;
using namespace wardenv::sandbox;

TEST_CASE("plans are as the golden files say") {
  CHECK(testing::compare_golden("plan/root-cgroup1.txt", text(small_spec(), root_facts())) == "");
  CHECK(testing::compare_golden("plan/user-no-cgroup.txt", text(small_spec(), user_facts())) == "");
  HostFacts v2 = user_facts();
  v2.cgroup = {.kind = CgroupKind::kV2, .memory_dir = "/sys/fs/cgroup/mine"};
  CHECK(testing::compare_golden("plan/user-cgroup2.txt", text(small_spec(), v2)) == "");
  CHECK(testing::compare_golden("plan/root-shared.txt", text(small_spec(), resident_facts())) == "");
  SandboxSpec host_network = small_spec();
  host_network.network = Network::kHost;
  host_network.clock = Clock::kOwnNamespace;
  CHECK(testing::compare_golden("plan/root-network-host.txt", text(host_network, root_facts())) == "");
  SandboxSpec egress = small_spec();
  egress.network = Network::kEgress;
  egress.listen_port = 3128;
  CHECK(testing::compare_golden("plan/user-egress.txt", text(egress, user_facts())) == "");

  CHECK(testing::compare_golden("plan/root-kept.txt", text(with_kept_view(Devices::kKept), root_facts())) == "");
  CHECK(testing::compare_golden("plan/user-kept.txt", text(with_kept_view(Devices::kOfTheHost), user_facts())) == "");
}

TEST_CASE("named egress is a private network like none, and a socket more, which belongs to the single run") {
  SandboxSpec egress = small_spec();
  egress.network = Network::kEgress;
  CHECK_FALSE(compile(egress, root_facts()));
  egress.listen_port = 3128;
  SandboxSpec stray = small_spec();
  stray.listen_port = 3128;
  CHECK_FALSE(compile(stray, root_facts()));
  auto none = compile(small_spec(), root_facts());
  auto plan = compile(egress, root_facts());
  REQUIRE(none);
  REQUIRE(plan);
  CHECK(plan->enforced == none->enforced);
  CHECK(*encode_early(*plan) == *encode_early(*none));
  CHECK(position(*plan, wire::Op::kListen) >= plan->early_steps);
  CHECK(position(*plan, wire::Op::kListen) < position(*plan, wire::Op::kSealRoot));
}

TEST_CASE("a plan survives its bytes") {
  for (const HostFacts& facts : {root_facts(), user_facts()}) {
    auto plan = compile(small_spec(), facts);
    REQUIRE(plan);
    auto bytes = encode(*plan);
    REQUIRE(bytes);
    auto again = decode(*bytes);
    REQUIRE(again);
    again->cgroup = plan->cgroup;
    again->early_steps = plan->early_steps;
    again->ready_steps = plan->ready_steps;
    again->enforced = plan->enforced;
    CHECK(*again == *plan);
  }
}

TEST_CASE("what is applied ahead depends on nothing of the single run but, where the root is shared, on the names of the folders in it") {
  for (const HostFacts& facts : {root_facts(), resident_facts(), user_facts()}) {
    SandboxSpec other = small_spec();
    other.argv = {"true"};
    other.env = {"PATH=/usr/bin", "WARDENV_RUN_ID=other"};
    other.cwd = "/srv/other";
    other.mounts[1] = {.source = "/srv/other", .target = "/srv/other"};
    other.read_only_again.clear();
    other.limits.wall_time = std::chrono::seconds(1);
    other.limits.open_files = 10;
    auto one = compile(small_spec(), facts);
    auto two = compile(other, facts);
    REQUIRE(one);
    REQUIRE(two);
    REQUIRE(one->early_steps > 30);
    CHECK(*encode_early(*one) == *encode_early(*two));
    for (std::uint32_t i = 0; i < one->early_steps; ++i) CHECK(one->steps[i].text.find("/srv/") == std::string::npos);
    CHECK(std::none_of(one->steps.begin(), one->steps.begin() + one->early_steps,
                       [](const PlanStep& step) { return step.op == wire::Op::kSeccomp || step.op == wire::Op::kSealRoot; }));
  }
}

TEST_CASE("a part of the system below a folder of the run is attached after it") {
  SandboxSpec spec = small_spec();
  spec.mounts[1] = {.source = "/etc", .target = "/etc"};
  auto plan = compile(spec, root_facts());
  REQUIRE(plan);
  auto attached = [&](const std::string& path) {
    return std::find_if(plan->steps.begin(), plan->steps.end(), [&](const PlanStep& s) { return s.op == wire::Op::kAttach && s.text == path; });
  };
  CHECK(attached("/etc") < attached("/etc/ld.so.cache"));
  CHECK(attached("/usr") - plan->steps.begin() < plan->early_steps);
}

TEST_CASE("the steps that `wardenv run` has applied at once are those that every plan begins with") {
  for (const HostFacts& facts : {root_facts(), user_facts()}) {
    const launch::FirstSteps first = launch::first_steps(facts.uid, facts.gid, facts.uid_range_first, facts.uid_range_count);
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(&first);
    auto early = decode({bytes, bytes + sizeof first});
    REQUIRE(early);
    auto plan = compile(small_spec(), facts);
    REQUIRE(plan);
    REQUIRE(early->steps.size() > 4);
    CHECK(early->steps == std::vector<PlanStep>(plan->steps.begin(), plan->steps.begin() + static_cast<std::ptrdiff_t>(early->steps.size())));
    CHECK(early->uid_first == plan->uid_first);
    CHECK(early->uid_count == plan->uid_count);
  }
}

TEST_CASE("walls come in the order that makes them hold") {
  const HostFacts facts = GENERATE(root_facts(), user_facts());
  auto plan = compile(small_spec(), facts);
  REQUIRE(plan);
  CHECK(position(*plan, wire::Op::kClone) < position(*plan, wire::Op::kNewRoot));
  CHECK(position(*plan, wire::Op::kPivot) < position(*plan, wire::Op::kSealRoot));
  CHECK(position(*plan, wire::Op::kSealRoot) < position(*plan, wire::Op::kDropCapabilities));
  // A folder of the run is opened where the host is still to be seen: by the launcher, or before the old root goes.
  for (std::size_t i = position(*plan, wire::Op::kPivot); i < plan->steps.size(); ++i) {
    if (plan->steps[i].op == wire::Op::kOpenTree) CHECK((plan->steps[i].flags & wire::kFlagByLauncher) != 0);
  }
  CHECK(position(*plan, wire::Op::kDropCapabilities) < position(*plan, wire::Op::kNoNewPrivileges));
  CHECK(position(*plan, wire::Op::kNoNewPrivileges) < position(*plan, wire::Op::kLandlockRestrict));
  CHECK(position(*plan, wire::Op::kLandlockRestrict) < position(*plan, wire::Op::kCloseDescriptors));
  CHECK(position(*plan, wire::Op::kCloseDescriptors) < position(*plan, wire::Op::kSeccomp));
  CHECK(position(*plan, wire::Op::kSeccomp) + 1 == position(*plan, wire::Op::kExec));
  CHECK(plan->steps.back().op == wire::Op::kExec);
}

TEST_CASE("the folders on the way to what is read-only in a writable mount are mounts of their own, each once") {
  SandboxSpec spec = small_spec();
  spec.mounts.push_back({.source = "/srv/project/sub/deep/.venv", .target = "/srv/project/sub/deep/.venv", .owner_mapped = true});
  spec.mounts.push_back({.source = "/srv/project/sub/python/3", .target = "/srv/project/sub/python/3", .owner_mapped = true});
  spec.read_only_again = {"/srv/project/sub/.envrc"};
  auto rebound = [](const SandboxSpec& asked) {
    auto plan = compile(asked, user_facts());
    REQUIRE(plan);
    std::vector<std::string> paths;
    for (std::size_t i = plan->early_steps; i < plan->steps.size(); ++i) {
      if (plan->steps[i].op == wire::Op::kRebind) paths.push_back(plan->steps[i].text);
    }
    return paths;
  };
  CHECK(rebound(spec) == std::vector<std::string>{"/srv/project/sub", "/srv/project/sub/deep", "/srv/project/sub/python", "/srv/project/sub/.envrc"});
  spec.mounts[1].writable = Writable::kNo;
  CHECK(rebound(spec) == std::vector<std::string>{"/srv/project/sub/.envrc"});
}

TEST_CASE("a spec that makes no sense is refused") {
  SandboxSpec spec = small_spec();
  SECTION("no command") { spec.argv.clear(); }
  SECTION("empty command") { spec.argv = {""}; }
  SECTION("NUL in an argument") { spec.argv.emplace_back("a\0b", 3); }
  SECTION("NUL in the environment") { spec.env.emplace_back("A=\0", 3); }
  SECTION("an argument that execve would not take") { spec.argv.emplace_back(128 * 1024, 'x'); }
  SECTION("no processes") { spec.limits.processes = 0; }
  SECTION("no memory") { spec.limits.memory_bytes = 1 << 20; }
  SECTION("no CPU") { spec.limits.cpus = 0; }
  auto plan = compile(spec, root_facts());
  REQUIRE_FALSE(plan);
  CHECK(plan.error().code == ErrorCode::kBadInput);
}

TEST_CASE("too much to say is refused by encode") {
  SandboxSpec spec = small_spec();
  for (int i = 0; i < 3; ++i) spec.argv.emplace_back(100 * 1024, 'x');
  auto plan = compile(spec, root_facts());
  REQUIRE(plan);
  auto bytes = encode(*plan);
  REQUIRE_FALSE(bytes);
  CHECK(bytes.error().code == ErrorCode::kBadInput);
}

TEST_CASE("what cannot be held is refused, unless it was named") {
  SandboxSpec spec = small_spec();
  SECTION("control groups that were required") {
    spec.require_cgroup = true;
    auto plan = compile(spec, user_facts());
    REQUIRE_FALSE(plan);
    CHECK(plan.error().code == ErrorCode::kUnenforceable);
    CHECK(plan.error().message.find("nothing is delegated") != std::string::npos);
    CHECK(compile(spec, root_facts()));
  }
  SECTION("half a CPU without control groups") {
    spec.limits.cpus = 0.5;
    CHECK_FALSE(compile(spec, user_facts()));
    CHECK(compile(spec, root_facts()));
    spec.degradable.cpu = true;
    auto plan = compile(spec, user_facts());
    REQUIRE(plan);
    CHECK(plan->enforced.degraded == std::vector<std::string>{"cpu"});
  }
  SECTION("swap that control groups don't count") {
    HostFacts facts = root_facts();
    facts.cgroup.swap_uncounted = true;
    auto refused = compile(spec, facts);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == ErrorCode::kUnenforceable);
    CHECK(refused.error().hint.find("--allow-degraded=memory") != std::string::npos);
    spec.degradable.cpu = true;
    CHECK_FALSE(compile(spec, facts));
    spec.degradable.memory = true;
    auto plan = compile(spec, facts);
    REQUIRE(plan);
    CHECK(plan->enforced.degraded == std::vector<std::string>{"memory"});
    CHECK(plan->cgroup.swap_uncounted);
    plan = compile(spec, root_facts());   // nothing is weaker where nothing has to be
    REQUIRE(plan);
    CHECK(plan->enforced.degraded.empty());
  }
  SECTION("one and a half CPUs become one, never two") {
    spec.limits.cpus = 1.5;
    auto plan = compile(spec, user_facts());
    REQUIRE(plan);
    CHECK(plan->steps[position(*plan, wire::Op::kAffinity)].b == 1);
  }
}

TEST_CASE("the report says who holds what") {
  auto root = compile(small_spec(), root_facts());
  auto user = compile(small_spec(), user_facts());
  REQUIRE(root);
  REQUIRE(user);
  CHECK(to_string(root->enforced.memory) == "cgroup1");
  CHECK(to_string(user->enforced.memory) == "watchdog");
  CHECK(to_string(user->enforced.processes) == "rlimit");
  CHECK(to_string(user->enforced.cpu) == "affinity");
  CHECK(user->enforced.landlock_abi == 2);
  CHECK(user->enforced.seccomp);
}
