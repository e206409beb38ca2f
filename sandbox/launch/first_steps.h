// SPDX-License-Identifier: Apache-2.0
// The steps that every plan of the default form begins with: namespaces and identity. `wardenv run` has them applied while its front
// end still starts; a plan that begins otherwise (other namespaces, born in a cgroup v2 group) is made from nothing as always.
#pragma once

#include <linux/sched.h>
#include <stddef.h>
#include <string.h>

#include "sandbox/plan_wire.h"

namespace wardenv::launch {

struct FirstSteps {
  wire::PlanHeader header;
  wire::Step steps[8];
  char hostname[8];   // "wardenv", and the NUL that ends the plan
};

static_assert(offsetof(FirstSteps, hostname) + sizeof FirstSteps::hostname == sizeof(FirstSteps));
inline constexpr uint32_t kNoText = sizeof(FirstSteps) - 1;

inline wire::Step first_step(wire::Op op, uint16_t flags = 0, uint64_t a = 0, uint64_t b = 0, uint64_t c = 0) {
  return {op, flags, -1, kNoText, kNoText, a, b, c};
}

// `uid`, `gid`: our own; 0 means that the sandbox gets an id of the range uid_first, uid_count.
inline FirstSteps first_steps(uint32_t uid, uint32_t gid, uint32_t uid_first, uint32_t uid_count) {
  using wire::Op;
  constexpr uint64_t kInsideId = 1000;
  constexpr uint64_t kNamespaces = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP | CLONE_NEWNET;
  FirstSteps plan{};
  uint32_t count = 0;
  auto add = [&](const wire::Step& step) { plan.steps[count++] = step; };
  const bool root = uid == 0;
  add(first_step(Op::kClone, 0, kNamespaces));
  if (root) add(first_step(Op::kMapIdsByParent, 0, kInsideId));
  add(first_step(Op::kLoopbackUp));
  add(first_step(Op::kHostname));
  plan.steps[count - 1].text = offsetof(FirstSteps, hostname);
  add(root ? first_step(Op::kAwaitMaps) : first_step(Op::kMapIdsBySelf, 0, kInsideId, uid, gid));
  add(first_step(Op::kBecomeUser, root ? wire::kFlagDropGroups : 0, kInsideId));
  add(first_step(Op::kDetach));
  add(first_step(Op::kDropBounding));
  memcpy(plan.hostname, "wardenv", sizeof plan.hostname);
  plan.header.magic = wire::kMagic;
  plan.header.version = wire::kVersion;
  plan.header.kind = wire::Kind::kPrepare;
  plan.header.size = sizeof plan;
  plan.header.step_count = count;
  plan.header.steps = offsetof(FirstSteps, steps);
  plan.header.uid_first = root ? uid_first : 0;
  plan.header.uid_count = root ? uid_count : 0;
  return plan;
}

}  // namespace wardenv::launch
