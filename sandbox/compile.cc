// SPDX-License-Identifier: Apache-2.0
// compile(): spec + facts -> plan. Pure. The order of the steps is the security of the sandbox: see README.md of this folder.
#include <algorithm>

#include "sandbox/compile_parts.h"
#include "sandbox/landlock_rules.h"
#include "sandbox/proc_masks.h"
#include "sandbox/resource_limits.h"
#include "sandbox/seccomp/builtin.h"
#include "sandbox/spec_check.h"

namespace wardenv::sandbox {
namespace {

using wire::Op;

// Empty entries of PATH would mean the current folder (execvp(3)): left out.
void split_path(const std::string& path, std::vector<std::string>& folders) {
  std::size_t begin = 0;
  while (begin <= path.size()) {
    const std::size_t end = std::min(path.find(':', begin), path.size());
    if (end > begin) folders.push_back(path.substr(begin, end - begin));
    begin = end + 1;
  }
}

void copy_command(const SandboxSpec& spec, const HostFacts& facts, LaunchPlan& plan) {
  plan.argv = spec.argv;
  plan.program = spec.program;
  plan.env = spec.env;
  plan.cwd = spec.cwd;
  plan.wall_time_ms = static_cast<std::uint64_t>(spec.limits.wall_time.count());
  plan.memory_bytes = spec.limits.memory_bytes;
  for (const std::string& variable : spec.env) {
    if (variable.starts_with("PATH=")) split_path(variable.substr(5), plan.search);
  }
  if (facts.is_root()) {
    plan.uid_first = facts.uid_range_first;
    plan.uid_count = facts.uid_range_count;
  }
}

void filter_calls(const SandboxSpec& spec, const Holders& holders, LaunchPlan& plan, StepList& steps) {
  if (!spec.walls.seccomp) return;
  const auto limits_by = holders.cgroup ? seccomp::LimitsBy::kCgroup : seccomp::LimitsBy::kProcess;
  const auto filter = seccomp::builtin_filter(limits_by);
  plan.filter.assign(filter.begin(), filter.end());
  plan.last_syscall = static_cast<std::uint32_t>(seccomp::last_known_syscall());
  plan.enforced.seccomp = true;
  steps.add({.op = Op::kSeccomp});
}

// What does not depend on the single run.
void early_steps(const Layout& layout, const LandlockRules& landlock, LaunchPlan& plan, StepList& steps) {
  clone_process(layout, plan, steps);
  name_network(layout, steps);
  become_user(layout, steps);
  if (layout.shared) make_tree(layout, steps);
  open_mounts(layout, layout.early, steps);
  if (!layout.shared) open_devices(layout, steps);
  open_kept(layout, steps);
  make_root(layout, steps);
  attach_kept(layout, steps);
  attach_mounts(layout, layout.early, steps);
  if (!layout.shared) attach_devices(layout, steps);
  steps.add({.op = Op::kPts, .text = "/dev/pts"});
  mount_proc(layout, steps);
  steps.add_all(proc_masks());
  if (landlock.is_asked()) plan.enforced.landlock_abi = layout.facts.landlock_abi;
  steps.add_all(landlock.ruleset());
  steps.add_all(landlock.allow(layout.mounts.early));
  if (layout.facts.is_root()) steps.add({.op = Op::kPivot});   // what comes later is opened by the launcher
  plan.early_steps = steps.count();
}

void late_steps(const Layout& layout, const LandlockRules& landlock, LaunchPlan& plan, StepList& steps) {
  join_cgroup(layout, plan, steps);
  open_mounts(layout, layout.mounts.late, steps);
  listen_for_proxy(layout, steps);
  make_symlinks(layout, Part::kLate, steps);
  attach_mounts(layout, layout.mounts.late, steps);
  protect_paths(layout, steps);
  if (!layout.facts.is_root()) steps.add({.op = Op::kPivot});
  seal_root(layout, steps);
  steps.add_all(resource_limits(layout.spec, layout.facts, layout.holders));
  steps.add({.op = Op::kDropCapabilities});
  steps.add({.op = Op::kNoNewPrivileges});
  steps.add_all(landlock.allow(layout.mounts.late));
  steps.add_all(landlock.restriction());
  if (layout.spec.network != Network::kEgress) plan.ready_steps = steps.count();
  steps.add({.op = Op::kCloseDescriptors});
  filter_calls(layout.spec, layout.holders, plan, steps);
  steps.add({.op = Op::kExec, .text = layout.spec.argv[0]});
}

}  // namespace

Result<LaunchPlan> compile(const SandboxSpec& spec, const HostFacts& facts) {
  WARDENV_TRY(check(spec));
  LaunchPlan plan;
  const auto holders = choose_holders(spec, facts, plan.enforced);
  if (!holders) return tl::unexpected(holders.error());
  plan.watchdog = !holders->cgroup;
  copy_command(spec, facts, plan);
  const Layout layout(spec, facts, *holders);
  const LandlockRules landlock(spec, facts);
  StepList steps(plan.steps);
  early_steps(layout, landlock, plan, steps);
  late_steps(layout, landlock, plan, steps);
  return plan;
}

}  // namespace wardenv::sandbox
