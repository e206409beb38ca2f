// SPDX-License-Identifier: Apache-2.0
// What memory, processes and CPU are limited by, chosen once from spec and facts. Pure.
#pragma once

#include <cstdint>

#include "sandbox/base/error.h"
#include "sandbox/host_facts.h"
#include "sandbox/report.h"
#include "sandbox/spec.h"

namespace wardenv::sandbox {

struct Holders {
  bool cgroup = false;      // else watchdog, RLIMIT_NPROC and affinity
  std::uint64_t cpus = 0;   // affinity: how many whole CPUs
};

// Control groups where they can be had, else the best that an ordinary process can do; `enforced` says which. Error kUnenforceable where that is
// less than was asked for.
Result<Holders> choose_holders(const SandboxSpec& spec, const HostFacts& facts, Enforced& enforced);

}  // namespace wardenv::sandbox
