// SPDX-License-Identifier: Apache-2.0
// What is told about a waiting call, and where to.
#include "engine/webhook/webhook.h"

#include <cstdlib>

#include "tests/support/catch.h"

using namespace wardenv;
using namespace wardenv::engine;

TEST_CASE("the signature is HMAC-SHA256") {
  // RFC 4231, test case 2.
  CHECK(webhook_signature("Jefe", "what do ya want for nothing?") == "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  CHECK(webhook_signature("Jefe", "what do ya want for nothing!") != webhook_signature("Jefe", "what do ya want for nothing?"));
}

TEST_CASE("a webhook without its secret is refused") {
  ::unsetenv("WARDENV_TEST_SECRET");
  CHECK_FALSE(webhook_target("http://127.0.0.1/", "WARDENV_TEST_SECRET"));
  ::setenv("WARDENV_TEST_SECRET", "s", 1);
  CHECK(webhook_target("http://127.0.0.1/", "WARDENV_TEST_SECRET")->secret == "s");
  ::unsetenv("WARDENV_TEST_SECRET");
  CHECK_FALSE(webhook_target("http://127.0.0.1/", ""));
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
