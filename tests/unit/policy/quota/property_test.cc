// SPDX-License-Identifier: Apache-2.0
// Every store against a model that remembers everything, by random calls, random clocks and random steps of the clock.
#include <algorithm>
#include <functional>
#include <map>
#include <random>

#include "policy/quota/store.h"
#include "tests/support/catch.h"
#include "tests/unit/engine/scratch.h"
#include "tests/unit/policy/quota/fake_clock.h"

using namespace wardenv;
using namespace wardenv::policy;
using wardenv::testing::FakeClock;
using wardenv::testing::Folder;

namespace {

using Ms = std::chrono::milliseconds;

struct Use {
  std::string key;
  std::int64_t window;
  std::int64_t at;        // real time
  std::uint64_t amount;
};

// The contract, said as plainly as can be: what was used in [t - window, t], by real time.
struct SlidingModel {
  std::vector<Use> uses{};

  std::uint64_t used(const std::string& key, std::int64_t window, std::int64_t t) const {
    std::uint64_t sum = 0;
    for (const Use& use : uses) {
      if (use.key == key && use.window == window && use.at >= t - window && use.at <= t) sum += use.amount;
    }
    return sum;
  }

  std::uint64_t need(const std::vector<Reservation>& wanted, std::size_t index) const {
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i <= index; ++i) {
      if (wanted[i].key == wanted[index].key && wanted[i].window == wanted[index].window) sum += wanted[i].amount;
    }
    return wanted[index].amount == 0 ? 0 : sum;
  }

  bool fits(const std::vector<Reservation>& wanted, std::size_t i, std::int64_t t) const {
    return need(wanted, i) == 0 || used(wanted[i].key, wanted[i].window.count(), t) + need(wanted, i) <= wanted[i].max;
  }

  // The first real millisecond at which entry i fits, if nobody takes anything; -1 for never.
  std::int64_t free_at(const std::vector<Reservation>& wanted, std::size_t i, std::int64_t now) const {
    if (need(wanted, i) > wanted[i].max) return -1;
    std::int64_t t = now;
    while (!fits(wanted, i, t)) ++t;
    return t;
  }
};

std::vector<Reservation> random_wanted(std::mt19937& random) {
  static const std::string keys[] = {"a.b.c", std::string("a\0b", 3), "a\0c"};   // the last is "a": a prefix of the others
  std::vector<Reservation> wanted(1 + random() % 3);
  for (Reservation& entry : wanted) {
    entry = {.key = keys[random() % 3], .window = Ms(random() % 2 == 0 ? 20 : 57), .mode = WindowMode::kSliding, .amount = random() % 4, .max = random() % 7};
  }
  return wanted;
}

using Open = std::function<std::unique_ptr<QuotaStore>()>;

// A store that restarts are asked of, and the clock that it counts by.
struct Backend {
  std::shared_ptr<FakeClock> clock = std::make_shared<FakeClock>();
  Open open{};
};

// "Reopening" memory is the same memory: a restart would forget it.
struct Kept final : QuotaStore {
  explicit Kept(std::shared_ptr<QuotaStore> store) : inner(std::move(store)) {}
  Result<Reserved> reserve(std::span<const Reservation> wanted) override { return inner->reserve(wanted); }
  Status give_back(const Receipt& receipt) override { return inner->give_back(receipt); }
  Result<std::uint64_t> used(std::string_view key, Ms window, WindowMode mode) override { return inner->used(key, window, mode); }
  std::shared_ptr<QuotaStore> inner;
};

Backend in_memory() {
  Backend backend;
  std::shared_ptr<QuotaStore> store = make_memory_quota(backend.clock);
  backend.open = [store] { return std::make_unique<Kept>(store); };
  return backend;
}

Backend in_file(const Folder& folder) {
  Backend backend;
  backend.open = [path = folder.at("quota.db"), clock = backend.clock] {
    auto store = open_sqlite_quota(path, Durability::kProcessCrash, clock);
    REQUIRE(store);
    return std::move(*store);
  };
  return backend;
}

void check_refusal(const SlidingModel& model, const std::vector<Reservation>& wanted, const Reserved& answer, const FakeClock& clock) {
  const std::int64_t now = clock.steady();
  std::int64_t latest = 0;
  for (std::size_t i = 0; i < wanted.size() && latest >= 0; ++i) {
    const std::int64_t at = model.free_at(wanted, i, now);
    latest = at < 0 ? -1 : std::max(latest, at);
  }
  REQUIRE_FALSE(model.fits(wanted, answer.refused, now));
  REQUIRE(answer.free_at.has_value() == (latest >= 0));
  if (latest < 0) return;
  const auto wall = std::chrono::duration_cast<Ms>(answer.free_at->time_since_epoch()).count();
  REQUIRE(wall - clock.wall() == latest - now);
}

