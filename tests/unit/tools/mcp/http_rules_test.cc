// SPDX-License-Identifier: Apache-2.0
#include "tools/mcp/http_rules.h"

#include "tests/support/catch.h"

using namespace wardenv::mcp;

TEST_CASE("only this machine's own names are loopback") {
  for (const char* host : {"localhost", "LOCALHOST", "127.0.0.1", "127.255.0.9", "::1", "[::1]"}) CHECK(is_loopback(host));
  for (const char* host : {"", "localhost.", "127.1", "127.0.0.1.evil", "0127.0.0.1", "127.0.0.256", "127.0.0.01", "2130706433", "0.0.0.0", "10.0.0.1", "[::]", "::ffff:127.0.0.1"}) {
    CAPTURE(host);
    CHECK_FALSE(is_loopback(host));
  }
}

TEST_CASE("an authority is a name and perhaps a port, and nothing else") {
  CHECK(host_part("localhost:80") == "localhost");
  CHECK(host_part("[::1]:80") == "[::1]");
  CHECK(host_part("[::1]") == "[::1]");
  for (const char* text : {"", "a@b", "a/b", "a:", "a:x", "a:1:2", "[::1", "[::1]x", "a b", "a:999999"}) {
    CAPTURE(text);
    CHECK(host_part(text).empty());
  }
}

TEST_CASE("origins: none, our own, and what was allowed by name") {
  const OriginRules rules{true, {"https://app.example"}};
  CHECK(origin_allowed("", rules));
  CHECK(origin_allowed("http://localhost:3000", rules));
  CHECK(origin_allowed("https://app.example", rules));
  CHECK_FALSE(origin_allowed("https://app.example.evil", rules));
  CHECK_FALSE(origin_allowed("null", rules));
  CHECK_FALSE(origin_allowed("http://localhost@evil", rules));
  const OriginRules open{false, {}};
  CHECK_FALSE(origin_allowed("http://localhost:3000", open));
  CHECK(host_allowed("any.example", open));
  CHECK_FALSE(host_allowed("", open));
}

TEST_CASE("bearer tokens") {
  CHECK(bearer_of("Bearer abc") == "abc");
  CHECK(bearer_of("bearer  abc ") == "abc");
  for (const char* text : {"", "Bearer", "Bearer ", "Basic abc", "Bearer a b", "Bearer a\tb"}) {
    CAPTURE(text);
    CHECK_FALSE(bearer_of(text).has_value());
  }
}

TEST_CASE("media ranges") {
  CHECK(accepts("application/json, text/event-stream", "text/event-stream"));
  CHECK(accepts("Text/Event-Stream;q=0.5", "text/event-stream"));
  CHECK_FALSE(accepts("text/event-stream;q=0", "text/event-stream"));
  CHECK_FALSE(accepts("text/event-streams", "text/event-stream"));
  CHECK(is_json("application/json; charset=utf-8"));
  CHECK_FALSE(is_json("application/jsonp"));
}
