// SPDX-License-Identifier: Apache-2.0
// What is told about a waiting call, and where to.
#include "engine/webhook/webhook.h"

#include <cstdlib>

#include "engine/webhook/post.h"
#include "tests/support/catch.h"

using namespace wardenv;
using namespace wardenv::engine;
using webhook::parse_url;
using webhook::Url;

TEST_CASE("the signature is HMAC-SHA256") {
  // RFC 4231, test case 2.
  CHECK(webhook_signature("Jefe", "what do ya want for nothing?") == "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  CHECK(webhook_signature("Jefe", "what do ya want for nothing!") != webhook_signature("Jefe", "what do ya want for nothing?"));
}

TEST_CASE("a webhook's URL is read strictly") {
  CHECK(*parse_url("https://a.example/x?y=1") == Url{.scheme = Url::Scheme::kHttps, .host = "a.example", .port = "443", .target = "/x?y=1"});
  CHECK(*parse_url("http://[::1]:8080") == Url{.host = "::1", .port = "8080"});
  CHECK(*parse_url("http://h?q") == Url{.host = "h", .port = "80", .target = "/?q"});
  for (const char* url : {"", "ftp://a", "a.example", "http://", "http://u:p@a.example/", "http://a.example:0/", "http://a.example:70000/", "http://a.example:/",
                          "http://a.example/#f", "http://a b/", "http://a\r\nX: y/", "http://[::1/", "http://[::1]x/", "http://a:b:1/"}) {
    CAPTURE(url);
    CHECK_FALSE(parse_url(url));
  }
}

TEST_CASE("a webhook without its secret is refused") {
  ::unsetenv("WARDENV_TEST_SECRET");
  CHECK_FALSE(webhook_target("http://127.0.0.1/", "WARDENV_TEST_SECRET"));
  ::setenv("WARDENV_TEST_SECRET", "s", 1);
  CHECK(webhook_target("http://127.0.0.1/", "WARDENV_TEST_SECRET")->secret == "s");
  ::unsetenv("WARDENV_TEST_SECRET");
  CHECK(webhook_target("http://127.0.0.1/", "")->secret.empty());
}

TEST_CASE("the event names arguments and tells no values") {
  policy::Approval approval;
  approval.id = "k7p2-m9xq-3dfw";
  approval.call = {.tool = "run_in_venv", .arguments_json = R"({"password":"hunter2","command":"x"})", .grant = "g", .cwd = "/", .rule = "/r"};
  const std::string event = approval_event(approval);
  CHECK(event.find(R"("argument_keys":["command","password"])") != std::string::npos);
  CHECK(event.find("hunter2") == std::string::npos);
  CHECK(event.find("wardenv approvals approve k7p2-m9xq-3dfw") != std::string::npos);
}
