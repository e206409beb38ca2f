// SPDX-License-Identifier: Apache-2.0
// Which legacy session makes room where there are as many as the server takes.
#include <map>
#include <set>
#include <string>
#include <vector>

#include "tests/support/catch.h"
#include "tools/mcp/handler.h"
#include "tools/mcp/server.h"

using namespace wardenv::mcp;

namespace {

class Tools final : public Features {
 public:
  [[nodiscard]] ServerInfo info() const override { return {.name = "test"}; }
  std::vector<Tool> list_tools(const Caller&) override { return {}; }
  Lane lane_of(std::string_view, const Caller&) override { return Lane::kUnknown; }
  ToolResult call_tool(std::string_view, const nlohmann::json&, CallContext&) override { return {}; }
  bool session_has_runs(const Caller& caller) override { return with_runs.contains(caller.session); }
  void session_ended(const std::string& session) override { ended.push_back(session); }

  std::set<std::string> with_runs;
  std::vector<std::string> ended;
};

// Without a header there is no HTTP, and without HTTP no session is opened.
class Answer final : public Sink {
 public:
  explicit Answer(bool heard = true) : heard_(heard) {}
  bool send(std::string) override { return true; }
  void finish(std::string, int http_status) override { status = http_status; }
  void abandon() override {}
  void set_session(const std::string& id) override { session = id; }
  [[nodiscard]] bool heard() const override { return heard_; }

  int status = 0;
  std::string session;

 private:
  const bool heard_;
};

class NoHeaders final : public Headers {
 public:
  [[nodiscard]] std::string_view find(std::string_view) const override { return {}; }
};

struct Bench {
  Tools tools;
  Server server{tools, [] {
    ServerOptions options;
    options.max_sessions = 3;
    options.session_quiet = std::chrono::milliseconds(0);
    return options;
  }()};

  // The session's name; empty: there was no room.
  std::string open(const std::string& grant) {
    const auto sink = std::make_shared<Answer>();
    const NoHeaders headers;
    server.handle({.text = R"({"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{}}})",
                   .headers = &headers, .grant = grant, .sink = sink});
    CHECK(sink->status == (sink->session.empty() ? 503 : 200));
    return sink->session;
  }
};

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("a session of the same caller makes room before an older one of another") {
  Bench bench;
  const std::string other = bench.open("other");
  const std::string first = bench.open("mine");
  bench.open("mine");
  bench.open("mine");
  CHECK(bench.tools.ended == Names{first});
  CHECK(bench.server.session(other, "other"));
  // Where the caller has none, the oldest goes.
  bench.open("new");
  CHECK(bench.tools.ended == Names{first, other});
}

TEST_CASE("a session that holds runs or is listened to makes room last, and never for another caller") {
  Bench bench;
  const std::string runs = bench.open("mine");
  const std::string heard = bench.open("mine");
  const std::string left = bench.open("mine");
  bench.tools.with_runs.insert(runs);
  bench.server.session(heard, "mine")->set_standing(std::make_shared<Answer>(true));
  bench.server.session(left, "mine")->set_standing(std::make_shared<Answer>(false));   // its client is gone
  const std::string fourth = bench.open("other");
  CHECK(bench.tools.ended == Names{left});
  bench.tools.with_runs.insert(fourth);
  CHECK(bench.open("third").empty());
  CHECK(bench.tools.ended == Names{left});
  CHECK_FALSE(bench.open("mine").empty());
  CHECK(bench.tools.ended == Names{left, runs});
}
