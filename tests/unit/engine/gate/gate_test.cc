// SPDX-License-Identifier: Apache-2.0
// The way of a call through the gate: what allows it, what stops it, what is given back, what is written down.
#include "engine/gate/gate.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <condition_variable>
#include <fstream>
#include <iterator>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

#include "engine/gate/stores.h"
#include "tests/support/catch.h"
#include "tests/unit/engine/gate/scene.h"

using namespace wardenv;
using namespace wardenv::engine;
using policy::Effect;
using namespace std::chrono_literals;

namespace {

constexpr const char* kTwoAMinute = R"({"version": "1", "default": "deny", "tools": {"run_in_venv": {"limits": [{"counter": "r", "window": "minute", "max": 2}]}}})";

}  // namespace

TEST_CASE("an allowed call is in the audit log before anything happens, and its end after") {
  const Scene scene;
  auto gate = scene.open(kAllow);
  REQUIRE(gate);
  const Admission admission = (*gate)->admit(scene.call());
  REQUIRE(admission.allowed());
  auto log = [&] {
    std::string all;
    for (const auto& entry : std::filesystem::directory_iterator(audit_folder(scene.state))) all += testing::text_of(entry.path());
    return all;
  };
  CHECK(log().find(admission.run_id) != std::string::npos);
  CHECK(log().find("finish") == std::string::npos);
  RunReport report = ended(true);
  (*gate)->finish(admission, report);
  CHECK(log().find("finish") != std::string::npos);
  CHECK(report.decision->effect == "allow");
}

TEST_CASE("where the audit log can't be written nothing is allowed, and the quota is given back") {
  const Scene scene;
  auto gate = scene.open(kTwoAMinute);
  REQUIRE(gate);
  std::filesystem::create_directories(scene.state);
  ::chmod(scene.state.c_str(), 0700);
  std::ofstream(audit_folder(scene.state)) << "in the way";
  std::vector<std::string> notices;
  (*gate)->on_notice([&](std::string_view line) { notices.emplace_back(line); });
  for (int i = 0; i < 5; ++i) {
    const Admission refused = (*gate)->admit(scene.call());
    CHECK_FALSE(refused.allowed());
    CHECK(refused.decision.rule == "(unavailable)");
    CHECK(refused.decision.reason.find(scene.state) == std::string::npos);
  }
  CHECK_FALSE(notices.empty());
  std::filesystem::remove(audit_folder(scene.state));
  CHECK((*gate)->admit(scene.call()).allowed());
}

TEST_CASE("a folder that others can enter keeps no state") {
  const Scene scene;
  std::filesystem::create_directories(scene.state);
  ::chmod(scene.state.c_str(), 0755);
  auto gate = scene.open(kAllow);
  REQUIRE(gate);
  CHECK_FALSE((*gate)->prepare());
  CHECK_FALSE((*gate)->admit(scene.call()).allowed());
  ::chmod(scene.state.c_str(), 0700);
  CHECK((*gate)->prepare());
  CHECK((*gate)->admit(scene.call()).allowed());
}

TEST_CASE("a quota is used up by calls that were entered, and given back by those that were not") {
  const Scene scene;
  auto gate = scene.open(kTwoAMinute);
  REQUIRE(gate);
  for (int i = 0; i < 5; ++i) {
    const Admission admission = (*gate)->admit(scene.call());
    REQUIRE(admission.allowed());
    RunReport report = ended(false);
    (*gate)->finish(admission, report);
    (*gate)->finish(admission, report);   // once is enough
  }
  for (int i = 0; i < 2; ++i) {
    const Admission admission = (*gate)->admit(scene.call());
    REQUIRE(admission.allowed());
    RunReport report = ended(true);
    (*gate)->finish(admission, report);
  }
  const Admission refused = (*gate)->admit(scene.call());
  CHECK_FALSE(refused.allowed());
  CHECK(refused.decision.rule == "/tools/run_in_venv/limits/0");
  REQUIRE(refused.retry_after);
  CHECK(*refused.retry_after > 0ms);
  CHECK(*refused.retry_after <= 61s);   // clocks are read at two places
  CHECK(refusal(refused).exit_status == 77);
  CHECK(refusal(refused).outcome == Outcome::kDenied);
}

