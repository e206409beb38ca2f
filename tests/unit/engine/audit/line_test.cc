// SPDX-License-Identifier: Apache-2.0
// Times as the log writes them.
#include "engine/audit/line.h"

#include <cstdio>
#include <ctime>
#include <random>

#include "tests/support/catch.h"

namespace wardenv::engine::audit {
namespace {

// As the C library has it.
std::string reference(std::int64_t seconds, int microseconds) {
  const std::time_t time = seconds;
  std::tm parts{};
  ::gmtime_r(&time, &parts);
  char text[64];
  const std::size_t length = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
  std::snprintf(text + length, sizeof text - length, ".%06dZ", microseconds);
  return text;
}

TEST_CASE("times are UTC, to the microsecond") {
  CHECK(time_text(0) == "1970-01-01T00:00:00.000000Z");
  CHECK(time_text(951'782'400'000'001) == "2000-02-29T00:00:00.000001Z");
  CHECK(time_text(1'767'225'599'999'999) == "2025-12-31T23:59:59.999999Z");
  CHECK(time_text(253'402'300'799'000'000) == "9999-12-31T23:59:59.000000Z");
  std::mt19937_64 random(7);
  for (int i = 0; i < 2000; ++i) {
    const auto seconds = static_cast<std::int64_t>(random() % 253'402'300'800);
    const int microseconds = static_cast<int>(random() % 1'000'000);
    CHECK(time_text(seconds * 1'000'000 + microseconds) == reference(seconds, microseconds));
  }
}

}  // namespace
}  // namespace wardenv::engine::audit