void run_sliding(const Backend& backend, unsigned seed, int rounds) {
  const auto& [clock, open] = backend;
  std::mt19937 random(seed);
  auto store = open();
  SlidingModel model;
  std::vector<std::pair<Receipt, std::vector<std::size_t>>> receipts;
  int granted = 0;
  int refused = 0;
  for (int round = 0; round < rounds; ++round) {
    clock->pass(static_cast<std::int64_t>(random() % 9));
    if (random() % 10 == 0) clock->step(static_cast<std::int64_t>(random() % 400'000) - 200'000);
    if (random() % 50 == 0) {
      store.reset();
      store = open();
    }
    if (!receipts.empty() && random() % 6 == 0) {
      const std::size_t which = random() % receipts.size();
      REQUIRE(store->give_back(receipts[which].first));
      for (std::size_t use : receipts[which].second) model.uses[use].amount = 0;
      receipts.erase(receipts.begin() + static_cast<std::ptrdiff_t>(which));
    }
    const std::vector<Reservation> wanted = random_wanted(random);
    bool fits = true;
    for (std::size_t i = 0; i < wanted.size(); ++i) fits = fits && model.fits(wanted, i, clock->steady());
    const auto answer = store->reserve(wanted);
    REQUIRE(answer);
    REQUIRE(answer->granted == fits);
    if (!fits) {
      check_refusal(model, wanted, *answer, *clock);
      ++refused;
    } else {
      std::vector<std::size_t> places;
      for (const Reservation& entry : wanted) {
        places.push_back(model.uses.size());
        model.uses.push_back({entry.key, entry.window.count(), clock->steady(), entry.amount});
      }
      receipts.emplace_back(answer->receipt, places);
      ++granted;
    }
    const Reservation& one = wanted.front();
    const auto used = store->used(one.key, one.window, one.mode);
    REQUIRE(used);
    REQUIRE(*used == model.used(one.key, one.window.count(), clock->steady()));
  }
  REQUIRE(granted > rounds / 10);
  REQUIRE(refused > rounds / 10);
}

// What the store granted of one fixed counter, by real time and by the wall clock's own windows.
struct FixedLog {
  std::vector<std::pair<std::int64_t, std::uint64_t>> uses{};   // real time, amount

  std::uint64_t most_in_span(std::int64_t length) const {
    std::uint64_t most = 0;
    for (const auto& [from, unused] : uses) {
      std::uint64_t sum = 0;
      for (const auto& [at, amount] : uses) sum += at >= from && at < from + length ? amount : 0;
      most = std::max(most, sum);
    }
    return most;
  }
};

constexpr std::int64_t kWindow = 100;
constexpr std::uint64_t kMax = 5;

Reservation fixed(std::uint64_t amount) { return {.key = "k", .window = Ms(kWindow), .mode = WindowMode::kFixed, .amount = amount, .max = kMax}; }

void run_fixed_smooth(const Backend& backend, unsigned seed) {
  const auto& [clock, open] = backend;
  std::mt19937 random(seed);
  auto store = open();
  std::map<std::int64_t, std::uint64_t> used;
  std::vector<std::tuple<Receipt, std::int64_t, std::uint64_t>> receipts;
  for (int round = 0; round < 3000; ++round) {
    clock->pass(static_cast<std::int64_t>(random() % 25));
    if (random() % 50 == 0) {
      store.reset();
      store = open();
    }
    if (!receipts.empty() && random() % 5 == 0) {
      const auto [receipt, index, amount] = receipts.back();
      receipts.pop_back();
      REQUIRE(store->give_back(receipt));
      used[index] -= amount;
    }
    const std::int64_t index = clock->wall() / kWindow;
    const std::uint64_t amount = random() % 3;
    const std::vector<Reservation> wanted{fixed(amount)};
    const auto answer = store->reserve(wanted);
    REQUIRE(answer);
    REQUIRE(answer->granted == (amount == 0 || used[index] + amount <= kMax));
    if (answer->granted) {
      used[index] += amount;
      receipts.emplace_back(answer->receipt, index, amount);
    } else {
      REQUIRE(std::chrono::duration_cast<Ms>(answer->free_at->time_since_epoch()).count() == (index + 1) * kWindow);
    }
    REQUIRE(*store->used("k", Ms(kWindow), WindowMode::kFixed) == used[index]);
  }
}

void run_fixed_steps(const Backend& backend, unsigned seed) {
  const auto& [clock, open] = backend;
  std::mt19937 random(seed);
  auto store = open();
  FixedLog log;
  int steps = 0;
  for (int round = 0; round < 2000; ++round) {
    clock->pass(static_cast<std::int64_t>(random() % 12));
    if (random() % 4 == 0) {
      clock->step(static_cast<std::int64_t>(random() % 700) - 350);
      ++steps;
    }
    const std::vector<Reservation> wanted{fixed(1)};
    const auto answer = store->reserve(wanted);
    REQUIRE(answer);
    if (answer->granted) log.uses.emplace_back(clock->steady(), 1);
    else if (random() % 3 == 0) {
      // Where nobody touches the clock, it is free when the answer says.
      clock->pass(std::chrono::duration_cast<Ms>(answer->free_at->time_since_epoch()).count() - clock->wall());
      const auto later = store->reserve(wanted);
      REQUIRE(later->granted);
      log.uses.emplace_back(clock->steady(), 1);
    }
  }
  REQUIRE(steps > 100);
  REQUIRE(log.uses.size() > 200);
  REQUIRE(log.most_in_span(kWindow) <= 2 * kMax);
}

}  // namespace

TEST_CASE("sliding windows in memory are what the model says") {
  run_sliding(in_memory(), 1, 4000);
}

TEST_CASE("sliding windows in SQLite are what the model says, over restarts too") {
  for (unsigned seed = 1; seed <= 3; ++seed) {
    const Folder folder;
    run_sliding(in_file(folder), seed, 2000);
  }
}

TEST_CASE("calendar windows are exact while nobody steps the clock") {
  run_fixed_smooth(in_memory(), 2);
  const Folder folder;
  run_fixed_smooth(in_file(folder), 3);
}

TEST_CASE("calendar windows give no more than two maxima in any span, however the clock is stepped") {
  run_fixed_steps(in_memory(), 4);
  const Folder folder;
  run_fixed_steps(in_file(folder), 5);
}
