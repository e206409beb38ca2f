// SPDX-License-Identifier: Apache-2.0
// The process of a sandbox: its namespaces, its user, its control group.
#include <linux/sched.h>

#include "sandbox/compile_parts.h"

namespace wardenv::sandbox {
namespace {

using wire::Op;

constexpr std::uint32_t kInsideId = 1000;

}  // namespace

void clone_process(const Layout& layout, LaunchPlan& plan, StepList& steps) {
  const SandboxSpec& spec = layout.spec;
  const HostFacts& facts = layout.facts;
  std::uint64_t flags = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;
  plan.enforced.namespaces = {"user", "mount", "pid"};
  if (spec.network != Network::kHost) {
    flags |= CLONE_NEWNET;
    plan.enforced.namespaces.emplace_back("network");
  } else {
    plan.enforced.degraded.emplace_back("network:host");
  }
  for (const char* name : {"ipc", "uts", "cgroup"}) plan.enforced.namespaces.emplace_back(name);
  if (spec.clock == Clock::kOwnNamespace) {
    flags |= CLONE_NEWTIME;
    plan.enforced.namespaces.emplace_back("time");
  }
  const bool born_in_cgroup = layout.holders.cgroup && facts.cgroup.kind == CgroupKind::kV2;
  // Half a millisecond of the kernel's work: a launcher that stays has other sandboxes to look after meanwhile.
  const std::uint64_t by_itself = facts.is_root() && facts.shared_trees ? flags & (CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS) : 0;
  steps.add({.op = Op::kClone, .slot = born_in_cgroup ? 0 : -1, .a = flags & ~by_itself});
  if (facts.is_root()) steps.add({.op = Op::kMapIdsByParent, .a = kInsideId});
  if (by_itself != 0) steps.add({.op = Op::kUnshare, .a = by_itself});
}

void name_network(const Layout& layout, StepList& steps) {
  if (layout.spec.network != Network::kHost) steps.add({.op = Op::kLoopbackUp});
  steps.add({.op = Op::kHostname, .text = layout.spec.hostname});
}

void become_user(const Layout& layout, StepList& steps) {
  const HostFacts& facts = layout.facts;
  if (facts.is_root()) {
    steps.add({.op = Op::kAwaitMaps});
  } else {
    steps.add({.op = Op::kMapIdsBySelf, .a = kInsideId, .b = facts.uid, .c = facts.gid});
  }
  const std::uint16_t flags = facts.is_root() ? wire::kFlagDropGroups : 0;
  steps.add({.op = Op::kBecomeUser, .flags = flags, .a = kInsideId});
  steps.add({.op = Op::kDetach});
  steps.add({.op = Op::kDropBounding});
}

void join_cgroup(const Layout& layout, LaunchPlan& plan, StepList& steps) {
  if (!layout.holders.cgroup) return;
  const Limits& limits = layout.spec.limits;
  plan.cgroup = {.kind = layout.facts.cgroup.kind,
                 .memory_bytes = limits.memory_bytes,
                 .processes = limits.processes + 1,  // init
                 .cpu_quota_us = static_cast<std::uint64_t>(limits.cpus * 100'000.0),
                 .swap_uncounted = layout.spec.degradable.memory};
  if (layout.facts.cgroup.kind != CgroupKind::kV1) return;
  for (int slot = 0; slot < layout.cgroup_slots(); ++slot) steps.add({.op = Op::kJoinCgroup1, .slot = slot});
}

// Belongs to the single run: what is begun ahead serves runs with and without a proxy.
void listen_for_proxy(const Layout& layout, StepList& steps) {
  constexpr std::uint64_t kBacklog = 1024;
  if (layout.spec.network == Network::kEgress) steps.add({.op = Op::kListen, .a = layout.spec.listen_port, .b = kBacklog});
}

}  // namespace wardenv::sandbox