TEST_CASE("counters outlive the process that counted") {
  const Scene scene;
  for (int i = 0; i < 2; ++i) {
    auto gate = scene.open(kTwoAMinute);
    REQUIRE(gate);
    CHECK((*gate)->admit(scene.call()).allowed());
  }
  auto gate = scene.open(kTwoAMinute);
  REQUIRE(gate);
  CHECK_FALSE((*gate)->admit(scene.call()).allowed());
}

TEST_CASE("an approval lets one call pass, exactly as it was shown") {
  const Scene scene;
  auto gate = scene.open(R"({"version": "1", "default": "deny", "tools": {"run_in_venv": {"action": "require_approval", "reason": "ask first"}}})");
  REQUIRE(gate);
  const Admission waits = (*gate)->admit(scene.call(R"({"command": "rm"})"));
  CHECK(waits.decision.effect == Effect::kRequireApproval);
  REQUIRE_FALSE(waits.approval_id.empty());
  CHECK(waits.decision.reason.find(waits.approval_id) != std::string::npos);
  CHECK(refusal(waits).exit_status == 75);
  CHECK((*gate)->admit(scene.call(R"({"command": "rm"})")).approval_id == waits.approval_id);

  auto store = policy::open_sqlite_approvals(approvals_file(scene.state));
  REQUIRE(store);
  REQUIRE((*store)->approve(waits.approval_id, "somebody"));
  CHECK((*gate)->admit(scene.call(R"({"command": "ls"})")).decision.effect == Effect::kRequireApproval);
  const Admission unused = (*gate)->admit(scene.call(R"({"command": "rm"})"));
  REQUIRE(unused.allowed());
  RunReport never = ended(false);
  (*gate)->finish(unused, never);
  const Admission passes = (*gate)->admit(scene.call(R"({"command": "rm"})"));
  REQUIRE(passes.allowed());
  RunReport report = ended(true);
  (*gate)->finish(passes, report);
  CHECK_FALSE((*gate)->admit(scene.call(R"({"command": "rm"})")).allowed());
}

