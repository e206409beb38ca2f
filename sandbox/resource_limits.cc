// SPDX-License-Identifier: Apache-2.0
#include "sandbox/resource_limits.h"

#include <sys/resource.h>

#include <algorithm>

namespace wardenv::sandbox {
namespace {

constexpr std::uint64_t kAddressSpaceFloor = 4ULL << 30;

PlanStep limit(int resource, std::uint64_t value) {
  return {.op = wire::Op::kRlimit, .a = static_cast<std::uint64_t>(resource), .b = value};
}

// What stands in for control groups.
void add_substitutes(const SandboxSpec& spec, const HostFacts& facts, const Holders& holders, std::vector<PlanStep>& steps) {
  steps.push_back(limit(RLIMIT_AS, std::max(kAddressSpaceFloor, 8 * spec.limits.memory_bytes)));
  std::uint64_t mask = 0;
  for (int cpu : facts.cpus) {
    if (cpu < 64) mask |= 1ULL << cpu;
  }
  steps.push_back({.op = wire::Op::kAffinity, .a = mask, .b = holders.cpus});
}

}  // namespace

std::vector<PlanStep> resource_limits(const SandboxSpec& spec, const HostFacts& facts, const Holders& holders) {
  const Limits& limits = spec.limits;
  // 1, not 0: with 0 a pipe handler in core_pattern still gets the dump (core(5), fs/coredump.c).
  std::vector<PlanStep> steps{limit(RLIMIT_CORE, 1),
                              limit(RLIMIT_NOFILE, std::min(limits.open_files, facts.max_open_files)),
                              limit(RLIMIT_FSIZE, limits.file_size_bytes),
                              limit(RLIMIT_NPROC, limits.processes + 1ULL),
                              limit(RLIMIT_MEMLOCK, 64 << 10),
                              limit(RLIMIT_NICE, 0),
                              limit(RLIMIT_RTPRIO, 0)};
  if (limits.cpu_time.count() > 0) steps.push_back(limit(RLIMIT_CPU, static_cast<std::uint64_t>(limits.cpu_time.count())));
  if (!holders.cgroup) add_substitutes(spec, facts, holders, steps);
  return steps;
}

}  // namespace wardenv::sandbox
