// SPDX-License-Identifier: Apache-2.0
// Start-to-exit times of all contestants, interleaved.
#include "tools/bench/latency.h"

#include <algorithm>
#include <numeric>
#include <random>
#include <thread>

namespace wardenv::bench {
namespace {

std::vector<std::size_t> shuffled(std::size_t count, std::mt19937& random) {
  std::vector<std::size_t> order(count);
  std::iota(order.begin(), order.end(), 0U);
  std::shuffle(order.begin(), order.end(), random);
  return order;
}

void record(Series& series, const Sample& sample) {
  if (succeeded(sample)) {
    series.ms.push_back(sample.ms);
  } else if (series.failures++ == 0) {
    series.first_failure = describe(sample);
  }
}

std::string check(const Contestant& contestant, const std::string& stderr_path) {
  const Payload payload{.name = "self-check", .argv = {"/usr/bin/sh", "-c", "exit 42"}, .stderr_path = stderr_path};
  const Sample sample = contestant.prepare(payload)();
  if (sample.status == 42) return "";
  const std::string word = first_line_of("head -n 1 '" + stderr_path + "'");
  return "error: `sh -c 'exit 42'` gave " + describe(sample) + (word.empty() ? "" : ": " + word);
}

}  // namespace

std::string describe(const Sample& sample) {
  return "exit status " + std::to_string(sample.status) + (sample.error.empty() ? "" : ": " + sample.error);
}

std::vector<Series> measure_latency(const std::vector<Contestant>& contestants, const Payload& payload,
                                    const LatencyPlan& plan) {
  std::vector<Runner> runners;
  std::vector<Series> result;
  for (const Contestant& contestant : contestants) {
    runners.push_back(contestant.prepare(payload));
    result.push_back({.contestant = contestant.name});
  }
  std::mt19937 random(plan.seed);
  for (int round = -plan.warm_up_rounds; round < plan.rounds; ++round) {
    for (const std::size_t i : shuffled(runners.size(), random)) {
      if (round > 0 && round % contestants[i].stride != 0) continue;
      if (plan.gap.count() > 0) std::this_thread::sleep_for(plan.gap);
      const Sample sample = runners[i]();
      if (round >= 0) record(result[i], sample);
    }
  }
  return result;
}

void self_check(std::vector<Contestant>& contestants, const std::string& stderr_path) {
  for (Contestant& contestant : contestants) {
    if (contestant.absent.empty()) contestant.absent = check(contestant, stderr_path);
  }
}

}  // namespace wardenv::bench
