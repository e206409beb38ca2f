// SPDX-License-Identifier: Apache-2.0
#include "sandbox/holders.h"

#include <algorithm>
#include <cmath>

namespace wardenv::sandbox {
namespace {

// Whole CPUs, rounded down: never more than was asked for. Less than one whole CPU has no holder without control groups.
Result<std::uint64_t> choose_cpus(const SandboxSpec& spec, const HostFacts& facts, Enforced& enforced) {
  const auto cpus = std::min<std::uint64_t>(static_cast<std::uint64_t>(std::floor(spec.limits.cpus)), facts.cpus.size());
  if (cpus > 0) return cpus;
  if (!spec.degradable.cpu) {
    return fail(ErrorCode::kUnenforceable, "less than one CPU can only be held by control groups, and none can be made here: " + facts.cgroup.why_not,
                "ask for --cpu 1, or accept a whole CPU with --allow-degraded=cpu");
  }
  enforced.degraded.emplace_back("cpu");
  return 1;
}

// A limit on memory that does not count what is swapped out is none.
Status check_swap(const SandboxSpec& spec, const HostFacts& facts, Enforced& enforced) {
  if (!facts.cgroup.swap_uncounted) return {};
  if (!spec.degradable.memory) {
    return fail(ErrorCode::kUnenforceable, "memory that is swapped out is not counted by this host's control groups, and it has swap",
                "boot with swapaccount=1, turn swap off, or accept a limit on RAM alone with --allow-degraded=memory");
  }
  enforced.degraded.emplace_back("memory");
  return {};
}

}  // namespace

Result<Holders> choose_holders(const SandboxSpec& spec, const HostFacts& facts, Enforced& enforced) {
  if (facts.cgroup.kind != CgroupKind::kNone) {
    WARDENV_TRY(check_swap(spec, facts, enforced));
    enforced.memory = enforced.processes = enforced.cpu = facts.cgroup.kind == CgroupKind::kV2 ? Holder::kCgroup2 : Holder::kCgroup1;
    return Holders{.cgroup = true};
  }
  if (spec.require_cgroup) {
    return fail(ErrorCode::kUnenforceable, "control groups are required, and none can be made here: " + facts.cgroup.why_not,
                "run `wardenv doctor` for the way to get them, or leave out --require-cgroup");
  }
  enforced.memory = Holder::kWatchdog;
  enforced.processes = Holder::kRlimit;
  enforced.cpu = Holder::kAffinity;
  const auto cpus = choose_cpus(spec, facts, enforced);
  if (!cpus) return tl::unexpected(cpus.error());
  return Holders{.cpus = *cpus};
}

}  // namespace wardenv::sandbox
