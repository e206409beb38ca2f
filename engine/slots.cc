// SPDX-License-Identifier: Apache-2.0
#include "engine/slots.h"

#include <sys/socket.h>

#include <cerrno>
#include <chrono>

#include "engine/spec_builder.h"

namespace wardenv::engine {
namespace {

// What a sandbox takes from the plan to its command, which the launcher and the sandbox would otherwise share one CPU for.
constexpr std::chrono::microseconds kStart{700};

EarlyPart early_part(const RunRequest& request) {
  return {request.network, request.limits, request.degradable, request.require_cgroup, request.walls, request.clock};
}

}  // namespace

Status Slots::work_ahead() {
  auto backstage = make_backstage(facts_, launcher_);
  if (!backstage) return tl::unexpected(backstage.error());
  backstage_ = std::move(*backstage);
  return {};
}

Beginning Slots::beginning_of(const RunRequest& request, const SystemView& system) {
  Beginning before = std::exchange(begun_, {});
  const bool faulty = request.fault.kind != wire::Fault::kNone;
  if (before.control.valid() && before.of == early_part(request) && !faulty) return before;
  auto plan = sandbox::compile(build_early_spec(request, system), facts_);
  if (!plan || plan->cgroup.kind == sandbox::CgroupKind::kV2 || faulty) return {};
  auto early = encode_early(*plan);
  if (!early) return {};
  if (before.control.valid() && before.early == *early) return before;
  before.control.reset();
  auto control = launcher_.prepare(*early, {});
  if (!control) return {};
  return {std::move(*early), std::move(*control), early_part(request)};
}

Result<Firsts> Slots::firsts_of(const sandbox::LaunchPlan& plan) const {
  auto early = encode_early(plan);
  if (!early) return tl::unexpected(early.error());
  if (!backstage_ || plan.ready_steps == 0) return Firsts{std::move(*early), {}};
  auto ready = encode_ready(plan);
  if (!ready) return tl::unexpected(ready.error());
  return Firsts{std::move(*early), std::move(*ready)};
}

// What waits for a run that begins so; nothing where a fault is to happen in what is done ahead.
std::optional<Slot> Slots::take_ahead(const sandbox::LaunchPlan& plan, const Firsts& firsts) const {
  if (backstage_ == nullptr) return std::nullopt;
  const auto take = [&](const std::vector<std::uint8_t>& first, std::uint32_t steps) {
    const bool faulty = plan.fault.kind != wire::Fault::kNone && plan.fault.step <= steps;
    return first.empty() || faulty ? std::nullopt : backstage_->take(plan.cgroup, first);
  };
  auto slot = take(firsts.ready, plan.ready_steps);
  if (!slot) return take(firsts.early, plan.early_steps);
  slot->ready = true;
  return slot;
}

Result<Slot> Slots::take(const sandbox::LaunchPlan& plan, const Firsts& firsts, Beginning beginning) {
  if (auto slot = take_ahead(plan, firsts)) return std::move(*slot);
  Slot slot;
  if (beginning.control.valid() && firsts.early == beginning.early) slot.control = std::move(beginning.control);
  if (plan.cgroup.kind == sandbox::CgroupKind::kNone) return slot;
  auto leaf = backstage_ ? backstage_->group_for(plan.cgroup) : sandbox::CgroupLeaf::create(facts_.cgroup, plan.cgroup);
  if (!leaf) return tl::unexpected(leaf.error());
  slot.leaf = std::move(*leaf);
  return slot;
}

Status Slots::submit(Slot& slot, const std::vector<std::uint8_t>& plan, const sandbox::LaunchFds& fds) const {
  if (slot.control.valid()) {
    Status sent = launcher_.submit_to(slot.control, plan, fds);
    if (sent || sent.error().sys_errno != EPIPE) return sent;
    slot.control.reset();   // what was begun ahead has ended, unheard of anything: this run's is made from nothing
    slot.ready = false;
  }
  auto control = launcher_.submit(plan, fds);
  if (!control) return tl::unexpected(control.error());
  slot.control = std::move(*control);
  return {};
}

void Slots::want_next(Firsts firsts, bool found, const sandbox::CgroupPlan& cgroup) {
  if (!backstage_) return;
  const bool again = !firsts.ready.empty() && habit_.again(firsts.ready, found);
  const std::size_t now = ++under_way_;
  const auto patience = now == 1 && habit_.is_long() ? kStart : std::chrono::microseconds();
  backstage_->want({std::move(again ? firsts.ready : firsts.early), again, patience}, cgroup, now);
}

void Slots::end(Slot slot) {
  if (backstage_) --under_way_;
  dispose(std::move(slot));
}

void Slots::put_aside(Slot slot) {
  ::shutdown(slot.control.get(), SHUT_WR);
  dispose(std::move(slot));
}

void Slots::dispose(Slot slot) { backstage_ ? backstage_->dispose(std::move(slot)) : over_.push_back(std::move(slot)); }

void Slots::put_over_away() {
  for (Slot& slot : over_) put_away(slot);
  over_.clear();
}

void Slots::end_ahead() {
  begun_ = {};
  backstage_.reset();
}

}  // namespace wardenv::engine
