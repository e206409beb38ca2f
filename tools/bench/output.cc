// SPDX-License-Identifier: Apache-2.0
// All numbers of one run of the bench, as tables and as JSON.
#include "tools/bench/output.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "tools/bench/peers.h"
#include "tools/bench/statistics.h"

namespace wardenv::bench {
namespace {

using Json = nlohmann::ordered_json;

constexpr double kMiB = 1 << 20;

double mebibytes(std::uint64_t bytes) { return static_cast<double>(bytes) / kMiB; }

std::string label_of(const Results& results, const std::string& name) {
  for (const Contestant& contestant : results.contestants) {
    if (contestant.name == name) return contestant.label;
  }
  return name;
}

Summary summary_of(const LatencyResult& result, const std::string& name) {
  for (const Series& series : result.series) {
    if (series.contestant == name) return summarise(series.ms);
  }
  return {};
}

double ratio(double part, double whole) { return whole > 0 ? part / whole : 0; }

void print_ratio(std::FILE* to, double value) {
  if (value > 0) {
    std::fprintf(to, " %8.2f", value);
  } else {
    std::fprintf(to, " %8s", "-");
  }
}

void print_failures(std::FILE* to, int count, const std::string& first) {
  if (count > 0) std::fprintf(to, "  ERROR: %d failed, first: %s", count, first.c_str());
  std::fputc('\n', to);
}

struct Yardsticks {
  Summary reference;  // kReference
  Summary exec;       // kPlainExec
};

void print_series(std::FILE* to, const std::string& label, const Series& series, const Yardsticks& yardsticks) {
  const Summary s = summarise(series.ms);
  std::fprintf(to, "%-28s %8.2f %8.2f %8.2f %8.2f %6zu %+8.2f", label.c_str(), s.p50, s.p90, s.p99, s.min, s.count,
               s.p50 - yardsticks.exec.p50);
  print_ratio(to, ratio(s.p50, yardsticks.reference.p50));
  print_ratio(to, ratio(s.p99, yardsticks.reference.p99));
  print_failures(to, series.failures, series.first_failure);
}

void print_latency(const Results& results, const LatencyResult& result, std::FILE* to) {
  const std::string when =
      result.gap_ms == 0 ? "back to back" : std::to_string(result.gap_ms) + " ms of quiet before each call";
  std::fprintf(to, "\n%s, %s, ms from start to exit\n", result.payload.c_str(), when.c_str());
  std::fprintf(to, "%-28s %8s %8s %8s %8s %6s %8s %8s %8s\n", "", "p50", "p90", "p99", "min", "n", "p50 +", "p50 x",
               "p99 x");
  const Yardsticks yardsticks{summary_of(result, kReference), summary_of(result, kPlainExec)};
  for (const Series& series : result.series) print_series(to, label_of(results, series.contestant), series, yardsticks);
}

void print_throughput(const Results& results, std::FILE* to) {
  if (results.throughput.empty()) return;
  std::fprintf(to, "\ncomplete sandboxes a second, /usr/bin/true\n");
  for (const Throughput& item : results.throughput) {
    std::fprintf(to, "%-28s %d worker%s %8.0f", label_of(results, item.contestant).c_str(), item.workers,
                 item.workers == 1 ? " " : "s", item.per_second());
    print_failures(to, item.failures, item.first_failure);
  }
}

void print_memory(const Memory& memory, std::FILE* to) {
  std::fprintf(to, "\nmemory, MiB\n");
  if (!memory.error.empty()) std::fprintf(to, "ERROR: %s\n", memory.error.c_str());
  std::fprintf(to, "launcher, resident %.2f, its highest %.2f\n", mebibytes(memory.launcher_rss_bytes),
               mebibytes(memory.launcher_peak_bytes));
  std::fprintf(to, "engine while the command prints %.1f GB in %.1f s: %.2f before, moved by %.2f\n",
               static_cast<double>(memory.output_bytes) / 1e9, memory.output_seconds,
               mebibytes(memory.engine_before_bytes), mebibytes(memory.engine_moved_bytes()));
}

void print_overshoot(const Overshoot& item, std::FILE* to) {
  if (!item.error.empty()) {
    std::fprintf(to, "%-28s ERROR: %s\n", item.pages.c_str(), item.error.c_str());
    return;
  }
  std::fprintf(to,
               "%-6s pages, held by %-9s  limit %.0f MiB  peak in the report %.0f  touched by the program %.0f  over "
               "by %.1f %%\n",
               item.pages.c_str(), item.held_by.c_str(), mebibytes(item.limit_bytes), mebibytes(item.peak_bytes),
               mebibytes(item.touched_bytes), item.percent_over());
}

Json json_of(const HostDescription& host) {
  return {{"kernel", host.kernel}, {"machine", host.machine},          {"cpu_model", host.cpu_model},
          {"cpus", host.cpus},     {"memory_gib", host.memory_gib},    {"uid", host.user},
          {"cgroup", host.cgroup}, {"landlock_abi", host.landlock_abi}};
}

Json json_of(const Contestant& contestant) {
  return {{"name", contestant.name},
          {"label", contestant.label},
          {"version", contestant.version},
          {"absent", contestant.absent.empty() ? Json(nullptr) : Json(contestant.absent)}};
}

Json json_of(const Series& series, const Summary& reference) {
  const Summary s = summarise(series.ms);
  return {{"contestant", series.contestant},
          {"p50_ms", s.p50},
          {"p90_ms", s.p90},
          {"p99_ms", s.p99},
          {"min_ms", s.min},
          {"count", s.count},
          {"p50_ratio", ratio(s.p50, reference.p50)},
          {"p99_ratio", ratio(s.p99, reference.p99)},
          {"failures", series.failures},
          {"first_failure", series.first_failure}};
}

Json json_of(const LatencyResult& result) {
  Json series = Json::array();
  for (const Series& item : result.series) series.push_back(json_of(item, summary_of(result, kReference)));
  return {{"payload", result.payload}, {"gap_ms", result.gap_ms}, {"reference", kReference}, {"series", series}};
}

Json json_of(const Throughput& item) {
  return {{"contestant", item.contestant}, {"workers", item.workers},   {"per_second", item.per_second()},
          {"completed", item.completed},   {"failures", item.failures}, {"first_failure", item.first_failure}};
}

Json json_of(const Memory& memory) {
  return {{"launcher_rss_bytes", memory.launcher_rss_bytes},
          {"launcher_peak_bytes", memory.launcher_peak_bytes},
          {"output_bytes", memory.output_bytes},
          {"output_seconds", memory.output_seconds},
          {"engine_before_bytes", memory.engine_before_bytes},
          {"engine_moved_bytes", memory.engine_moved_bytes()},
          {"error", memory.error}};
}

Json json_of(const Overshoot& item) {
  return {{"pages", item.pages},
          {"runs", item.runs},
          {"held_by", item.held_by},
          {"limit_bytes", item.limit_bytes},
          {"peak_bytes", item.peak_bytes},
          {"touched_bytes", item.touched_bytes},
          {"percent_over", item.percent_over()},
          {"error", item.error}};
}

template <typename T>
Json json_list(const std::vector<T>& items) {
  Json list = Json::array();
  for (const T& item : items) list.push_back(json_of(item));
  return list;
}

}  // namespace

void print_tables(const Results& results, std::FILE* to) {
  const HostDescription& host = results.host;
  std::fprintf(
      to, "%s %s, %d CPUs (%s), %.1f GiB, uid %u, cgroup %s, Landlock ABI %d, load %.2f before, %.2f after, %.0f s\n",
      host.kernel.c_str(), host.machine.c_str(), host.cpus, host.cpu_model.c_str(), host.memory_gib, host.user,
      host.cgroup.c_str(), host.landlock_abi, results.load_before, results.load_after, results.seconds);
  for (const Contestant& contestant : results.contestants) {
    const std::string& word = contestant.absent.empty() ? contestant.version : contestant.absent;
    if (!word.empty()) std::fprintf(to, "  %-28s %s\n", contestant.label.c_str(), word.c_str());
  }
  std::fprintf(to, "x: times the %s of the same table; +: more than plain exec.\n",
               label_of(results, kReference).c_str());
  for (const LatencyResult& result : results.latency) print_latency(results, result, to);
  print_throughput(results, to);
  if (results.memory) print_memory(*results.memory, to);
  if (!results.overshoot.empty())
    std::fprintf(to, "\nmemory limit against the fastest allocation, as an ordinary user, worst run\n");
  for (const Overshoot& item : results.overshoot) print_overshoot(item, to);
}

Json to_json(const Results& results) {
  return {{"host", json_of(results.host)},
          {"load_before", results.load_before},
          {"load_after", results.load_after},
          {"seconds", results.seconds},
          {"contestants", json_list(results.contestants)},
          {"latency", json_list(results.latency)},
          {"throughput", json_list(results.throughput)},
          {"memory", results.memory ? json_of(*results.memory) : Json(nullptr)},
          {"overshoot", json_list(results.overshoot)}};
}

bool complete(const Results& results) {
  const auto works = [](const Contestant& item) { return !item.absent.starts_with("error"); };
  const auto steady = [](const Series& item) { return item.failures == 0; };
  bool good = std::all_of(results.contestants.begin(), results.contestants.end(), works);
  for (const LatencyResult& item : results.latency) good &= std::all_of(item.series.begin(), item.series.end(), steady);
  for (const Throughput& item : results.throughput) good &= item.failures == 0;
  for (const Overshoot& item : results.overshoot) good &= item.error.empty();
  return good && (!results.memory || results.memory->error.empty());
}

}  // namespace wardenv::bench
