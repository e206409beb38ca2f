// SPDX-License-Identifier: Apache-2.0
#include "engine/backstage.h"

#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>

#include <algorithm>
#include <system_error>

namespace wardenv::engine {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kMaxReady = 4;
constexpr std::size_t kMaxIdle = 4;
constexpr std::chrono::seconds kMaxAge{30};  // a sandbox that was begun sees the host's system files as they were then

// Signals are for the threads of the program, never for this one.
void block_signals() {
  sigset_t all;
  sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
}

}  // namespace

Backstage::Backstage(const sandbox::HostFacts& facts, const sandbox::LauncherClient& launcher)
    : facts_(facts), launcher_(launcher), thread_([this] { work(); }) {}

Result<std::unique_ptr<Backstage>> make_backstage(const sandbox::HostFacts& facts, const sandbox::LauncherClient& launcher) try {
  return std::make_unique<Backstage>(facts, launcher);
} catch (const std::system_error& error) {
  return fail(ErrorCode::kHost, std::string("cannot start a thread: ") + error.what(), "raise the limit on processes and threads by `ulimit -u`");
}

Backstage::~Backstage() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void Backstage::look_at_mounts() {
  if (mount_watch_.changed()) ++mounts_;
}

bool Backstage::is_old(const Ready& item) const {
  return Clock::now() - item.since > kMaxAge || (item.what.first.in_places && item.what.mounts != mounts_);
}

std::optional<Slot> Backstage::take(const sandbox::CgroupPlan& cgroup, const std::vector<std::uint8_t>& first) {
  const std::lock_guard lock(mutex_);
  look_at_mounts();
  for (auto item = ready_.begin(); item != ready_.end(); ++item) {
    if (item->what.first.bytes != first || item->what.cgroup != cgroup || is_old(*item)) continue;
    Slot slot = std::move(item->slot);
    ready_.erase(item);
    return slot;
  }
  return std::nullopt;
}

std::size_t Backstage::count(const std::vector<std::uint8_t>& first) const {
  const auto ready = std::count_if(ready_.begin(), ready_.end(), [&](const Ready& item) { return item.what.first.bytes == first && !is_old(item); });
  const auto wanted = std::count_if(wanted_.begin(), wanted_.end(), [&](const Wanted& item) { return item.first.bytes == first; });
  return static_cast<std::size_t>(ready + wanted) + (beginning_ == first ? 1 : 0);
}

void Backstage::want(First first, const sandbox::CgroupPlan& cgroup, std::size_t under_way) {
  {
    const std::lock_guard lock(mutex_);
    const auto fresh = std::count_if(ready_.begin(), ready_.end(), [&](const Ready& item) { return !is_old(item); });
    if (wanted_.size() + static_cast<std::size_t>(fresh) >= kMaxReady || count(first.bytes) >= under_way) return;
    const auto begin = Clock::now() + first.patience;
    wanted_.push_back({std::move(first), cgroup, mounts_, begin});
  }
  wake_.notify_one();
}

std::size_t Backstage::ready() {
  const std::lock_guard lock(mutex_);
  return ready_.size();
}

void Backstage::dispose(Slot slot) {
  {
    const std::lock_guard lock(mutex_);
    over_.push_back(std::move(slot));
  }
  wake_.notify_one();
}

void Backstage::prepare(const Wanted& wanted) {
  Ready ready{.what = wanted, .since = Clock::now(), .slot = {}};
  if (wanted.cgroup.kind != sandbox::CgroupKind::kNone) {
    auto leaf = group_for(wanted.cgroup);
    if (!leaf) return;
    ready.slot.leaf = std::move(*leaf);
  }
  auto control = launcher_.prepare(wanted.first.bytes, ready.slot.leaf.join_fds());
  if (!control) return;
  ready.slot.control = std::move(*control);
  const std::lock_guard lock(mutex_);
  ready_.push_back(std::move(ready));
}

std::optional<sandbox::CgroupLeaf> Backstage::take_idle(const sandbox::CgroupPlan& plan) {
  const std::lock_guard lock(mutex_);
  const auto fits = [&](const Idle& item) { return item.leaf.limits() == plan; };
  const auto item = std::find_if(idle_.begin(), idle_.end(), fits);
  if (item == idle_.end()) return std::nullopt;
  sandbox::CgroupLeaf leaf = std::move(item->leaf);
  idle_.erase(item);
  return leaf;
}

Result<sandbox::CgroupLeaf> Backstage::group_for(const sandbox::CgroupPlan& plan) {
  while (auto leaf = take_idle(plan)) {
    if (leaf->renew()) return std::move(*leaf);
  }
  return sandbox::CgroupLeaf::create(facts_.cgroup, plan);
}

void Backstage::put_aside(Slot slot) {
  const bool gone = await_end(slot);
  if (!gone || !slot.leaves_group || slot.leaf.limits().kind != sandbox::CgroupKind::kV1) return slot.leaf.remove();
  Idle item{Clock::now(), std::move(slot.leaf)};
  const std::lock_guard lock(mutex_);
  if (idle_.size() < kMaxIdle) idle_.push_back(std::move(item));
}

void Backstage::drop_old_groups(std::unique_lock<std::mutex>& lock) {
  while (!idle_.empty() && (stop_ || Clock::now() - idle_.front().since > kMaxAge)) {
    sandbox::CgroupLeaf leaf = std::move(idle_.front().leaf);
    idle_.pop_front();
    lock.unlock();
    leaf.remove();
    lock.lock();
  }
}

// The launcher ends a prepared sandbox when its control socket is shut down.
void Backstage::drop_old(std::unique_lock<std::mutex>& lock) {
  for (;;) {
    const auto old = std::find_if(ready_.begin(), ready_.end(), [&](const Ready& item) { return stop_ || is_old(item); });
    if (old == ready_.end()) return;
    Slot slot = std::move(old->slot);
    ready_.erase(old);
    lock.unlock();
    ::shutdown(slot.control.get(), SHUT_WR);
    put_away(slot);
    lock.lock();
  }
}

// When the oldest of what is kept will be old.
Clock::time_point Backstage::next_look() const {
  auto next = Clock::now() + kMaxAge;
  if (!ready_.empty()) next = std::min(next, ready_.front().since + kMaxAge);
  if (!idle_.empty()) next = std::min(next, idle_.front().since + kMaxAge);
  return next + std::chrono::milliseconds(1);
}

void Backstage::work() {
  block_signals();
  std::unique_lock lock(mutex_);
  for (;;) {
    if (!stop_ && !wanted_.empty() && over_.empty() && Clock::now() < wanted_.front().begin) {
      wake_.wait_until(lock, wanted_.front().begin);
    } else if (!stop_ && !wanted_.empty() && Clock::now() >= wanted_.front().begin) {
      const Wanted wanted = std::move(wanted_.front());
      wanted_.pop_front();
      beginning_ = wanted.first.bytes;
      lock.unlock();
      prepare(wanted);
      lock.lock();
      beginning_.clear();
    } else if (!over_.empty()) {
      Slot slot = std::move(over_.front());
      over_.pop_front();
      lock.unlock();
      put_aside(std::move(slot));
      lock.lock();
    } else {
      look_at_mounts();
      drop_old(lock);
      drop_old_groups(lock);
      if (stop_ && over_.empty()) return;
      if (wanted_.empty() && over_.empty()) wake_.wait_until(lock, next_look());
    }
  }
}

}  // namespace wardenv::engine
