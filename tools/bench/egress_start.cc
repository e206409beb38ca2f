// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/egress_start.h"

#include <stdlib.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <functional>
#include <thread>
#include <vector>

#include "engine/engine.h"
#include "tools/bench/egress_traffic.h"
#include "tools/bench/process.h"

namespace wardenv::bench {
namespace {

using sandbox::Network;

constexpr int kWarmUp = 10;

engine::RunRequest request_for(Network network, const std::string& folder) {
  engine::RunRequest request;
  request.argv = {"/bin/true"};
  request.workspace = folder;
  request.network = network;
  return request;
}

bool went_well(const engine::RunReport& report) {
  if (report.exit_code == 0) return true;
  std::printf("a run failed: %s\n", report.error ? report.error->message.c_str() : "");
  return false;
}

// One run of that kind; false: it failed.
using Start = std::function<bool(Network)>;

void in_turns(const char* name, int runs, const Start& start) {
  std::array<std::vector<double>, 2> times;
  for (int i = 0; i < kWarmUp + runs; ++i) {
    // Which one comes first changes, so that what one leaves behind falls on both.
    for (const int kind : {i % 2, 1 - i % 2}) {
      const auto begin = Clock::now();
      if (!start(kind == 1 ? Network::kEgress : Network::kNone)) return;
      if (i >= kWarmUp) times[static_cast<std::size_t>(kind)].push_back(microseconds(Clock::now() - begin));
      std::this_thread::sleep_for(std::chrono::milliseconds(5));   // what is done behind the caller's back gets done
    }
  }
  const auto& [none, egress] = times;
  std::printf("start, %-16s none %7.0f us p50 %7.0f p99   egress %7.0f us p50 %7.0f p99   added %5.0f us p50 %5.0f p99\n", name, percentile(none, 0.5),
              percentile(none, 0.99), percentile(egress, 0.5), percentile(egress, 0.99), percentile(egress, 0.5) - percentile(none, 0.5),
              percentile(egress, 0.99) - percentile(none, 0.99));
  std::fflush(stdout);
}

}  // namespace

void measure_starts(int runs, const std::string& program) {
  char folder[] = "/tmp/wardenv-bench-egress.XXXXXX";
  if (::mkdtemp(folder) == nullptr) return;
  if (auto engine = engine::Engine::create()) {
    in_turns("lasting engine", runs, [&](Network network) { return went_well(engine->run(request_for(network, folder))); });
  }
  in_turns("engine for each", runs, [&](Network network) {
    auto engine = engine::Engine::create({.ahead = engine::Ahead::kNo, .launcher = std::nullopt});
    return engine && went_well(engine->run(request_for(network, folder)));
  });
  in_turns("wardenv run", runs, [&](Network network) {
    const char* kind = network == Network::kEgress ? "egress" : "none";
    const Sample sample = run_timed({.argv = {program, "run", "--no-venv", "--workspace", folder, "--network", kind, "--", "/bin/true"}});
    if (sample.status != 0) std::printf("%s run --network %s: status %d %s\n", program.c_str(), kind, sample.status, sample.error.c_str());
    return sample.status == 0;
  });
  ::rmdir(folder);
}

}  // namespace wardenv::bench
