// SPDX-License-Identifier: Apache-2.0
// Hooks: what a program or a server answers, and every way in which it does not.
#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <thread>

#include "engine/hooks/answer.h"
#include "engine/hooks/hooks.h"
#include "sandbox/base/unique_fd.h"
#include "tests/support/catch.h"
#include "tests/support/files.h"
#include "tests/unit/engine/scratch.h"

namespace wardenv {
namespace {

using engine::Hook;
using engine::HookAnswer;
using engine::HookDecision;
using testing::Folder;
using namespace std::chrono_literals;

const std::string kEvent = engine::hook_event_json({.event = "before_run", .tool = "t", .arguments_json = R"({"a":1})", .grant = "g", .run_id = "r", .profile = "p"});

Hook shell(const std::string& script, std::chrono::milliseconds timeout = 20s) {
  return {.name = "h", .run = {"/bin/sh", "-c", script}, .http = "", .timeout = timeout};
}
HookAnswer ask_shell(const std::string& script, std::chrono::milliseconds timeout = 20s) { return engine::ask(shell(script, timeout), kEvent); }

void check_failed(const HookAnswer& answer, const std::string& why) {
  CHECK(answer.decision == HookDecision::kDeny);
  INFO(answer.reason);
  CHECK(testing::contains(answer.reason, "did not judge"));
  CHECK(testing::contains(answer.reason, why));
}

TEST_CASE("hooks: the event is what the contract says") {
  const auto event = nlohmann::json::parse(kEvent);
  CHECK(event == nlohmann::json{{"event", "before_run"}, {"tool", "t"}, {"arguments", {{"a", 1}}}, {"grant", "g"}, {"run_id", "r"}, {"profile", "p"}});
  CHECK(engine::hook_event_json({.arguments_json = "nonsense"}).empty());
  CHECK(engine::hook_event_json({.arguments_json = "[]"}).empty());
  CHECK(engine::hook_event_json({.arguments_json = "{\"a\":" + std::string(100'000, '[') + std::string(100'000, ']') + "}"}).empty());
  check_failed(engine::ask(shell("echo '{\"decision\":\"allow\"}'"), ""), "JSON");
}

TEST_CASE("hooks: each decision of a program is heard, with its reason") {
  for (const auto& [word, meaning] : std::initializer_list<std::pair<std::string, HookDecision>>{{"allow", HookDecision::kAllow}, {"deny", HookDecision::kDeny},
                                      {"require_approval", HookDecision::kRequireApproval}, {"abstain", HookDecision::kAbstain}}) {
    const HookAnswer answer = ask_shell("cat >/dev/null; echo '{\"decision\":\"" + word + "\",\"reason\":\"because\"}'");
    CHECK(answer == HookAnswer{meaning, "because", "h"});
  }
  CHECK(ask_shell(R"(printf %s '{"decision":"deny","reason":"a\nb\u001b[31m\u009b"}')").reason == "a b [31m  ");
  CHECK(ask_shell(R"(echo '{"decision":"deny"}')").reason == "hook `h` says so");
}

TEST_CASE("hooks: a program reads the event, and nothing else of ours") {
  const Folder scratch;
  ::setenv("WARDENV_TEST_SECRET", "secret", 1);
  const UniqueFd leaked(::open("/etc/passwd", O_RDONLY));   // no O_CLOEXEC
  REQUIRE(leaked.valid());
  const std::string out = scratch.at("out");
  const HookAnswer answer = ask_shell("cat > " + out + ".event; env > " + out + ".env; ls -l /proc/$$/fd > " + out + ".fd; pwd > " + out +
                                      ".pwd; ps -o sid= -o pid= -p $$ > " + out + R"(.sid; grep Sig /proc/self/status > )" + out + R"(.sig; echo '{"decision":"allow"}')");
  ::unsetenv("WARDENV_TEST_SECRET");
  CHECK(answer.decision == HookDecision::kAllow);
  const auto text = [&](const std::string& name) { return testing::text_of(out + name); };
  CHECK(text(".event") == kEvent);
  CHECK_FALSE(testing::contains(text(".env"), "secret"));
  CHECK_FALSE(testing::contains(text(".env"), "HOME"));
  CHECK_FALSE(testing::contains(text(".fd"), "passwd"));
  CHECK(text(".pwd") == "/\n");
  INFO(text(".sig"));
  CHECK(testing::contains(text(".sig"), "SigBlk:\t0000000000000000"));
  const std::size_t ignored = text(".sig").find("SigIgn:\t");
  REQUIRE(ignored != std::string::npos);
  constexpr std::uint64_t kOfTheLibrary = 3ULL << 31;   // 32 and 33: posix_spawn ignores the signals that glibc keeps for itself
  CHECK((std::stoull(text(".sig").substr(ignored + 8), nullptr, 16) & ~kOfTheLibrary) == 0);
}

TEST_CASE("hooks: it works with standard descriptors closed") {
  const std::string command = "exec 2>/dev/null; cat >/dev/null; echo '{\"decision\":\"allow\"}'";
  const int kept = ::fcntl(0, F_DUPFD_CLOEXEC, 100);
  ::close(0);
  const HookAnswer answer = ask_shell(command);
  if (kept >= 0) {
    ::dup2(kept, 0);
    ::close(kept);
  }
  CHECK(answer.decision == HookDecision::kAllow);
}

TEST_CASE("hooks: a program that fails, or answers badly, denies") {
  check_failed(ask_shell("echo '{\"decision\":\"allow\"}'; exit 1"), "failed");
  check_failed(ask_shell("echo '{\"decision\":\"allow\"}'; kill -KILL $$"), "failed");
  check_failed(ask_shell("true"), "did not answer");
  check_failed(ask_shell("echo allow"), "not JSON");
  check_failed(ask_shell("echo '{\"decision\":\"allow\"} x'"), "not JSON");
  check_failed(ask_shell("echo '{\"decision\":\"allow\"}{\"decision\":\"allow\"}'"), "not JSON");
  check_failed(ask_shell("echo '{\"decision\":\"deny\",\"decision\":\"allow\"}'"), "twice");
  check_failed(ask_shell("echo '{\"decision\":\"allow\",\"x\":{\"a\":1,\"b\":{},\"a\":2}}'"), "twice");
  check_failed(ask_shell("echo '[\"allow\"]'"), "not an object");
  check_failed(ask_shell("echo true"), "not an object");
  check_failed(ask_shell("echo '{}'"), "no decision");
  check_failed(ask_shell("echo '{\"decision\":true}'"), "no decision");
  check_failed(ask_shell("echo '{\"decision\":\"ALLOW\"}'"), "not one of");
  check_failed(ask_shell("echo '{\"decision\":\"\"}'"), "not one of");
  check_failed(ask_shell("echo '{\"decision\":\"allow\",\"reason\":1}'"), "not a string");
  check_failed(ask_shell("printf '{\"decision\":\"allow\",\"reason\":\"\\377\"}'"), "not JSON");
  check_failed(ask_shell("printf '{\"decision\":\"allow\"}\\000'"), "not JSON");
  check_failed(ask_shell("head -c 70000 /dev/zero"), "too long");
  check_failed(ask_shell("exec yes"), "too long");
  check_failed(engine::ask({.name = "h", .run = {"/no/such"}, .http = "", .timeout = 5s}, kEvent), "can't be started");
  check_failed(engine::ask({.name = "h", .run = {"/etc/passwd"}, .http = "", .timeout = 5s}, kEvent), "can't be started");
  check_failed(engine::ask({.name = "h", .run = {"sh"}, .http = "", .timeout = 5s}, kEvent), "absolute");
  check_failed(engine::ask({.name = "h", .run = {}, .http = "", .timeout = 5s}, kEvent), "neither");
  check_failed(engine::ask({.name = "h", .run = {"/bin/true"}, .http = "http://127.0.0.1:1/", .timeout = 5s}, kEvent), "neither");
  const std::string deep = std::string(1000, '[') + std::string(1000, ']');
  check_failed(ask_shell("echo '{\"decision\":\"allow\",\"x\":" + deep + "}'"), "deep");
}

bool alive(pid_t pid) {
  const std::string text = testing::text_of("/proc/" + std::to_string(pid) + "/stat");
  const std::size_t end = text.rfind(')');
  return end != std::string::npos && text.substr(end, 4).find('Z') == std::string::npos;
}

pid_t pid_in(const std::string& path) {
  pid_t pid = -1;
  std::ifstream(path) >> pid;
  return pid;
}

TEST_CASE("hooks: a program that takes too long is killed with what it started, and denies") {
  const Folder scratch;
  const std::string child = scratch.at("child");
  for (const std::string& script : {"sleep 1000 & echo $! > " + child + "; echo '{\"decision\":\"allow\"}'; wait", "trap '' TERM INT HUP; sleep 1000 & echo $! > " + child + "; while :; do wait; done"}) {
    check_failed(ask_shell(script, 700ms), "too long");
    const pid_t pid = pid_in(child);
    REQUIRE(pid > 1);
    for (int i = 0; i < 100 && alive(pid); ++i) std::this_thread::sleep_for(20ms);
    CHECK_FALSE(alive(pid));
  }
  check_failed(ask_shell("exec sleep 1000", 1ms), "too long");
}

// What a caller cancels by, and a thread that does so once `begun` says yes.
struct Canceller {
  UniqueFd fd{::eventfd(0, EFD_CLOEXEC)};
  std::thread thread{};

  void cancel() const { REQUIRE(::eventfd_write(fd.get(), 1) == 0); }
  void cancel_once(std::function<bool()> begun) {
    thread = std::thread([this, begun = std::move(begun)] {
      for (int i = 0; i < 1000 && !begun(); ++i) std::this_thread::sleep_for(10ms);
      (void)::eventfd_write(fd.get(), 1);
    });
  }
  ~Canceller() {
    if (thread.joinable()) thread.join();
  }
};

void check_cancelled(const HookAnswer& answer) {
  CHECK(answer.decision == HookDecision::kDeny);
  CHECK(answer.cancelled);
  CHECK(answer.hook == "h");
  CHECK(testing::contains(answer.reason, "was cancelled while hook `h` was asked"));
}

TEST_CASE("hooks: a program is not waited for where the call is cancelled, and is killed with what it started") {
  const Folder scratch;
  const std::string child = scratch.at("child");
  const std::string obstinate = R"(echo '{"decision":"allow"}'; trap '' TERM INT HUP; sleep 1000 & echo $! > )" + child + "; while :; do wait; done";
  for (const std::string& script : {"sleep 1000 & echo $! > " + child + "; wait", obstinate}) {
    std::filesystem::remove(child);
    Canceller canceller;
    canceller.cancel_once([&] { return pid_in(child) > 1; });
    check_cancelled(engine::ask(shell(script, 60s), kEvent, canceller.fd.get()));
    const pid_t pid = pid_in(child);
    REQUIRE(pid > 1);
    for (int i = 0; i < 100 && alive(pid); ++i) std::this_thread::sleep_for(20ms);
    CHECK_FALSE(alive(pid));
  }
}

TEST_CASE("hooks: where the call was cancelled before nothing is started; where nobody cancels, nothing changes") {
  const Folder scratch;
  const Canceller canceller;
  const std::string script = "touch " + scratch.at("ran") + R"(; echo '{"decision":"allow"}')";
  CHECK(engine::ask(shell(script), kEvent, canceller.fd.get()).decision == HookDecision::kAllow);   // the control
  CHECK(std::filesystem::remove(scratch.at("ran")));
  check_failed(engine::ask(shell("exec sleep 1000", 100ms), kEvent, canceller.fd.get()), "too long");
  check_failed(engine::ask(shell("exit 1"), kEvent, canceller.fd.get()), "failed");
  canceller.cancel();
  check_cancelled(engine::ask(shell(script), kEvent, canceller.fd.get()));
  check_cancelled(engine::ask({.name = "h", .run = {}, .http = "http://127.0.0.1:1/", .timeout = 5s}, kEvent, canceller.fd.get()));
  check_cancelled(engine::ask(shell(script), kEvent, 1'000'000));   // no descriptor at all
  CHECK_FALSE(std::filesystem::exists(scratch.at("ran")));
}

TEST_CASE("hooks: what a program leaves behind neither delays its answer nor lives on") {
  const Folder scratch;
  const HookAnswer answer = ask_shell("sleep 1000 & echo $! > " + scratch.at("child") + "; echo '{\"decision\":\"allow\"}'", 60s);
  CHECK(answer.decision == HookDecision::kAllow);
  const pid_t pid = pid_in(scratch.at("child"));
  REQUIRE(pid > 1);
  for (int i = 0; i < 100 && alive(pid); ++i) std::this_thread::sleep_for(20ms);
  CHECK_FALSE(alive(pid));
}

// A server of one connection: what it does with it is the test's.
class Server {
 public:
  explicit Server(std::function<void(int connection)> serve) : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    REQUIRE(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(::listen(listener_.get(), 4) == 0);
    REQUIRE(::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this, serve = std::move(serve)] {
      const UniqueFd connection(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (connection.valid()) serve(connection.get());
    });
  }
  ~Server() {
    ::shutdown(listener_.get(), SHUT_RDWR);
    thread_.join();
  }
  [[nodiscard]] std::string url(const std::string& host = "127.0.0.1") const { return "http://" + host + ":" + std::to_string(port_) + "/v1/data/wardenv?pretty"; }

 private:
  UniqueFd listener_;
  std::uint16_t port_ = 0;
  std::thread thread_;
};

std::string receive(int connection) {
  std::string text;
  char buffer[4096];
  while (text.find("\r\n\r\n") == std::string::npos || !text.ends_with('}')) {
    const ssize_t got = ::recv(connection, buffer, sizeof buffer, 0);
    if (got <= 0) break;
    text.append(buffer, static_cast<std::size_t>(got));
  }
  return text;
}
void send_text(int connection, const std::string& text) { (void)!::send(connection, text.data(), text.size(), MSG_NOSIGNAL); }
std::string response(const std::string& body, const std::string& status = "200 OK") {
  return "HTTP/1.1 " + status + "\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

HookAnswer ask_server(const std::string& reply, std::chrono::milliseconds timeout = 20s, std::string* request = nullptr) {
  std::string heard;
  HookAnswer answer;
  {
    const Server server([&](int connection) {
      heard = receive(connection);
      send_text(connection, reply);
    });
    answer = engine::ask({.name = "h", .run = {}, .http = server.url(), .timeout = timeout}, kEvent);
  }
  if (request != nullptr) *request = heard;
  return answer;
}

TEST_CASE("hooks: a server is asked as Open Policy Agent's data API is") {
  std::string request;
  const HookAnswer answer = ask_server(response(R"({"decision_id":"x","result":{"decision":"require_approval","reason":"big"}})"), 20s, &request);
  CHECK(answer == HookAnswer{HookDecision::kRequireApproval, "big", "h"});
  CHECK(request.starts_with("POST /v1/data/wardenv?pretty HTTP/1.1\r\n"));
  CHECK(testing::contains(request, "Content-Type: application/json\r\n"));
  CHECK(request.ends_with("\r\n\r\n{\"input\":" + kEvent + "}"));
  CHECK(ask_server(response(R"({"result":true})")).decision == HookDecision::kAllow);
  CHECK(ask_server(response(R"({"result":false})")).decision == HookDecision::kDeny);
  CHECK(ask_server("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nf\r\n{\"result\":true}\r\n0\r\n\r\n").decision == HookDecision::kAllow);
}

TEST_CASE("hooks: a server that fails, or answers badly, denies") {
  check_failed(ask_server(response("{}")), "no result");
  check_failed(ask_server(response(R"({"result":null})")), "not an object");
  check_failed(ask_server(response(R"({"result":"allow"})")), "not an object");
  check_failed(ask_server(response(R"({"result":1})")), "not an object");
  check_failed(ask_server(response(R"({"result":{"allow":true}})")), "no decision");
  check_failed(ask_server(response(R"({"result":false,"result":true})")), "twice");
  check_failed(ask_server(response(R"({"decision":"allow"})")), "no result");
  check_failed(ask_server(response("")), "did not answer");
  check_failed(ask_server(response("nonsense")), "not JSON");
  check_failed(ask_server(response(R"({"result":true})", "500 Internal Server Error")), "status 500");
  check_failed(ask_server(response(R"({"result":true})", "201 Created")), "status 201");
  check_failed(ask_server("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"), "status 302");
  check_failed(ask_server(""), "did not answer");
  check_failed(ask_server("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"result\":true}"), "did not answer");
  check_failed(ask_server("garbage\r\n\r\n"), "did not answer");
  check_failed(ask_server("HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n{"), "too long");
  check_failed(ask_server(response(std::string(70'000, ' ') + R"({"result":true})")), "too long");
  check_failed(ask_server("HTTP/1.1 200 OK\r\nX: " + std::string(100'000, 'x') + "\r\n\r\n"), "did not answer");
}

TEST_CASE("hooks: a server that is silent, slow or away denies in time") {
  {
    const Server silent([](int connection) { (void)receive(connection), std::this_thread::sleep_for(1s); });
    check_failed(engine::ask({.name = "h", .run = {}, .http = silent.url(), .timeout = 200ms}, kEvent), "too long");
  }
  {
    // One byte now and then: each read succeeds, and the whole must end all the same.
    const Server slow([](int connection) {
      (void)receive(connection);
      for (const char c : response(R"({"result":true})")) {
        send_text(connection, std::string(1, c));
        std::this_thread::sleep_for(30ms);
      }
    });
    check_failed(engine::ask({.name = "h", .run = {}, .http = slow.url(), .timeout = 500ms}, kEvent), "too long");
  }
  std::string gone;
  {
    const Server server([](int) {});
    gone = server.url();
  }
  check_failed(engine::ask({.name = "h", .run = {}, .http = gone, .timeout = 5s}, kEvent), "can't be");
  check_failed(engine::ask({.name = "h", .run = {}, .http = "https://127.0.0.1/", .timeout = 5s}, kEvent), "URL");
}

TEST_CASE("hooks: a server is not waited for where the call is cancelled, and sees the end of the connection") {
  std::atomic<bool> asked = false;
  ssize_t rest = -1;
  {
    Canceller canceller;
    const Server silent([&](int connection) {
      (void)receive(connection);
      send_text(connection, "HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n{\"result\":true");
      asked = true;
      char more = 0;
      rest = ::recv(connection, &more, 1, 0);
    });
    canceller.cancel_once([&] { return asked.load(); });
    check_cancelled(engine::ask({.name = "h", .run = {}, .http = silent.url(), .timeout = 60s}, kEvent, canceller.fd.get()));
  }
  CHECK(rest <= 0);
  const Canceller nobody;
  HookAnswer answer;
  {
    const Server slow([](int connection) {
      (void)receive(connection);
      std::this_thread::sleep_for(100ms);
      send_text(connection, response(R"({"result":true})"));
    });
    answer = engine::ask({.name = "h", .run = {}, .http = slow.url("localhost"), .timeout = 20s}, kEvent, nobody.fd.get());
  }
  CHECK(answer.decision == HookDecision::kAllow);   // the control
  CHECK((::fcntl(nobody.fd.get(), F_GETFL) & O_NONBLOCK) == 0);   // it is not ours to change
}

TEST_CASE("hooks: names are resolved") {
  HookAnswer answer;
  {
    const Server server([](int connection) { (void)receive(connection), send_text(connection, response(R"({"result":true})")); });
    answer = engine::ask({.name = "h", .run = {}, .http = server.url("localhost"), .timeout = 20s}, kEvent);
  }
  CHECK(answer.decision == HookDecision::kAllow);
}

TEST_CASE("hooks: a URL that is none denies, and https is none") {
  for (const char* url : {"ftp://a", "https://127.0.0.1:1/", "http://u@a/"}) {
    CHECK(engine::ask({.name = "h", .run = {}, .http = url, .timeout = 5s}, kEvent).decision == HookDecision::kDeny);
    CHECK(engine::ask({.name = "h", .run = {}, .http = url, .timeout = 5s}, kEvent).reason.find("has a URL that is none") != std::string::npos);
  }
}

TEST_CASE("hooks: many are asked at once, and nothing of them stays open") {
  const auto count = [] { return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {}); };
  const auto before = count();
  std::vector<std::thread> threads;
  std::vector<int> good(8, 0);
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&good, t] {
      for (int i = 0; i < 5; ++i) good[static_cast<std::size_t>(t)] += ask_shell(R"(echo '{"decision":"allow"}')").decision == HookDecision::kAllow ? 1 : 0;
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(good == std::vector<int>(8, 5));
  CHECK(count() == before);
}

}  // namespace
}  // namespace wardenv
