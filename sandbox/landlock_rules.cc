// SPDX-License-Identifier: Apache-2.0
#include "sandbox/landlock_rules.h"

#include "sandbox/base/kernel.h"
#include "sandbox/mount_order.h"

namespace wardenv::sandbox {
namespace {

using wire::Op;
namespace k = kernel;

constexpr std::uint64_t kReading = k::kFsReadFile | k::kFsReadDir | k::kFsExecute;

PlanStep rule(const std::string& path, std::uint64_t rights) { return {.op = Op::kLandlockAllow, .text = path, .a = rights}; }

}  // namespace

bool LandlockRules::is_asked() const { return spec_.walls.landlock && facts_.landlock_abi >= 1; }

std::uint64_t LandlockRules::handled() const {
  std::uint64_t rights = (k::kFsMakeSym << 1) - 1;
  if (facts_.landlock_abi >= 2) rights |= k::kFsRefer;
  if (facts_.landlock_abi >= 3) rights |= k::kFsTruncate;
  if (facts_.landlock_abi >= 5) rights |= k::kFsIoctlDev;
  return rights;
}

std::uint64_t LandlockRules::writing() const { return handled() & ~(k::kFsMakeChar | k::kFsMakeBlock | k::kFsIoctlDev); }

std::vector<PlanStep> LandlockRules::ruleset() const {
  if (!is_asked()) return {};
  const std::uint64_t scopes = facts_.landlock_abi >= 6 ? k::kScopeAbstractUnix | k::kScopeSignal : 0;
  const std::uint64_t device = (k::kFsReadFile | k::kFsWriteFile | k::kFsIoctlDev | k::kFsTruncate | k::kFsReadDir) & handled();
  return {{.op = Op::kLandlockRuleset, .a = handled(), .b = 0, .c = scopes},
          rule("/", k::kFsReadDir),
          rule("/etc", k::kFsReadFile | k::kFsReadDir),
          rule("/proc", k::kFsReadFile | k::kFsReadDir),
          rule("/dev", device),
          rule("/tmp", writing()),
          rule("/dev/shm", writing()),
          rule(spec_.home, writing())};
}

std::vector<PlanStep> LandlockRules::allow(const std::vector<std::size_t>& mounts) const {
  std::vector<PlanStep> steps;
  if (!is_asked()) return steps;
  for (std::size_t index : mounts) {
    const Mount& mount = spec_.mounts[index];
    if (mount.stable && is_beneath(mount.target, "/etc")) continue;   // the rule for /etc is enough
    steps.push_back(rule(mount.target, mount.writable == Writable::kYes ? writing() : kReading));
    if (mount.optional) steps.back().flags = wire::kFlagOptional;
  }
  return steps;
}

std::vector<PlanStep> LandlockRules::restriction() const {
  if (!is_asked()) return {};
  return {{.op = Op::kLandlockRestrict}};
}

}  // namespace wardenv::sandbox
