// SPDX-License-Identifier: Apache-2.0
// Stores that can't count any more: every one answers an error, and nothing is granted.
#include <SQLiteCpp/Database.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <fstream>

#include "policy/approvals/store.h"
#include "tests/unit/policy/quota/fake_clock.h"
#include "tests/unit/policy/quota/processes.h"

using namespace wardenv;
using namespace wardenv::policy;
using wardenv::testing::Child;
using wardenv::testing::FakeClock;
using wardenv::testing::Folder;
using wardenv::testing::OrdinaryUser;

namespace {

Reservation one(std::string key = "k", std::uint64_t max = 5) { return {.key = std::move(key), .window = std::chrono::hours(1), .amount = 1, .max = max}; }

Result<Reserved> reserve(QuotaStore& store, const Reservation& wanted) { return store.reserve(std::span(&wanted, 1)); }

bool says(const Error& error, const char* part) { return (error.message + " " + error.hint).find(part) != std::string::npos; }

void overwrite(const std::string& path, std::streamoff at, const std::string& text) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(at);
  file << text;
}

// All that a store has written is in its file afterwards: SQLite moves it there at the last close of a connection that does not ask for less.
void fold_log(const std::string& path) {
  SQLite::Database(path, SQLite::OPEN_READWRITE).execAndGet("SELECT count(*) FROM sqlite_schema");
  REQUIRE_FALSE(std::filesystem::exists(path + "-wal"));
}

// Reserves with ever new keys until it fails or 100 000 were granted. 0: it failed as a full disk, stayed full for old counters, and never crashed.
int fill(const std::string& path) {
  auto store = open_sqlite_quota(path, Durability::kProcessCrash);
  if (!store) return 10;
  for (int i = 0; i < 100'000; ++i) {
    const auto answer = reserve(**store, one(std::string(2000, 'x') + std::to_string(i)));
    if (answer && answer->granted) continue;
    if (answer) return 11;
    return says(answer.error(), "disk is full") || says(answer.error(), "failed") ? 0 : 12;
  }
  return 13;
}

}  // namespace

TEST_CASE("a full disk is an error, and what was counted stays") {
  const Folder folder;
  const std::string path = folder.at("small/quota.db");
  folder.folder("small");
  Child child([&]() -> int {
    if (::unshare(::geteuid() == 0 ? CLONE_NEWNS : CLONE_NEWNS | CLONE_NEWUSER) < 0) return 77;
    ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
    if (::mount("tmpfs", folder.at("small").c_str(), "tmpfs", 0, "size=2m,mode=0700") < 0) return 77;
    auto before = open_sqlite_quota(path);
    if (!before || !reserve(**before, one("early", 1))->granted) return 20;
    if (const int wrong = fill(path)) return wrong;
    auto again = open_sqlite_quota(path);
    if (!again) return 0;
    const auto answer = reserve(**again, one("early", 1));
    return answer && answer->granted ? 21 : 0;
  });
  const int status = child.wait();
  if (status == 77) std::printf("SKIPPED a full disk: no mount namespace here\n");
  else CHECK(status == 0);
}

TEST_CASE("a file that may not grow is an error") {
  const Folder folder;
  const std::string path = folder.at("state/quota.db");
  Child child([&]() -> int {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{512 << 10, 512 << 10};
    return ::setrlimit(RLIMIT_FSIZE, &limit) < 0 ? 30 : fill(path);
  });
  CHECK(child.wait() == 0);
  auto store = open_sqlite_quota(path);   // without the limit it goes on
  REQUIRE(store);
  CHECK(reserve(**store, one())->granted);
}

TEST_CASE("a file that is no database, or another's, is refused and left alone") {
  const Folder folder;
  const std::string path = folder.file("quota.db", std::string(8192, 'z'));
  const auto damaged = open_sqlite_quota(path);
  REQUIRE_FALSE(damaged);
  CHECK(says(damaged.error(), "is damaged"));
  CHECK(says(damaged.error(), "move it away"));
  CHECK(says(damaged.error(), "begins at zero"));

  const std::string other = folder.at("approvals.db");
  REQUIRE(open_sqlite_approvals(other));
  const auto mixed = open_sqlite_quota(other);
  REQUIRE_FALSE(mixed);
  CHECK(says(mixed.error(), "something else"));
  CHECK(open_sqlite_approvals(other));
}

TEST_CASE("damage inside of the file is an error when it is met") {
  const Folder folder;
  const std::string path = folder.at("quota.db");
  {
    auto store = open_sqlite_quota(path);
    REQUIRE(store);
    for (int i = 0; i < 400; ++i) REQUIRE(reserve(**store, one("key " + std::to_string(i)))->granted);
  }
  fold_log(path);
  struct stat info {};
  REQUIRE(::stat(path.c_str(), &info) == 0);
  REQUIRE(info.st_size > 3 * 4096);
  for (std::streamoff page = 4096; page < info.st_size; page += 4096) overwrite(path, page, std::string(200, '\xff'));
  auto store = open_sqlite_quota(path);
  if (!store) {
    CHECK(says(store.error(), "is damaged"));
    return;
  }
  for (int i = 0; i < 400; ++i) {
    const auto answer = reserve(**store, one("key " + std::to_string(i)));
    REQUIRE_FALSE(answer);
    CHECK(says(answer.error(), "is damaged"));
  }
}

