// SPDX-License-Identifier: Apache-2.0
// Reservations that are put on disk later: counted at once for everybody, durable when settle() says so.
#include <atomic>
#include <filesystem>
#include <thread>
#include <vector>

#include "policy/quota/store.h"
#include "tests/support/catch.h"
#include "tests/unit/policy/quota/processes.h"
#include "tests/unit/policy/quota/watched_log.h"

using namespace wardenv;
using namespace wardenv::policy;
using wardenv::testing::Child;
using wardenv::testing::Folder;
using wardenv::testing::WatchedLog;

namespace {

const Reservation kOne{.key = "k", .window = std::chrono::hours(1), .amount = 1, .max = 3};

Result<Reserved> ahead(QuotaStore& store) { return store.reserve_ahead(std::span(&kOne, 1)); }

std::uint64_t used(const std::string& path) {
  auto store = open_sqlite_quota(path);
  REQUIRE(store);
  return (*store)->used("k", std::chrono::hours(1), WindowMode::kSliding).value_or(999);
}

}  // namespace

TEST_CASE("a reservation ahead is synced by settle(), others by their commit") {
  const Folder folder;
  const WatchedLog watched;
  auto store = open_sqlite_quota(folder.at("quota.db"));
  REQUIRE(store);
  const auto synced = [&](auto act) {
    const int before = WatchedLog::syncs;
    act();
    return WatchedLog::syncs > before;
  };
  CHECK(synced([&] { CHECK((*store)->reserve(std::span(&kOne, 1))->granted); }));
  Reserved second;
  CHECK_FALSE(synced([&] { second = *ahead(**store); }));
  CHECK(second.granted);
  CHECK_FALSE(second.on_disk);
  CHECK(synced([&] { CHECK((*store)->settle()); }));
  CHECK_FALSE(synced([&] { CHECK(ahead(**store)->granted); }));
  CHECK(synced([&] { CHECK((*store)->give_back(second.receipt)); }));
  CHECK(synced([&] { CHECK((*store)->reserve(std::span(&kOne, 1))->granted); }));
  CHECK(synced([&] { CHECK_FALSE(ahead(**store)->granted); }));   // nobody settles what was not granted
  CHECK(used(folder.at("quota.db")) == 3);
}

TEST_CASE("a log that can't be put on disk is an error of settle(), and the reservation can be given back") {
  const Folder folder;
  const WatchedLog watched;
  const std::string path = folder.at("quota.db");
  auto store = open_sqlite_quota(path);
  REQUIRE(store);
  const auto reserved = ahead(**store);
  REQUIRE(reserved);
  WatchedLog::fails = true;
  CHECK_FALSE((*store)->settle());
  WatchedLog::fails = false;
  CHECK(used(path) == 1);
  CHECK((*store)->give_back(reserved->receipt));
  CHECK(used(path) == 0);
}

TEST_CASE("a reservation ahead counts at once for other processes, and outlives its own") {
  const Folder folder;
  const std::string path = folder.at("quota.db");
  REQUIRE(used(path) == 0);
  for (int i = 0; i < 5; ++i) {
    Child child([&] {
      auto store = open_sqlite_quota(path);
      if (!store) return 10;
      const auto reserved = ahead(**store);
      if (!reserved) return 11;
      if (reserved->granted) ::kill(::getpid(), SIGKILL);   // no settle, no close
      return 12;
    });
    CHECK(child.wait() == (i < 3 ? -1 : 12));
  }
  CHECK(used(path) == 3);
}

TEST_CASE("threads that reserve ahead, settle and reserve at once get no more than there is") {
  const Folder folder;
  auto store = open_sqlite_quota(folder.at("quota.db"));
  REQUIRE(store);
  const Reservation wanted{.key = "k", .window = std::chrono::hours(1), .amount = 1, .max = 50};
  std::atomic<int> granted = 0;
  std::atomic<int> errors = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 12; ++i) {
        const auto reserved = t % 2 == 0 ? (*store)->reserve_ahead(std::span(&wanted, 1)) : (*store)->reserve(std::span(&wanted, 1));
        if (!reserved || !(*store)->settle()) ++errors;
        else if (reserved->granted) ++granted;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(errors == 0);
  CHECK(granted == 50);
}

TEST_CASE("a store that was moved away settles nothing it counts later") {
  const Folder folder;
  const std::string path = folder.at("quota.db");
  auto store = open_sqlite_quota(path);
  REQUIRE(store);
  REQUIRE(ahead(**store));
  std::filesystem::rename(path, path + ".away");
  CHECK_FALSE(ahead(**store));
}

TEST_CASE("what is not in a file is where it is at once") {
  auto store = make_memory_quota();
  const auto reserved = ahead(*store);
  REQUIRE(reserved);
  CHECK(reserved->on_disk);
  CHECK(store->settle());
}
