// SPDX-License-Identifier: Apache-2.0
// Programs that make one call each: the store is opened and closed for every one.
#include <filesystem>

#include "policy/quota/store.h"
#include "tests/support/catch.h"
#include "tests/unit/policy/quota/processes.h"

using namespace wardenv::policy;
using wardenv::testing::Folder;

namespace {

constexpr std::uintmax_t kPages = 4120;   // bytes of a page in the log

// What each of `calls` stores leaves behind, at most.
std::uintmax_t longest_log(const std::string& path, int calls) {
  const Reservation wanted{.key = "k", .window = std::chrono::hours(1), .amount = 1, .max = 1000};
  std::uintmax_t longest = 0;
  for (int i = 0; i < calls; ++i) {
    auto store = open_sqlite_quota(path);
    REQUIRE(store);
    REQUIRE((*store)->reserve(std::span(&wanted, 1))->granted);
    store->reset();
    longest = std::max(longest, std::filesystem::file_size(path + "-wal"));
  }
  return longest;
}

}  // namespace

TEST_CASE("the log stays short where each call opens the store and closes it, and every call counts") {
  const Folder folder;
  const std::string path = folder.at("quota.db");
  CHECK(longest_log(path, 100) < 32 * kPages);
  auto store = open_sqlite_quota(path);
  REQUIRE(store);
  CHECK(*(*store)->used("k", std::chrono::hours(1), WindowMode::kSliding) == 100);
}

TEST_CASE("the log stays short beside somebody who has the store open") {
  const Folder folder;
  const std::string path = folder.at("quota.db");
  auto other = open_sqlite_quota(path);
  REQUIRE(other);
  CHECK(longest_log(path, 100) < 32 * kPages);
  CHECK(*(*other)->used("k", std::chrono::hours(1), WindowMode::kSliding) == 100);
}
