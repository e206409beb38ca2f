// SPDX-License-Identifier: Apache-2.0
// The resident launcher through the library: as a contestant, and what it costs in memory.
#include "tools/bench/library.h"

#include <algorithm>
#include <fstream>
#include <string_view>

namespace wardenv::bench {
namespace {

engine::RunRequest request_for(const Site& site, const Payload& payload) {
  engine::RunRequest request;
  request.argv = payload.argv;
  request.workspace = site.workspace();
  if (payload.needs == Needs::kVenv) request.venv = site.venv();
  return request;
}

Sample run_once(engine::Engine& engine, const engine::RunRequest& request) {
  const double begin = now_ms();
  const engine::RunReport report = engine.run(request);
  const double end = now_ms();
  return {end - begin, report.exit_status, report.error ? report.error->message : ""};
}

// A line of /proc/PID/status, in bytes: "VmRSS:      1234 kB".
std::uint64_t status_bytes(const std::string& pid, std::string_view field) {
  std::ifstream file("/proc/" + pid + "/status");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(field)) return std::stoull(line.substr(field.size())) << 10;
  }
  return 0;
}

std::uint64_t own_rss() { return status_bytes("self", "VmRSS:"); }

}  // namespace

Contestant library_contestant(engine::Engine& engine, const Site& site) {
  Contestant result{.name = "library", .label = "wardenv library", .parallel = Parallel::kYes};
  result.prepare = [&engine, &site](const Payload& payload) -> Runner {
    return [&engine, request = request_for(site, payload)] { return run_once(engine, request); };
  };
  return result;
}

Memory measure_output(engine::Engine& engine, const Site& site, std::uint64_t bytes) {
  constexpr std::uint64_t kLookEvery = 16 << 20;
  engine::RunRequest request =
      request_for(site, {.name = "output", .argv = {"head", "-c", std::to_string(bytes), "/dev/zero"}});
  request.limits.wall_time = std::chrono::minutes(10);
  Memory memory;
  memory.engine_before_bytes = memory.engine_highest_bytes = own_rss();
  std::uint64_t next_look = 0;
  engine::RunIo io;
  io.on_stdout = [&](std::string_view chunk) {
    memory.output_bytes += chunk.size();
    if (memory.output_bytes < next_look) return;
    next_look += kLookEvery;
    memory.engine_highest_bytes = std::max(memory.engine_highest_bytes, own_rss());
  };
  const engine::RunReport report = engine.run(request, io);
  memory.engine_highest_bytes = std::max(memory.engine_highest_bytes, own_rss());
  memory.output_seconds = report.usage.wall_ms / 1000;
  if (report.error) memory.error = report.error->message;
  if (memory.error.empty() && (report.exit_status != 0 || memory.output_bytes != bytes || report.out.bytes != bytes)) {
    memory.error =
        "outcome " + std::string(to_string(report.outcome)) + ", saw " + std::to_string(memory.output_bytes) + " bytes";
  }
  return memory;
}

void read_launcher_memory(const engine::Engine& engine, Memory& memory) {
  const std::string pid = std::to_string(engine.launcher_pid());
  memory.launcher_rss_bytes = status_bytes(pid, "VmRSS:");
  memory.launcher_peak_bytes = status_bytes(pid, "VmHWM:");
}

}  // namespace wardenv::bench
