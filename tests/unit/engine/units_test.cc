// SPDX-License-Identifier: Apache-2.0
// Sizes and durations, good and bad.
#include "engine/units.h"

#include "tests/support/catch.h"

using namespace wardenv::engine;
using namespace std::chrono_literals;

TEST_CASE("sizes") {
  CHECK(*parse_size("0") == 0);
  CHECK(*parse_size("12") == 12);
  CHECK(*parse_size("3K") == 3072);
  CHECK(*parse_size("512M") == 512ULL << 20);
  CHECK(*parse_size("2G") == 2ULL << 30);
  for (const char* bad : {"", "M", "-1", "+1", "1.5M", "1 M", "1m", "1T", "0x10", " 1", "99999999999G", "18446744073709551616", "1MM"}) {
    INFO(bad);
    REQUIRE_FALSE(parse_size(bad));
    CHECK(parse_size(bad).error().hint == "for example 512M");
  }
}

TEST_CASE("durations") {
  CHECK(*parse_duration("250ms") == 250ms);
  CHECK(*parse_duration("30s") == 30s);
  CHECK(*parse_duration("2m") == 2min);
  CHECK(*parse_duration("1h") == 1h);
  for (const char* bad : {"", "0s", "5", "s", "1d", "-1s", "1.5s", "9999999999999999h"}) {
    INFO(bad);
    CHECK_FALSE(parse_duration(bad));
  }
}

TEST_CASE("cores and counts") {
  CHECK(*parse_cores("1.5") == 1.5);
  CHECK(*parse_count("64") == 64);
  for (const char* bad : {"", "0", "-1", "nan", "inf", "1x", "1e9"}) CHECK_FALSE(parse_cores(bad));
  for (const char* bad : {"", "0", "-1", "1.5", "1000001", "x"}) CHECK_FALSE(parse_count(bad));
}