TEST_CASE("an approval is for the workspace, the environment and the program that were shown, and the log names them") {
  const Scene scene;
  auto gate = scene.open(R"({"version": "1", "default": "deny", "tools": {"run_in_venv": {"action": "require_approval"}}})");
  REQUIRE(gate);
  ToolCall call = scene.call(R"({"command": "tool"})");
  call.venv = "/srv/v2";
  call.program = sandbox::Program{"/srv/v2/bin/tool", 8, 21, 1'700'000'000, 5};
  const Admission waits = (*gate)->admit(call);
  auto store = policy::open_sqlite_approvals(approvals_file(scene.state));
  REQUIRE(store);
  const auto shown = (*store)->show(waits.approval_id);
  REQUIRE(shown);
  CHECK(shown->call.workspace == call.workspace);
  CHECK(shown->call.venv == "/srv/v2");
  CHECK(shown->call.program == "/srv/v2/bin/tool");
  CHECK(shown->call.program_identity == "8:21:1700000000.000000005");
  REQUIRE((*store)->approve(waits.approval_id, "somebody"));

  const auto passes = [&](auto change) {
    ToolCall other = call;
    change(other);
    return (*gate)->admit(other).allowed();
  };
  CHECK_FALSE(passes([](ToolCall& other) { other.workspace = "/srv"; }));
  CHECK_FALSE(passes([](ToolCall& other) { other.venv = "/srv/v3"; }));
  CHECK_FALSE(passes([](ToolCall& other) { other.venv.clear(); }));
  CHECK_FALSE(passes([](ToolCall& other) { other.program->path = "/usr/bin/tool"; }));
  CHECK_FALSE(passes([](ToolCall& other) { other.program->inode = 22; }));
  CHECK_FALSE(passes([](ToolCall& other) { other.program->changed_ns = 6; }));
  CHECK_FALSE(passes([](ToolCall& other) { other.program.reset(); }));
  CHECK(passes([](ToolCall&) {}));
  const std::string log = testing::text_of(audit_folder(scene.state) + "/audit.jsonl");
  CHECK(log.find(R"("decision":"allow")") != std::string::npos);
  const std::string places = R"("workspace":")" + call.workspace + R"(","cwd":")" + call.cwd + R"(","venv":"/srv/v2","program":"/srv/v2/bin/tool","program_identity":"8:21:1700000000.000000005")";
  CHECK(log.find(places) != std::string::npos);
}

TEST_CASE("an approval shows what the call will run under, and is for that alone") {
  const Scene scene;
  auto gate = scene.open(R"({"version": "1", "default": "deny", "tools": {"start_run": {"profile": "wide"}, "quiet": {},
    "run_in_venv": {"action": "require_approval", "profile": "narrow"}}, "profiles": {"narrow": {"timeout": "90s"},
    "wide": {"allow_host": ["a.example"], "environment": {"KEY": "secret"}, "mounts": [{"source": "/srv/x"}], "memory": "1G"}}})");
  REQUIRE(gate);
  auto store = policy::open_sqlite_approvals(approvals_file(scene.state));
  REQUIRE(store);
  const auto shown = [&](const std::vector<std::string>& tools) {
    ToolCall call = scene.call();
    call.profile_of = tools;
    const Admission waits = (*gate)->admit(call);
    const auto approval = (*store)->show(waits.approval_id);
    REQUIRE(approval);
    return *approval;
  };
  const policy::Approval direct = shown({});
  CHECK(direct.call.profile == "narrow");
  const auto narrow = nlohmann::json::parse(direct.call.granted_json);
  CHECK(narrow["timeout"] == "90s");
  CHECK(narrow["network"] == "none");
  CHECK(narrow["access"] == "direct");
  CHECK(narrow["memory"] == "512M");
  CHECK(shown({"quiet", "run_in_venv"}).id == direct.id);   // a tool without one leads to the same profile

  const policy::Approval beside = shown({"start_run", "run_in_venv"});
  CHECK(beside.call.profile == "wide");
  CHECK(beside.id != direct.id);
  const auto wide = nlohmann::json::parse(beside.call.granted_json);
  CHECK(wide["network"] == "egress");
  CHECK(wide["allow_host"] == nlohmann::json{"a.example"});
  CHECK(wide["environment"] == nlohmann::json{"KEY"});
  CHECK(wide["mounts"][0]["source"] == "/srv/x");
  CHECK(wide["memory"] == "1G");
  CHECK(beside.call.granted_json.find("secret") == std::string::npos);

  REQUIRE((*store)->approve(direct.id, "somebody"));
  ToolCall other = scene.call();
  other.profile_of = {"start_run", "run_in_venv"};
  CHECK_FALSE((*gate)->admit(other).allowed());
  CHECK((*gate)->admit(scene.call()).allowed());
}

TEST_CASE("a call that waits is told to the webhook, once and signed") {
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  REQUIRE(::bind(listener, reinterpret_cast<sockaddr*>(&address), size) == 0);
  REQUIRE(::listen(listener, 8) == 0);
  REQUIRE(::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  std::string received;
  std::thread receiver([&] {
    const int client = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    char buffer[4096];
    ssize_t got = 0;
    while (received.find("\"approve\"") == std::string::npos && (got = ::read(client, buffer, sizeof buffer)) > 0) received.append(buffer, static_cast<std::size_t>(got));
    constexpr std::string_view kAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    (void)!::write(client, kAnswer.data(), kAnswer.size());
    ::close(client);
  });
  ::setenv("WARDENV_TEST_SECRET", "key", 1);
  const Scene scene;
  {
    auto gate = scene.open(R"({"version": "1", "default": "deny", "approvals": {"webhook": {"url": "http://127.0.0.1:)" + std::to_string(ntohs(address.sin_port)) +
                           R"(/x", "secret_env": "WARDENV_TEST_SECRET"}}, "tools": {"run_in_venv": {"action": "require_approval"}}})");
    REQUIRE(gate);
    const Admission waits = (*gate)->admit(scene.call());
    CHECK_FALSE(waits.approval_id.empty());
    (void)(*gate)->admit(scene.call());   // the same one: not told again
    receiver.join();
    CHECK(received.find(waits.approval_id) != std::string::npos);
    CHECK(received.find("sha256=") != std::string::npos);
  }
  pollfd again{listener, POLLIN, 0};
  CHECK(::poll(&again, 1, 0) == 0);
  ::close(listener);
}