TEST_CASE("a file of a newer version is refused") {
  const Folder folder;
  const std::string path = folder.at("quota.db");
  REQUIRE(open_sqlite_quota(path));
  fold_log(path);
  overwrite(path, 60, std::string("\0\0\0\x09", 4));   // user_version, big-endian (fileformat2.html, "The Database Header")
  const auto store = open_sqlite_quota(path);
  REQUIRE_FALSE(store);
  CHECK(says(store.error(), "another version (9"));
}

TEST_CASE("a store whose file was moved away does not count on in it") {
  const Folder folder;
  const std::string path = folder.at("quota.db");
  auto store = open_sqlite_quota(path);
  REQUIRE(store);
  REQUIRE(reserve(**store, one())->granted);
  std::filesystem::rename(path, path + ".old");
  CHECK(says(reserve(**store, one()).error(), "moved away"));
  std::filesystem::rename(path + ".old", path);
  CHECK(reserve(**store, one())->granted);
}

TEST_CASE("what can't be written is an error") {
  const Folder folder;
  const std::string locked = folder.folder("locked");
  const std::string path = locked + "/quota.db";
  ::chmod(folder.path().c_str(), 0755);
  ::chmod(locked.c_str(), 0555);
  {
    const OrdinaryUser user;
    if (::access(locked.c_str(), W_OK) == 0) return;   // root without the right to become someone else
    const auto store = open_sqlite_quota(path);
    REQUIRE_FALSE(store);
    CHECK(says(store.error(), "WARDENV_STATE"));
  }
  ::chmod(locked.c_str(), 0700);
  CHECK(open_sqlite_quota(path));
  ::chmod(locked.c_str(), 0777);
  CHECK_FALSE(open_sqlite_quota(path));
}

TEST_CASE("a link in the place of the file is refused") {
  const Folder folder;
  folder.file("elsewhere");
  folder.link("quota.db", folder.at("elsewhere"));
  CHECK_FALSE(open_sqlite_quota(folder.at("quota.db")));
  CHECK(std::filesystem::file_size(folder.at("elsewhere")) == 0);
}

TEST_CASE("another process that holds the file for too long is an error") {
  const Folder folder;
  const std::string path = folder.at("quota.db");
  auto store = open_sqlite_quota(path);
  REQUIRE(store);
  int ready[2];
  REQUIRE(::pipe2(ready, O_CLOEXEC) == 0);
  Child holder([&]() -> int {
    // The stores hold no lock between calls, so it is taken by hand: SQLite's WAL_WRITE_LOCK is byte 120 of the -shm file (wal.c).
    const int shm = ::open((path + "-shm").c_str(), O_RDWR);
    flock lock{};
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    lock.l_start = 120;
    lock.l_len = 1;
    if (shm < 0 || ::fcntl(shm, F_SETLK, &lock) < 0) return 1;
    (void)!::write(ready[1], "x", 1);
    ::pause();
    return 0;
  });
  char byte = 0;
  REQUIRE(::read(ready[0], &byte, 1) == 1);
  const auto held = reserve(**store, one());
  REQUIRE_FALSE(held);
  CHECK(says(held.error(), "held by another process"));
  holder.kill();
  CHECK(reserve(**store, one())->granted);
  ::close(ready[0]);
  ::close(ready[1]);
}

TEST_CASE("after a reboot the wall clock says how long the host was off, and never less than nothing") {
  const Folder folder;
  const std::string path = folder.at("quota.db");
  const Reservation wanted{.key = "k", .window = std::chrono::minutes(10), .amount = 1, .max = 1};
  const std::int64_t minute = 60'000;
  const std::int64_t start = 1'700'000'000'000;
  const auto boot = [&](const char* id, std::int64_t wall) {
    auto clock = std::make_shared<FakeClock>(wall, 1000, id);
    auto store = open_sqlite_quota(path, Durability::kProcessCrash, clock);
    REQUIRE(store);
    return std::pair(clock, std::move(*store));
  };
  {
    const auto [clock, store] = boot("first", start);
    REQUIRE(reserve(*store, wanted)->granted);
    clock->step(100 * minute);                       // someone sets the clock forward: nothing is freed
    clock->pass(minute);
    CHECK_FALSE(reserve(*store, wanted)->granted);
  }
  {
    const auto [clock, store] = boot("second", start + 105 * minute);   // five minutes have passed, not 105
    CHECK_FALSE(reserve(*store, wanted)->granted);
  }
  {
    const auto [clock, store] = boot("third", start - 500 * minute);    // a clock without a battery
    CHECK_FALSE(reserve(*store, wanted)->granted);
    clock->pass(4 * minute);
    CHECK_FALSE(reserve(*store, wanted)->granted);
    clock->pass(7 * minute);                         // it runs on from where it was: not stuck until the wall clock catches up
    CHECK(reserve(*store, wanted)->granted);
  }
  {
    const auto [clock, store] = boot("fourth", start - 480 * minute);   // nine minutes since the last
    CHECK_FALSE(reserve(*store, wanted)->granted);
    clock->pass(2 * minute);
    CHECK(reserve(*store, wanted)->granted);
  }
}
