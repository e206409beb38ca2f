// SPDX-License-Identifier: Apache-2.0
#include "tools/mcp/strict_json.h"

#include <nlohmann/json.hpp>

#include "tests/support/catch.h"

using namespace wardenv::mcp;

TEST_CASE("strict JSON is read as it is") {
  nlohmann::json value;
  REQUIRE_FALSE(parse_strict(R"({"a":[1,-2,3.5,"\u00e4",true,null],"b":{"a":{}}})", value).has_value());
  CHECK(to_text(value) == "{\"a\":[1,-2,3.5,\"\u00e4\",true,null],\"b\":{\"a\":{}}}");
  REQUIRE_FALSE(parse_strict("18446744073709551615", value).has_value());
  CHECK(value.get<std::uint64_t>() == 18446744073709551615ULL);
}

TEST_CASE("what two readers could read in two ways is refused") {
  nlohmann::json value;
  for (const char* text : {"", "{", "{}x", R"({"a":1,"a":2})", R"({"a":{"b":1,"\u0062":2}})", "\"\xff\"", "\"\xc0\xaf\"", R"("\ud800")", "NaN", "1e999", "{'a':1}", "[1,]", "// x\n1"}) {
    CAPTURE(text);
    CHECK(parse_strict(text, value).has_value());
    CHECK(value.is_null());
  }
}

TEST_CASE("a NUL byte ends nothing") {
  nlohmann::json value;
  CHECK_FALSE(parse_strict(R"({"a":1})", value));
  CHECK(parse_strict(std::string_view("{\"a\":1}\0{\"b\":2}", 15), value));
}

TEST_CASE("depth has an end") {
  nlohmann::json value;
  CHECK_FALSE(parse_strict(std::string(8, '[') + std::string(8, ']'), value, 8).has_value());
  CHECK(parse_strict(std::string(9, '[') + std::string(9, ']'), value, 8).has_value());
}

TEST_CASE("bytes that are no UTF-8 are replaced on the way out") { CHECK(json_string("a\xff" "b") == "\"a\uFFFDb\""); }
