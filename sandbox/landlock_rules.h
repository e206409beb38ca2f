// SPDX-License-Identifier: Apache-2.0
// The second wall of files: what Landlock lets a run do where (landlock(7)), at the host's ABI.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "sandbox/plan.h"

namespace wardenv::sandbox {

class LandlockRules {
 public:
  // REQUIRES: both outlive this object.
  LandlockRules(const SandboxSpec& spec, const HostFacts& facts) : spec_(spec), facts_(facts) {}

  // False where the wall was not asked for or the host has none: then there are no steps either.
  [[nodiscard]] bool is_asked() const;

  // The ruleset, with the places that every sandbox has. A rule belongs to the folder itself, not to its path: what is built ahead holds after
  // pivot_root(2), too.
  [[nodiscard]] std::vector<PlanStep> ruleset() const;

  // Rules for some of spec.mounts.
  [[nodiscard]] std::vector<PlanStep> allow(const std::vector<std::size_t>& mounts) const;

  [[nodiscard]] std::vector<PlanStep> restriction() const;

 private:
  [[nodiscard]] std::uint64_t handled() const;
  [[nodiscard]] std::uint64_t writing() const;

  const SandboxSpec& spec_;
  const HostFacts& facts_;
};

}  // namespace wardenv::sandbox
