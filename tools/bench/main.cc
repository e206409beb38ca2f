// SPDX-License-Identifier: Apache-2.0
// wardenv-bench: measures what starting a sandbox costs, wardenv and its peers interleaved in one run.
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>

#include "engine/engine.h"
#include "tools/bench/library.h"
#include "tools/bench/options.h"
#include "tools/bench/output.h"
#include "tools/bench/peers.h"

namespace wardenv::bench {
namespace {

void say(const std::string& text) { std::fprintf(stderr, "wardenv-bench: %s\n", text.c_str()); }

int complain(const Error& error) {
  say(error.message + (error.hint.empty() ? "" : " — " + error.hint));
  return 1;
}

Contestant absent_library(const Error& error) {
  return {.name = "library", .label = "wardenv library", .absent = "error: " + error.message};
}

bool chosen(const Options& options, const Contestant& contestant) {
  return options.only.empty() ||
         std::find(options.only.begin(), options.only.end(), contestant.name) != options.only.end();
}

// A name that is wrong would be a contestant that is missing unnoticed.
void check_names(const Options& options, const std::vector<Contestant>& all) {
  for (const std::string& name : options.only) {
    if (std::any_of(all.begin(), all.end(), [&](const Contestant& item) { return item.name == name; })) continue;
    std::string names;
    for (const Contestant& item : all) names += " " + item.name;
    std::exit(complain({ErrorCode::kBadInput, "--only: there is no contestant `" + name + "`", "there are:" + names, 0}));
  }
}

std::vector<Contestant> contestants_of(const Options& options, const Site& site, Result<engine::Engine>& engine) {
  std::vector<Contestant> all = program_contestants(site, options.wardenv);
  all.insert(all.begin() + 2, engine ? library_contestant(*engine, site) : absent_library(engine.error()));
  check_names(options, all);
  std::erase_if(all, [&](const Contestant& item) { return !chosen(options, item); });
  self_check(all, site.errors());
  for (const Contestant& item : all) {
    if (!item.absent.empty()) say(item.label + ": " + item.absent);
  }
  return all;
}

std::vector<Contestant> present(std::vector<Contestant> all) {
  std::erase_if(all, [](const Contestant& item) { return !item.absent.empty(); });
  return all;
}

std::vector<Payload> payloads(const Site& site) {
  return {{.name = "true", .argv = {"/usr/bin/true"}},
          {.name = "venv-python", .argv = {site.venv() + "/bin/python", "-c", "pass"}, .needs = Needs::kVenv}};
}

void measure_mode(const Options& options, const Site& site, const LatencyPlan& plan, Results& results) {
  for (const Payload& payload : payloads(site)) {
    const auto gap = static_cast<int>(plan.gap.count());
    say(payload.name + ", " + (gap == 0 ? "back to back" : "with gaps") + ", " + std::to_string(plan.rounds) +
        " rounds, seed " + std::to_string(options.seed));
    results.latency.push_back({payload.name, gap, measure_latency(present(results.contestants), payload, plan)});
  }
}

void measure_starts(const Options& options, const Site& site, Results& results) {
  if (options.wants("latency")) measure_mode(options, site, {.rounds = options.rounds, .seed = options.seed}, results);
  if (options.wants("gaps")) {
    measure_mode(options, site,
                 {.rounds = options.gap_rounds,
                  .warm_up_rounds = 1,
                  .gap = std::chrono::milliseconds(options.gap_ms),
                  .seed = options.seed},
                 results);
  }
  if (options.wants("throughput")) {
    say("throughput");
    results.throughput = measure_throughput(present(results.contestants), payloads(site)[0],
                                            {.slices = options.slices, .seed = options.seed});
  }
}

// First of all, while the heap is fresh: memory that earlier tests left free would hide what this one takes.
void measure_memory(const Options& options, const Site& site, Result<engine::Engine>& engine, Results& results) {
  if (!options.wants("memory")) return;
  say("a command that prints " + std::to_string(options.output_bytes) + " bytes");
  results.memory =
      engine ? measure_output(*engine, site, options.output_bytes) : Memory{.error = engine.error().message};
}

int write_json(const Results& results, const std::string& path) {
  if (path.empty()) return 0;
  std::ofstream file(path);
  file << to_json(results).dump(2) << '\n';
  if (file.flush()) return 0;
  return complain(fail_errno(ErrorCode::kHost, "cannot write `" + path + "`").value());
}

int run(const Options& options) {
  Results results{.host = describe_host(), .load_before = load_average()};
  const double begin = now_ms();
  auto site = Site::create();
  if (!site) return complain(site.error());
  auto engine = engine::Engine::create();
  measure_memory(options, *site, engine, results);
  results.contestants = contestants_of(options, *site, engine);
  measure_starts(options, *site, results);
  if (results.memory && engine) read_launcher_memory(*engine, *results.memory);
  if (options.wants("watchdog")) {
    say("the memory limit as an ordinary user");
    results.overshoot = measure_overshoot(
        *site, {.wardenv = options.wardenv, .hog = options.hog, .user = options.user, .runs = options.overshoot_runs});
  }
  results.load_after = load_average();
  results.seconds = (now_ms() - begin) / 1000;
  print_tables(results, stdout);
  const int written = write_json(results, options.json);
  return written == 0 && complete(results) ? 0 : 1;
}

}  // namespace
}  // namespace wardenv::bench

int main(int argc, char** argv) { return wardenv::bench::run(wardenv::bench::parse_options(argc, argv)); }
