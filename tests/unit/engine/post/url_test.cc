// SPDX-License-Identifier: Apache-2.0
// URLs of hooks and webhooks are read strictly.
#include "engine/post/post.h"
#include "tests/support/catch.h"

using namespace wardenv::engine::post;

TEST_CASE("a URL of a policy is read strictly") {
  constexpr Schemes kBoth = Schemes::kHttpAndHttps;
  CHECK(*parse_url("https://a.example/x?y=1", kBoth) == Url{.scheme = Url::Scheme::kHttps, .host = "a.example", .port = "443", .target = "/x?y=1"});
  CHECK(*parse_url("http://[::1]:8080", kBoth) == Url{.host = "::1", .port = "8080"});
  CHECK(*parse_url("http://127.0.0.1:8181/v1/data/x?y=z", kBoth) == Url{.host = "127.0.0.1", .port = "8181", .target = "/v1/data/x?y=z"});
  CHECK(*parse_url("http://h?q", kBoth) == Url{.host = "h", .port = "80", .target = "/?q"});
  CHECK(*parse_url("http://h", Schemes::kHttp) == Url{.host = "h", .port = "80"});
  CHECK_FALSE(parse_url("https://h", Schemes::kHttp));
  for (const char* url : {"", "a", "ftp://a", "HTTP://a", "http://", "http:///x", "http://:80", "http://a:", "http://a:0", "http://a:65536", "http://a:x", "http://u@a",
                          "http://u:p@a.example/", "http://a/\r\nX: y", "http://a b", "http://a#f", "http://[::1", "http://[::1]x", "http://[::1]x/", "http://a%00",
                          "http://[fe80::1%eth0]/", "http://a:80:80/", "http://a:b:1/"}) {
    CAPTURE(url);
    CHECK_FALSE(parse_url(url, kBoth));
  }
}