TEST_CASE("a webhook whose secret is not there is an error of the policy") {
  const Scene scene;
  constexpr const char* kSigned = R"({"version": "1", "default": "allow", "approvals": {"webhook": {"url": "http://127.0.0.1:9/x", "secret_env": "WARDENV_TEST_ABSENT"}}})";
  ::unsetenv("WARDENV_TEST_ABSENT");
  const auto refused = scene.open(kSigned);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message.find("/approvals/webhook") != std::string::npos);
  CHECK(refused.error().message.find("`WARDENV_TEST_ABSENT` is not set") != std::string::npos);
  ::setenv("WARDENV_TEST_ABSENT", "key", 1);
  CHECK(scene.open(kSigned));
  ::unsetenv("WARDENV_TEST_ABSENT");
}

TEST_CASE("what could not be judged, and why a run could not be made, is in the log") {
  const Scene scene;
  auto gate = scene.open(kAllow, Watch::kYes);
  REQUIRE(gate);
  const auto log = [&] { return testing::text_of(audit_folder(scene.state) + "/audit.jsonl"); };
  const auto has = [&](const std::string& part) { return log().find(part) != std::string::npos; };
  ToolCall call = scene.call(R"({"command": "x"})");
  call.unjudgeable = "it is no text";
  const Admission refused = (*gate)->admit(call);
  CHECK(refused.decision.rule == "(malformed call)");
  CHECK(has(R"x("decision":"deny","rule":"(malformed call)","reason":"it is no text")x"));
  CHECK_FALSE((*gate)->refuse(scene.call(), "(hidden)", "there is no such tool").allowed());
  CHECK(has(R"x("rule":"(hidden)")x"));

  const Admission admission = (*gate)->admit(scene.call());
  REQUIRE(admission.allowed());
  RunReport report = ended(false);
  report.error = Error{ErrorCode::kBadInput, "--memory asks for more", "", 0};
  (*gate)->finish(admission, report);
  CHECK(has(R"("outcome":"setup_failed")"));
  CHECK(has(R"("reason":"--memory asks for more")"));

  std::mutex mutex;
  std::condition_variable told;
  int heard = 0;
  const auto hear = [&] {
    const std::lock_guard lock(mutex);
    ++heard;
    told.notify_all();
  };
  (*gate)->on_change(hear);
  (*gate)->on_notice([&](std::string_view) { hear(); });
  const auto edit = [&](const std::string& text, int times) {
    write(scene.file, text);
    std::unique_lock lock(mutex);
    REQUIRE(told.wait_for(lock, 20s, [&] { return heard >= times; }));
  };
  edit(R"({"version": "1", "default": "deny"})", 1);
  CHECK(has(R"("event":"policy","policy_digest")"));
  CHECK_FALSE(has(R"("event":"policy_refused")"));
  edit("{", 2);
  CHECK(has(R"("event":"policy_refused","reason")"));
}

TEST_CASE("a token names its grant, anything else none") {
  const Scene scene;
  // SHA-256 of "s3cret".
  auto gate = scene.open(R"({"version": "1", "default": "deny", "tools": {"a": {}, "b": {}}, "grants": {"ci": {"token_sha256": "1ec1c26b50d5d3c58d9583181af8076655fe00756bf7285940ba3670f99fcba0", "tools": ["a"]}, "other": {}}})");
  REQUIRE(gate);
  CHECK((*gate)->has_grant_tokens());
  CHECK((*gate)->has_grant("other"));
  CHECK((*gate)->grant_of_token("s3cret") == "ci");
  for (const char* token : {"", "s3cre", "s3cret ", "S3CRET", "1ec1c26b50d5d3c58d9583181af8076655fe00756bf7285940ba3670f99fcba0"}) {
    INFO(token);
    CHECK_FALSE((*gate)->grant_of_token(token));
  }
  ToolCall call = scene.call();
  call.grant = "ci";
  call.tool = "a";
  CHECK((*gate)->admit(call).allowed());
  call.tool = "b";
  CHECK_FALSE((*gate)->admit(call).allowed());
  call.grant = "nobody";
  call.tool = "a";
  CHECK_FALSE((*gate)->admit(call).allowed());
}

TEST_CASE("malformed arguments are denied, never passed on") {
  const Scene scene;
  auto gate = scene.open(kAllow);
  REQUIRE(gate);
  for (const char* text : {"", "[]", "{", R"({"a": 1, "a": 2})", "{\"a\": \"\xff\"}", "{} {}"}) {
    INFO(text);
    CHECK((*gate)->admit(scene.call(text)).decision.rule == "(malformed call)");
  }
}
