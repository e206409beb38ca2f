// SPDX-License-Identifier: Apache-2.0
// Quotas in memory.
#include <algorithm>
#include <mutex>
#include <unordered_map>

#include "policy/quota/ledger.h"

namespace wardenv::policy {
namespace {

struct Name {
  std::string key;
  std::int64_t window;
  WindowMode mode;
};

struct NameHash {
  using is_transparent = void;
  static std::size_t mix(std::string_view key, std::int64_t window) {
    return std::hash<std::string_view>()(key) ^ (static_cast<std::size_t>(window) * 0x9e3779b97f4a7c15ULL);
  }
  std::size_t operator()(const Name& name) const { return mix(name.key, name.window); }
  std::size_t operator()(const CounterName& name) const { return mix(name.key, name.window); }
};

struct NameEqual {
  using is_transparent = void;
  static bool same(std::string_view key, std::int64_t window, WindowMode mode, const Name& name) {
    return name.window == window && name.mode == mode && name.key == key;
  }
  bool operator()(const Name& a, const Name& b) const { return same(a.key, a.window, a.mode, b); }
  bool operator()(const CounterName& a, const Name& b) const { return same(a.key, a.window, a.mode, b); }
  bool operator()(const Name& a, const CounterName& b) const { return same(b.key, b.window, b.mode, a); }
};

struct Windows {
  SlidingWindow sliding{};
  FixedWindow fixed{};
};

class MemoryLedger final : public Ledger {
 public:
  Counter open(const CounterName& name, Moment now) override {
    auto found = counters_.find(name);
    if (found == counters_.end()) found = counters_.emplace(Name{std::string(name.key), name.window, name.mode}, Windows{}).first;
    Windows& windows = found->second;
    if (name.mode == WindowMode::kSliding) windows.sliding.drop_passed(name.window, now.at);
    else windows.fixed.advance(name.window, now);
    return {reinterpret_cast<std::int64_t>(&windows), name.mode == WindowMode::kSliding ? windows.sliding.used() : windows.fixed.count};
  }

  std::int64_t free_at(const Counter& counter, const CounterName& name, Moment now, std::uint64_t keep) override {
    const Windows& windows = at(counter);
    if (name.mode == WindowMode::kFixed) return windows.fixed.next_opens(name.window, now);
    return now.wall + windows.sliding.free_at(name.window, keep) - now.at;
  }

  std::int64_t add(const Counter& counter, const CounterName& name, Moment now, std::uint64_t amount) override {
    Windows& windows = at(counter);
    if (name.mode == WindowMode::kSliding) windows.sliding.add(now.at, amount);
    else windows.fixed.add(now.at, amount);
    return name.mode == WindowMode::kSliding ? now.at : windows.fixed.opened;
  }

  void take_back(const CounterName& name, std::int64_t place, std::uint64_t amount) override {
    const auto found = counters_.find(name);
    if (found == counters_.end()) return;
    if (name.mode == WindowMode::kSliding) found->second.sliding.take_back(place, amount);
    else found->second.fixed.take_back(place, amount);
  }

  // Forgets counters that no longer count anything, each time that their number has doubled. No handle may be open.
  void sweep(Moment now) {
    if (counters_.size() < next_sweep_) return;
    std::erase_if(counters_, [&](const auto& entry) {
      const auto& [name, windows] = entry;
      return name.mode == WindowMode::kFixed ? windows.fixed.all_passed(name.window, now) : windows.sliding.all_passed(name.window, now.at);
    });
    next_sweep_ = std::max<std::size_t>(1024, 2 * counters_.size());
  }

 private:
  // References to the values of an unordered_map stay good while others are added.
  static Windows& at(const Counter& counter) { return *reinterpret_cast<Windows*>(counter.handle); }

  std::unordered_map<Name, Windows, NameHash, NameEqual> counters_{};
  std::size_t next_sweep_ = 1024;
};

class MemoryQuota final : public QuotaStore {
 public:
  explicit MemoryQuota(std::shared_ptr<const Clock> clock) : clock_(std::move(clock)) {}

  Result<Reserved> reserve(std::span<const Reservation> wanted) override {
    WARDENV_TRY(check_reservations(wanted));
    const std::scoped_lock lock(mutex_);
    const Moment now = moment();
    ledger_.sweep(now);
    return reserve_in(ledger_, wanted, now);
  }

  Status give_back(const Receipt& receipt) override {
    const std::scoped_lock lock(mutex_);
    give_back_to(ledger_, receipt);
    return {};
  }

  Result<std::uint64_t> used(std::string_view key, std::chrono::milliseconds window, WindowMode mode) override {
    WARDENV_TRY(check_window(window));
    const std::scoped_lock lock(mutex_);
    return ledger_.open({key, window.count(), mode}, moment()).used;
  }

 private:
  Moment moment() {
    const Instant instant = clock_->now();
    last_ = std::max<std::int64_t>(last_, instant.steady.count());
    return {last_, instant.wall.count()};
  }

  std::shared_ptr<const Clock> clock_;
  std::mutex mutex_{};
  MemoryLedger ledger_{};
  std::int64_t last_ = 0;
};

}  // namespace

std::unique_ptr<QuotaStore> make_memory_quota(std::shared_ptr<const Clock> clock) { return std::make_unique<MemoryQuota>(std::move(clock)); }

}  // namespace wardenv::policy
