// SPDX-License-Identifier: Apache-2.0
// LaunchPlan: how a sandbox is made, as plain data: a list of steps and what goes with them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sandbox/base/error.h"
#include "sandbox/fault.h"
#include "sandbox/host_facts.h"
#include "sandbox/plan_wire.h"
#include "sandbox/report.h"
#include "sandbox/seccomp/filter.h"
#include "sandbox/spec.h"

namespace wardenv::sandbox {

// One step; which fields mean what is said at wire::Op.
struct PlanStep {
  wire::Op op{};
  std::uint16_t flags = 0;
  int slot = -1;
  std::string text{};
  std::string text2{};
  std::uint64_t a = 0;
  std::uint64_t b = 0;
  std::uint64_t c = 0;
  bool operator==(const PlanStep&) const = default;
};

// The control group that the engine makes before the launcher gets the plan. kind kNone: none is made.
struct CgroupPlan {
  CgroupKind kind = CgroupKind::kNone;
  std::uint64_t memory_bytes = 0;
  std::uint32_t processes = 0;
  std::uint64_t cpu_quota_us = 0;   // of each period of 100 ms
  bool swap_uncounted = false;      // a host whose groups don't limit swap will do
  bool operator==(const CgroupPlan&) const = default;
};

struct LaunchPlan {
  std::vector<PlanStep> steps{};
  std::uint32_t early_steps = 0;       // the first so many do not depend on the single run: they may be applied ahead of it
  std::uint32_t ready_steps = 0;       // the first so many do not depend on the command: ahead of a run in the same places (pin_places) they may be applied, too; 0: not so
  std::vector<std::string> argv{};
  std::optional<Program> program;      // executed by descriptor, after a check that it is that file
  std::vector<std::string> env{};
  std::vector<std::string> search{};   // folders of PATH
  std::string cwd{};
  std::vector<seccomp::Instruction> filter{};
  std::uint32_t last_syscall = 0;
  std::uint64_t wall_time_ms = 0;
  std::uint64_t memory_bytes = 0;
  bool watchdog = false;
  std::uint32_t uid_first = 0;
  std::uint32_t uid_count = 0;
  CgroupPlan cgroup;
  Enforced enforced;
  FaultPlan fault;
  bool operator==(const LaunchPlan&) const = default;
};

// spec + facts -> plan. Pure: looks at nothing else. Errors: kBadInput for a spec that makes no sense,
// kUnenforceable where a limit or wall that was asked for has no holder on this host.
Result<LaunchPlan> compile(const SandboxSpec& spec, const HostFacts& facts);

// The bytes of sandbox/plan_wire.h. Error kBadInput where they would not fit a datagram.
Result<std::vector<std::uint8_t>> encode(const LaunchPlan& plan);

// The first plan.early_steps, or ready_steps, as a plan of kind kPrepare.
Result<std::vector<std::uint8_t>> encode_early(const LaunchPlan& plan);
Result<std::vector<std::uint8_t>> encode_ready(const LaunchPlan& plan);

// Makes of an encoded plan one that is held (plan_wire.h).
void hold(std::vector<std::uint8_t>& plan);

// The inverse of encode for everything that goes to the launcher (cgroup and enforced stay behind).
Result<LaunchPlan> decode(const std::vector<std::uint8_t>& bytes);

// One line a step, stable: golden files are made of it.
std::string to_text(const LaunchPlan& plan);
std::string to_text(const PlanStep& step);

// The same as JSON: {"steps": [{"n", "where", "do", …}], "argv", "env", "cgroup", "enforced"}.
std::string to_json(const LaunchPlan& plan);

std::string_view to_string(Holder holder);

}  // namespace wardenv::sandbox
