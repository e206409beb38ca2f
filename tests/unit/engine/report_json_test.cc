// SPDX-License-Identifier: Apache-2.0
// The report as JSON.
#include "engine/report_json.h"

#include <nlohmann/json.hpp>

#include "tests/support/catch.h"

using namespace wardenv::engine;

TEST_CASE("ill-formed UTF-8 becomes replacement characters, one for each maximal subpart") {
  struct Case {
    std::string in, out;
  };
  const std::string r = "\xef\xbf\xbd";
  for (const Case& item : {Case{"abc", "abc"}, Case{"\xc3\xa4", "\xc3\xa4"}, Case{"\xff", r}, Case{"\xc0\xaf", r + r}, Case{"\xe0\x80\x80", r + r + r},
                           Case{"\xed\xa0\x80", r + r + r}, Case{"\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80"}, Case{"\xf0\x9f\x98", r},
                           Case{"\xf4\x90\x80\x80", r + r + r + r}, Case{"a\xe2\x82z", "a" + r + "z"}, Case{std::string("\0", 1), std::string("\0", 1)}}) {
    bool changed = false;
    CHECK(to_utf8(item.in, changed) == item.out);
    CHECK(changed == (item.in != item.out));
  }
}

TEST_CASE("base64") {
  CHECK(base64("") == "");
  CHECK(base64("f") == "Zg==");
  CHECK(base64("fo") == "Zm8=");
  CHECK(base64("foo") == "Zm9v");
  CHECK(base64("\xff\xfe\xfd\xfc") == "//79/A==");
}

TEST_CASE("nulls and names follow the contract") {
  RunReport report;
  report.outcome = Outcome::kTimedOut;
  report.signal = 9;
  report.out.text = std::string("a\xff", 2);
  const auto json = nlohmann::json::parse(report_to_json(report));
  CHECK(json["outcome"] == "timed_out");
  CHECK(json["exit_code"].is_null());
  CHECK(json["signal"] == "SIGKILL");
  CHECK(json["error"].is_null());
  CHECK(json["stdout_base64"] == "Yf8=");
  CHECK_FALSE(json.contains("stderr_base64"));
  CHECK_FALSE(json.contains("approval_id"));
  report.approval_id = "k7p2-m9xq-3dfw";
  CHECK(nlohmann::json::parse(report_to_json(report))["approval_id"] == "k7p2-m9xq-3dfw");
  report.error = wardenv::Error{wardenv::ErrorCode::kHost, "m", "h", 1};
  CHECK(nlohmann::json::parse(report_to_json(report))["error"]["code"] == "host");
}
