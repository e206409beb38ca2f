// SPDX-License-Identifier: Apache-2.0
// Backstage: what a resident engine does beside its runs: the next sandbox is begun while one runs, and what ended is put away.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "engine/mount_watch.h"
#include "engine/slot.h"
#include "sandbox/launcher_client.h"
#include "sandbox/plan.h"

namespace wardenv::engine {

// The first steps of a run's plan, as bytes (encode_early, encode_ready).
struct First {
  std::vector<std::uint8_t> bytes;
  bool in_places = false;                // folders of the single run are among them
  std::chrono::microseconds patience{};  // how long it may take until they are begun: the run that is just being started goes first
};

class Backstage {
 public:
  // REQUIRES: both outlive this object.
  Backstage(const sandbox::HostFacts& facts, const sandbox::LauncherClient& launcher);
  Backstage(const Backstage&) = delete;
  Backstage& operator=(const Backstage&) = delete;
  ~Backstage();  // puts everything away

  // A sandbox whose steps are those of `first`, if one waits that was begun for such a group. What has waited too long is never given out, nor what has
  // something of the host in it since before the host's mounts changed.
  std::optional<Slot> take(const sandbox::CgroupPlan& cgroup, const std::vector<std::uint8_t>& first);

  // Called as a run starts: sees to it that as many sandboxes that begin like this are begun as runs are under way. Never fails: without
  // one the next run is made from nothing.
  void want(First first, const sandbox::CgroupPlan& cgroup, std::size_t under_way);

  // A group with the limits of `plan`: one whose run is over, made as new, or a new one. REQUIRES: the plan has one. Error: CgroupLeaf::create.
  Result<sandbox::CgroupLeaf> group_for(const sandbox::CgroupPlan& plan);

  // How many wait.
  std::size_t ready();

  // put_away(), but elsewhere; the group is kept for another run where that may be.
  void dispose(Slot slot);

 private:
  struct Wanted {
    First first;
    sandbox::CgroupPlan cgroup;
    std::uint64_t mounts = 0;   // the edition of the host's mounts that it was asked for with
    std::chrono::steady_clock::time_point begin;
  };

  struct Ready {
    Wanted what;
    std::chrono::steady_clock::time_point since;
    Slot slot;
  };

  struct Idle {
    std::chrono::steady_clock::time_point since;
    sandbox::CgroupLeaf leaf;
  };

  [[nodiscard]] std::size_t count(const std::vector<std::uint8_t>& first) const;
  [[nodiscard]] bool is_old(const Ready& item) const;
  void look_at_mounts();
  [[nodiscard]] std::chrono::steady_clock::time_point next_look() const;
  void work();
  void prepare(const Wanted& wanted);
  void put_aside(Slot slot);
  void drop_old(std::unique_lock<std::mutex>& lock);
  void drop_old_groups(std::unique_lock<std::mutex>& lock);
  std::optional<sandbox::CgroupLeaf> take_idle(const sandbox::CgroupPlan& plan);

  const sandbox::HostFacts& facts_;
  const sandbox::LauncherClient& launcher_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stop_ = false;
  MountWatch mount_watch_;
  std::uint64_t mounts_ = 1;              // the edition of the host's mounts
  std::deque<Wanted> wanted_;
  std::vector<std::uint8_t> beginning_;   // what the thread is busy with
  std::deque<Ready> ready_;
  std::deque<Slot> over_;
  std::deque<Idle> idle_;   // groups of runs that are over; oldest first
  std::thread thread_;
};

// Error kHost where no thread can be started. REQUIRES: as the constructor.
Result<std::unique_ptr<Backstage>> make_backstage(const sandbox::HostFacts& facts, const sandbox::LauncherClient& launcher);

}  // namespace wardenv::engine
