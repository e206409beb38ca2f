// SPDX-License-Identifier: Apache-2.0
// What is kept of tasks is bounded: their number, each caller's share, and the bytes of their results.
#include "tools/mcp/tasks.h"

#include <chrono>
#include <string>
#include <vector>

#include "tests/support/catch.h"

using namespace wardenv::mcp;
using namespace std::chrono_literals;

namespace {

std::string result(std::size_t bytes) { return "\"" + std::string(bytes - 2, 'r') + "\""; }
bool is_kept(const Task& task) { return task.members().find("\"status\":\"completed\"") != std::string::npos; }

}  // namespace

TEST_CASE("results of ended tasks are kept up to a number of bytes, and the oldest go first") {
  Tasks tasks({.tasks = 10, .of_one_owner = 10, .result_bytes = 1000}, 1h);
  std::vector<std::shared_ptr<Task>> all;
  for (int i = 0; i < 5; ++i) all.push_back(tasks.create("owner", {}));
  for (int i = 0; i < 4; ++i) REQUIRE(all[static_cast<std::size_t>(i)]->complete(result(300)));
  CHECK_FALSE(is_kept(*all[0]));
  for (const std::size_t i : {1U, 2U, 3U}) CHECK(is_kept(*all[i]));
  const std::string dropped = all[0]->members();
  CHECK(dropped.find("\"status\":\"failed\"") != std::string::npos);
  CHECK(dropped.find("kept no longer") != std::string::npos);
  CHECK(dropped.find("rrr") == std::string::npos);
  CHECK(tasks.find(all[0]->id(), "owner"));
  SECTION("errors count, too") {
    REQUIRE(all[4]->fail(result(700)));
    CHECK_FALSE(is_kept(*all[2]));
    CHECK(is_kept(*all[3]));
  }
  SECTION("one that is larger than all may be is not kept either") {
    REQUIRE(all[4]->complete(result(1001)));
    for (const auto& task : all) CHECK(task->kept_bytes() == 0);
  }
  SECTION("an ending is still the only one") {
    CHECK_FALSE(all[0]->complete(result(10)));
    CHECK_FALSE(all[0]->cancel());
  }
}

TEST_CASE("no caller takes the places of all") {
  Tasks tasks({.tasks = 8, .of_one_owner = 2, .result_bytes = 1000}, 1h);
  const auto first = tasks.create("greedy", {});
  REQUIRE(first);
  REQUIRE(tasks.create("greedy", {}));
  CHECK_FALSE(tasks.create("greedy", {}));
  CHECK(tasks.create("other", {}));
  first->complete(result(10));
  CHECK_FALSE(tasks.create("greedy", {}));   // a result is kept for as long as was promised
}

TEST_CASE("a place is free again once a result has expired") {
  Tasks tasks({.tasks = 8, .of_one_owner = 1, .result_bytes = 1000}, -1ms);
  const auto first = tasks.create("owner", {});
  REQUIRE(first);
  CHECK_FALSE(tasks.create("owner", {}));   // it still runs
  first->complete(result(10));
  CHECK(tasks.create("owner", {}));
}
