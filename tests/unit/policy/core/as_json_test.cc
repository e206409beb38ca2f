// SPDX-License-Identifier: Apache-2.0
// A document as JSON says what its YAML says, or nothing.

#include "tests/unit/policy/core/support.h"

namespace wardenv::policy {
namespace {

TEST_CASE("every kind of value is the same in JSON, and in its order") {
  const std::string yaml = R"(z: [~, true, False, -9223372036854775808, 9223372036854775807, 18446744073709551615, 1.0, 1e3, -0.5, 0.1]
a: {"b\"\\": "line\nbreak, tab\t, bell \x07, é, \u2028, \0 and behind", c: yes, "": "0x10", d: [], e: {}}
)";
  const auto json = as_json(yaml, Format::kYaml);
  REQUIRE(json);
  CHECK(json->starts_with(R"({"z":[null,true,false,-9223372036854775808,9223372036854775807,18446744073709551615,1.0,1000.0,-0.5,0.1],"a":{"b\"\\":"line\u000abreak,)"));
  const auto before = load_data(yaml, Format::kYaml);
  const auto after = load_data(*json, Format::kJson);
  REQUIRE(before);
  REQUIRE(after);
  CHECK(*before == *after);
  CHECK((*after)["z"][6].is_number_float());
}

TEST_CASE("what is wrong has no JSON") {
  for (const char* wrong : {"a: &x 1\nb: *x\n", "a: !!str 1\n", "a: 010\n", "a: [1\n", "", "a: 1e999\n", "{\"a\": 1", "a: \x07\n"}) {
    INFO(wrong);
    CHECK_FALSE(as_json(wrong, Format::kGuess));
  }
}

TEST_CASE("what is found twice is found in the JSON, too") {
  const auto json = as_json("version: \"1\"\nversion: \"1\"\ndefault: deny\n", Format::kYaml);
  REQUIRE(json);
  CHECK_THAT(testing::refused(*json, Format::kJson), Catch::Matchers::Contains("version"));
}

TEST_CASE("a document that stands for another text has its digest") {
  CHECK(load_document(R"({"version": "1", "default": "deny"})", Format::kJson, "abc").digest_sha256 == "abc");
}

}  // namespace
}  // namespace wardenv::policy
