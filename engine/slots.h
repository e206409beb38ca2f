// SPDX-License-Identifier: Apache-2.0
// Slots: where the sandbox of a run comes from, and where it goes: all that is asked of the launcher. A sandbox was begun ahead, or made ready, for a run
// like this one; or it is made from nothing.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

#include "engine/backstage.h"
#include "engine/engine.h"
#include "engine/habit.h"
#include "engine/slot.h"
#include "engine/system_view.h"
#include "sandbox/launcher_client.h"
#include "sandbox/plan.h"

namespace wardenv::engine {

// What of a request the beginning of its sandbox depends on. What is missing here costs runs their head start, nothing else: Slots::take() compares
// the steps themselves.
using EarlyPart = std::tuple<sandbox::Network, sandbox::Limits, sandbox::Degradable, bool, sandbox::Walls, sandbox::Clock>;

// A sandbox that was begun for this very run.
struct Beginning {
  std::vector<std::uint8_t> early{};
  UniqueFd control;
  EarlyPart of{};
};

// What of a run's plan may have been applied ahead of it, as bytes: for any run like it, and for one in the same places.
struct Firsts {
  std::vector<std::uint8_t> early;
  std::vector<std::uint8_t> ready;   // empty: not for this run
};

class Slots {
 public:
  // REQUIRES: `facts` outlives this object.
  Slots(const sandbox::HostFacts& facts, sandbox::LauncherClient launcher) : facts_(facts), launcher_(std::move(launcher)) {}

  // From now on the next sandbox is begun while one runs, and what is over is put away meanwhile. Error: make_backstage().
  Status work_ahead();
  [[nodiscard]] bool are_ahead() const { return backstage_ != nullptr; }
  [[nodiscard]] std::size_t waiting() const { return backstage_ ? backstage_->ready() : 0; }

  // For a single run, before more is known of it: see Engine::begin.
  void begin(const RunRequest& request, const SystemView& system) { begun_ = beginning_of(request, system); }

  // For a single run: what its sandbox begins with is begun while its folders are still being looked at, if it was not begun before. Never
  // fails: without it the run is made from nothing.
  Beginning beginning_of(const RunRequest& request, const SystemView& system);

  // No `ready` where nobody is to make one.
  [[nodiscard]] Result<Firsts> firsts_of(const sandbox::LaunchPlan& plan) const;

  // With a group, where the plan has one; without a control socket where nothing waited and nothing was begun.
  Result<Slot> take(const sandbox::LaunchPlan& plan, const Firsts& firsts, Beginning beginning);

  // On the prepared sandbox of the slot, where it has one.
  Status submit(Slot& slot, const std::vector<std::uint8_t>& plan, const sandbox::LaunchFds& fds) const;

  // Once a run is on its way: what the next one may find. `found`: it was made ready for this one.
  void want_next(Firsts firsts, bool found, const sandbox::CgroupPlan& cgroup);

  void note_end(double wall_ms) { habit_.note_end(wall_ms); }

  // A run that want_next() was called for, where that is, is over.
  void end(Slot slot);

  // A sandbox that nothing may enter.
  void put_aside(Slot slot);

  // Nobody waits for it but who wants to run again, and who ends.
  void put_over_away();

  // Nothing waits any more, and nothing is begun.
  void end_ahead();

  sandbox::LauncherClient& launcher() { return launcher_; }

 private:
  [[nodiscard]] std::optional<Slot> take_ahead(const sandbox::LaunchPlan& plan, const Firsts& firsts) const;
  void dispose(Slot slot);

  const sandbox::HostFacts& facts_;
  Beginning begun_;                        // for the first run
  std::vector<Slot> over_;                 // without backstage: put away before the next run, or once the launcher has ended
  sandbox::LauncherClient launcher_;
  std::unique_ptr<Backstage> backstage_;   // nullptr: nothing is done ahead
  std::atomic<std::size_t> under_way_ = 0;
  Habit habit_;
};

}  // namespace wardenv::engine
