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

TEST_CASE("what is written is what is read") {
  CHECK(size_text(0) == "0");
  CHECK(size_text(1000) == "1000");
  CHECK(size_text(1536) == "1536");
  CHECK(size_text(512ULL << 20) == "512M");
  CHECK(size_text(2ULL << 40) == "2048G");
  CHECK(duration_text(1500ms) == "1500ms");
  CHECK(duration_text(90s) == "90s");
  CHECK(duration_text(10min) == "10m");
  CHECK(duration_text(24h) == "24h");
  CHECK(cores_text(1.0) == "1");
  CHECK(cores_text(0.25) == "0.25");
  CHECK(cores_text(2.1) == "2.1");
  CHECK(cores_text(4096.0) == "4096");
  for (const std::uint64_t bytes : {1ULL, 1023ULL, 1024ULL, 3ULL << 30, (3ULL << 30) + 1}) CHECK(*parse_size(size_text(bytes)) == bytes);
  for (const auto time : {1ms, 60'000ms, 61'000ms, 3'600'001ms}) CHECK(*parse_duration(duration_text(time)) == time);
}
