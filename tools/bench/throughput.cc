// SPDX-License-Identifier: Apache-2.0
// How many complete sandboxes a second, with several workers side by side.
#include "tools/bench/throughput.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <random>
#include <thread>

namespace wardenv::bench {
namespace {

struct Turn {
  const Runner* runner;
  Throughput* result;
};

// What the workers of one turn write to.
struct Tally {
  std::mutex mutex;
  Throughput& result;
};

void work(const Runner& runner, double until, Tally& tally) {
  while (now_ms() < until) {
    const Sample sample = runner();
    const std::lock_guard lock(tally.mutex);
    if (succeeded(sample)) {
      ++tally.result.completed;
    } else if (tally.result.failures++ == 0) {
      tally.result.first_failure = describe(sample);
    }
  }
}

// The time ends when the last worker does: what was begun within the slice is counted with the time it took.
void take_turn(const Turn& turn, std::chrono::milliseconds slice) {
  Tally tally{.mutex = {}, .result = *turn.result};
  std::vector<std::thread> workers;
  const double begin = now_ms();
  const double until = begin + static_cast<double>(slice.count());
  for (int i = 0; i < turn.result->workers; ++i) workers.emplace_back([&] { work(*turn.runner, until, tally); });
  for (std::thread& worker : workers) worker.join();
  turn.result->seconds += (now_ms() - begin) / 1000;
}

}  // namespace

std::vector<Throughput> measure_throughput(const std::vector<Contestant>& contestants, const Payload& payload,
                                           const ThroughputPlan& plan) {
  std::map<std::string, Runner> runners;
  std::vector<Throughput> results;
  for (const Contestant& contestant : contestants) {
    if (contestant.parallel == Parallel::kNo) continue;
    runners[contestant.name] = contestant.prepare(payload);
    for (const int workers : plan.workers) results.push_back({.contestant = contestant.name, .workers = workers});
  }
  std::vector<Turn> turns;
  for (Throughput& result : results) turns.push_back({&runners[result.contestant], &result});
  std::mt19937 random(plan.seed);
  for (int round = 0; round < plan.slices; ++round) {
    std::shuffle(turns.begin(), turns.end(), random);
    for (const Turn& turn : turns) take_turn(turn, plan.slice);
  }
  return results;
}

}  // namespace wardenv::bench
