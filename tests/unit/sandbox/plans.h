// SPDX-License-Identifier: Apache-2.0
// Specs and hosts that plans are compiled from, and questions about the plans.
#pragma once

#include <algorithm>
#include <string>

#include "sandbox/plan.h"
#include "tests/support/catch.h"

namespace wardenv::sandbox {

inline SandboxSpec small_spec() {
  SandboxSpec spec;
  spec.argv = {"python", "-c", "pass"};
  spec.env = {"PATH=/srv/venv/bin:/usr/bin", "HOME=/home/wardenv"};
  spec.cwd = "/srv/project";
  spec.mounts = {{.source = "/usr", .target = "/usr", .stable = true},
                 {.source = "/srv/project", .target = "/srv/project", .writable = Writable::kYes, .owner_mapped = true},
                 {.source = "/srv/venv", .target = "/srv/venv", .owner_mapped = true},
                 {.source = "/etc/ld.so.cache", .target = "/etc/ld.so.cache", .optional = true, .stable = true}};
  spec.read_only_again = {"/srv/project/.git/config", "/srv/project/.git/hooks", "/srv/project/.envrc"};
  spec.symlinks = {{"/bin", "usr/bin", true}, {"/usr/bin/x", "y"}, {"/srv/current", "venv"}};
  spec.files = {{"/etc/passwd", "wardenv:x:1000:1000::/home/wardenv:/bin/sh\n"}};
  return spec;
}

inline HostFacts root_facts() {
  HostFacts facts;
  facts.landlock_abi = 7;
  facts.cpus = {0, 1, 2, 3};
  facts.max_open_files = 4096;
  facts.uid_range_first = 100'000;
  facts.uid_range_count = 65'536;
  facts.cgroup = {.kind = CgroupKind::kV1, .memory_dir = "/m", .pids_dir = "/p", .cpu_dir = "/c"};
  return facts;
}

inline HostFacts resident_facts() {
  HostFacts facts = root_facts();
  facts.shared_trees = true;
  return facts;
}

inline HostFacts user_facts() {
  HostFacts facts = root_facts();
  facts.uid = facts.gid = 1234;
  facts.landlock_abi = 2;
  facts.cgroup = {.why_not = "nothing is delegated"};
  return facts;
}

enum class Devices { kKept, kOfTheHost };

inline SandboxSpec with_kept_view(Devices devices) {
  SandboxSpec spec = small_spec();
  spec.mounts.back().kept = true;
  spec.mounts.push_back({.source = "/etc/ssl/certs", .target = "/etc/ssl/certs", .optional = true, .stable = true});
  spec.symlinks.push_back({"/etc/localtime", "../usr/share/zoneinfo/Etc/UTC", true});
  spec.kept = {.path = "/state/views/x", .dev = {8, 11}, .etc = {8, 12}, .var = {8, 13}, .has_devices = devices == Devices::kKept};
  return spec;
}

inline std::string text(const SandboxSpec& spec, const HostFacts& facts) {
  auto plan = compile(spec, facts);
  REQUIRE(plan);
  return to_text(*plan);
}

inline std::size_t position(const LaunchPlan& plan, wire::Op op) {
  auto at = std::find_if(plan.steps.begin(), plan.steps.end(), [&](const PlanStep& step) { return step.op == op; });
  REQUIRE(at != plan.steps.end());
  return static_cast<std::size_t>(at - plan.steps.begin());
}

inline bool has_step(const LaunchPlan& plan, wire::Op op, const std::string& path) {
  return std::any_of(plan.steps.begin(), plan.steps.end(), [&](const PlanStep& step) { return step.op == op && step.text == path; });
}

}  // namespace wardenv::sandbox
