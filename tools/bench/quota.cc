// SPDX-License-Identifier: Apache-2.0
// wardenv-bench-quota: what a reservation costs, alone and with a durable audit record, sync on and off told apart.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <thread>

#include "engine/audit/log.h"
#include "policy/quota/store.h"
#include "tools/bench/statistics.h"

namespace wardenv::bench {
namespace {

using std::chrono::steady_clock;
using Call = std::function<Status(int caller)>;

struct Folder {
  std::string path{};
  explicit Folder(const std::string& base) {
    std::string name = base + "/wardenv-bench-quota.XXXXXX";
    path = ::mkdtemp(name.data()) != nullptr ? name : "";
  }
  ~Folder() {
    std::error_code ignored;
    if (!path.empty()) std::filesystem::remove_all(path, ignored);
  }
};

struct Contest {
  std::string name;
  const char* sync;
  Call call;
};

// What a policy with two limits reserves for one call. Every caller is a grant of its own; the second limit is shared by all.
Status reserve(policy::QuotaStore& store, int caller) {
  const std::vector<policy::Reservation> wanted{
      {.key = "grant-" + std::to_string(caller) + "/run_in_venv_rate", .window = std::chrono::minutes(1), .amount = 1, .max = 1'000'000'000},
      {.key = "global/all", .window = std::chrono::hours(1), .mode = policy::WindowMode::kFixed, .amount = 1, .max = 1'000'000'000}};
  const auto answer = store.reserve(wanted);
  if (!answer) return tl::unexpected(answer.error());
  return answer->granted ? Status() : fail(ErrorCode::kInternal, "refused");
}

Status record(engine::AuditLog& log, engine::Durable durable) {
  engine::AuditRecord entry;
  entry.event = "admit";
  entry.tool = "run_in_venv";
  entry.arguments_json = R"({"command":"pytest","args":["-x"]})";
  entry.decision = "allow";
  return log.append(entry, durable);
}

struct Caller {
  std::vector<double> times_ms{};
  Status status{};
};

void call_until(steady_clock::time_point end, const Call& call, int number, Caller& caller) {
  while (caller.status && steady_clock::now() < end) {
    const auto before = steady_clock::now();
    caller.status = call(number);
    caller.times_ms.push_back(std::chrono::duration<double, std::milli>(steady_clock::now() - before).count());
  }
}

void measure(const Contest& contest, int callers, double seconds, bool json) {
  std::vector<Caller> all(static_cast<std::size_t>(callers));
  std::vector<std::thread> threads;
  const auto begin = steady_clock::now();
  const auto end = begin + std::chrono::duration_cast<steady_clock::duration>(std::chrono::duration<double>(seconds));
  for (int i = 0; i < callers; ++i) threads.emplace_back([&, i] { call_until(end, contest.call, i, all[static_cast<std::size_t>(i)]); });
  for (std::thread& thread : threads) thread.join();
  const double took = std::chrono::duration<double>(steady_clock::now() - begin).count();
  std::vector<double> times;
  for (const Caller& caller : all) {
    if (!caller.status) return void(std::fprintf(stderr, "wardenv-bench-quota: %s: %s\n", contest.name.c_str(), caller.status.error().message.c_str()));
    times.insert(times.end(), caller.times_ms.begin(), caller.times_ms.end());
  }
  const Summary sum = summarise(std::move(times));
  const double rate = static_cast<double>(sum.count) / took;
  if (json) {
    std::puts(nlohmann::json{{"store", contest.name}, {"sync", contest.sync}, {"callers", callers}, {"per_second", rate}, {"p50_us", sum.p50 * 1000}, {"p99_us", sum.p99 * 1000}}.dump().c_str());
  } else {
    std::printf("%-24s %-5s %7d %12.0f %11.1f %11.1f\n", contest.name.c_str(), contest.sync, callers, rate, sum.p50 * 1000, sum.p99 * 1000);
  }
}

// What can't be opened here is said and left out.
template <typename T>
std::shared_ptr<T> opened(Result<std::unique_ptr<T>> made, const char* what) {
  if (made) return std::shared_ptr<T>(std::move(*made));
  std::fprintf(stderr, "wardenv-bench-quota: left out: %s: %s\n", what, made.error().message.c_str());
  return nullptr;
}

void add_store(std::vector<Contest>& contests, const char* name, const char* sync, const std::shared_ptr<policy::QuotaStore>& store) {
  if (store) contests.push_back({name, sync, [store](int caller) { return reserve(*store, caller); }});
}

void add_judged(std::vector<Contest>& contests, const char* sync, const std::shared_ptr<policy::QuotaStore>& store, const std::shared_ptr<engine::AuditLog>& log, engine::Durable durable) {
  if (!store || !log) return;
  contests.push_back({"sqlite + audit", sync, [=](int caller) -> Status {
                        WARDENV_TRY(reserve(*store, caller));
                        return record(*log, durable);
                      }});
}

std::vector<Contest> make_contests(const std::string& folder, const std::string& redis) {
  using policy::Durability;
  std::vector<Contest> contests;
  add_store(contests, "memory", "-", policy::make_memory_quota());
  const auto on = opened(policy::open_sqlite_quota(folder + "/on/quota.db", Durability::kPowerLoss), "sqlite");
  const auto off = opened(policy::open_sqlite_quota(folder + "/off/quota.db", Durability::kProcessCrash), "sqlite");
  add_store(contests, "sqlite", "on", on);
  add_store(contests, "sqlite", "off", off);
  if (!redis.empty()) add_store(contests, "redis", "-", opened(policy::open_redis_quota(redis), "redis"));
  add_judged(contests, "on", on, opened(engine::AuditLog::open(folder + "/audit-on"), "audit"), engine::Durable::kYes);
  add_judged(contests, "off", off, opened(engine::AuditLog::open(folder + "/audit-off", {.strongest = engine::Durable::kNo}), "audit"), engine::Durable::kNo);
  return contests;
}

}  // namespace
}  // namespace wardenv::bench

int main(int argc, char** argv) {
  CLI::App app("Measures quota stores: reservations a second, and microseconds for one. `sync on` is on disk before it is answered.");
  std::string base = "/var/tmp";
  std::string redis;
  double seconds = 2;
  bool json = false;
  app.add_option("--folder", base, "where the files are made; a real disk (default: /var/tmp)");
  app.add_option("--redis", redis, "URL of a Redis server that may be written to");
  app.add_option("--seconds", seconds, "of each measurement (default: 2)")->check(CLI::Range(0.1, 600.0));
  app.add_flag("--json", json, "a JSON object on each line");
  CLI11_PARSE(app, argc, argv);
  const wardenv::bench::Folder folder(base);
  if (folder.path.empty()) return std::fputs("wardenv-bench-quota: can't make a folder there\n", stderr), 125;
  if (!json) std::printf("%-24s %-5s %7s %12s %11s %11s\n", "store", "sync", "callers", "calls/s", "p50 us", "p99 us");
  for (const auto& contest : wardenv::bench::make_contests(folder.path, redis)) {
    for (const int callers : {1, 16}) wardenv::bench::measure(contest, callers, seconds, json);
  }
  return 0;
}
