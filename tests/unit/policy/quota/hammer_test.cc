// SPDX-License-Identifier: Apache-2.0
// Many threads of many processes on one counter: exactly the maximum is handed out, whoever dies meanwhile.
#include <poll.h>

#include <atomic>
#include <thread>

#include "tests/unit/policy/quota/processes.h"

using namespace wardenv;
using namespace wardenv::policy;
using wardenv::testing::Child;
using wardenv::testing::Folder;
using wardenv::testing::RedisServer;

namespace {

using Open = std::function<Result<std::unique_ptr<QuotaStore>>()>;
constexpr int kProcesses = 4;
constexpr int kThreads = 8;

std::vector<Reservation> wanted(std::uint64_t max, WindowMode mode) {
  return {{.key = std::string("a.b\0c", 5), .window = std::chrono::hours(24), .mode = mode, .amount = 1, .max = max},
          {.key = "wide", .window = std::chrono::hours(1), .mode = WindowMode::kSliding, .amount = 2, .max = 1'000'000}};
}

struct Pipe {
  int ends[2] = {-1, -1};
  Pipe() {
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    REQUIRE(::fcntl(ends[1], F_SETPIPE_SZ, 1 << 20) >= 1 << 20);   // it is read when all is over
  }
  ~Pipe() {
    ::close(ends[0]);
    if (ends[1] >= 0) ::close(ends[1]);
  }
  void close_writer() { ::close(std::exchange(ends[1], -1)); }
  // Bytes until all writers are gone.
  std::uint64_t count() const {
    std::uint64_t sum = 0;
    char buffer[4096];
    for (ssize_t got = 0; (got = ::read(ends[0], buffer, sizeof buffer)) > 0;) sum += static_cast<std::uint64_t>(got);
    return sum;
  }
};

// Each grant is one byte in the pipe, written after it was granted. Leaves with 0 unless something failed.
int take(const Open& open, const std::vector<Reservation>& what, int tries, int pipe) {
  auto store = open();
  if (!store) return 2;
  std::atomic<bool> failed = false;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < tries; ++i) {
        const auto answer = (*store)->reserve(what);
        if (!answer) failed = true;
        else if (answer->granted && ::write(pipe, "x", 1) != 1) failed = true;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  return failed ? 3 : 0;
}

std::uint64_t used_now(const Open& open, const Reservation& entry) {
  auto store = open();
  REQUIRE(store);
  const auto used = (*store)->used(entry.key, entry.window, entry.mode);
  REQUIRE(used);
  return *used;
}

void hammer(const Open& open, WindowMode mode) {
  constexpr std::uint64_t kMax = 301;
  const auto what = wanted(kMax, mode);
  Pipe pipe;
  std::vector<Child> children;
  for (int i = 0; i < kProcesses; ++i) children.emplace_back([&] { return take(open, what, 20, pipe.ends[1]); });
  pipe.close_writer();
  const std::uint64_t granted = pipe.count();
  for (Child& child : children) CHECK(child.wait() == 0);
  CHECK(granted == kMax);                           // 640 tries
  CHECK(used_now(open, what[0]) == kMax);
  CHECK(used_now(open, what[1]) == 2 * kMax);       // all or nothing: what was refused counted nowhere
}

// Two of four are killed in the middle, again and again; what they were granted stays counted, what they were not is still there.
void hammer_and_kill(const Open& open) {
  constexpr std::uint64_t kMax = 200'000;
  const auto what = wanted(kMax, WindowMode::kSliding);
  Pipe pipe;
  std::uint64_t killed = 0;
  std::uint64_t told = 0;
  {
    std::vector<Child> steady;
    for (int i = 0; i < 2; ++i) steady.emplace_back([&] { return take(open, what, 60, pipe.ends[1]); });
    for (int round = 0; round < 10; ++round) {
      std::vector<Child> doomed;
      Pipe own;
      for (int i = 0; i < 2; ++i) doomed.emplace_back([&] { return take(open, what, 1'000'000, own.ends[1]); });
      own.close_writer();
      pollfd first{own.ends[0], POLLIN, 0};
      REQUIRE(::poll(&first, 1, 60'000) == 1);        // in the middle: the first grant was told
      std::this_thread::sleep_for(std::chrono::milliseconds(7 * round));
      for (Child& child : doomed) child.kill();
      killed += doomed.size();
      told += own.count();
    }
    for (Child& child : steady) CHECK(child.wait() == 0);
  }
  pipe.close_writer();
  told += pipe.count();
  const std::uint64_t used = used_now(open, what[0]);
  CHECK(used >= told);                              // nothing granted was forgotten
  CHECK(used <= told + killed * kThreads);          // and nothing counted but what was about to be granted
  CHECK(used_now(open, what[1]) == 2 * used);
}

Open sqlite(const Folder& folder) {
  return [path = folder.at("state/quota.db")] { return open_sqlite_quota(path); };
}

// Waits until the parent has let go of the pipe, so that all begin at once.
int open_with_all_others(const Open& open, Pipe& starting) {
  starting.close_writer();
  char byte = 0;
  (void)!::read(starting.ends[0], &byte, 1);
  return open() ? 0 : 1;
}

}  // namespace

TEST_CASE("SQLite: processes that find a store new at the same moment all open it") {
  for (int round = 0; round < 40; ++round) {
    const Folder folder;
    Pipe starting;
    std::vector<Child> children;
    for (int i = 0; i < 6; ++i) children.emplace_back([&] { return open_with_all_others(sqlite(folder), starting); });
    starting.close_writer();
    for (Child& child : children) CHECK(child.wait() == 0);
  }
}

TEST_CASE("SQLite: eight threads of four processes get exactly the maximum") {
  const Folder sliding;
  hammer(sqlite(sliding), WindowMode::kSliding);
  const Folder fixed;
  hammer(sqlite(fixed), WindowMode::kFixed);
}

TEST_CASE("SQLite: killed processes neither lose nor make quota") {
  const Folder folder;
  hammer_and_kill(sqlite(folder));
}

TEST_CASE("Redis: eight threads of four processes get exactly the maximum") {
  if (testing::skip_without_redis("redis hammer")) return;
  const RedisServer server;
  const Open open = [&] { return open_redis_quota(server.url()); };
  hammer(open, WindowMode::kSliding);
  const Open other = [&] { return open_redis_quota(server.url() + "?db=1"); };
  hammer(other, WindowMode::kFixed);
}

TEST_CASE("Redis: killed processes neither lose nor make quota") {
  if (testing::skip_without_redis("redis kill")) return;
  const RedisServer server;
  hammer_and_kill([&] { return open_redis_quota(server.url()); });
}
