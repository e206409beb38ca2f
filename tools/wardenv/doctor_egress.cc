// SPDX-License-Identifier: Apache-2.0
// The check of named egress: a sandbox reaches a server of ours through the proxy, and is refused another port of it.
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <system_error>
#include <thread>

#include "engine/egress/proxy.h"
#include "engine/engine.h"
#include "sandbox/base/unique_fd.h"
#include "tools/wardenv/doctor_checks.h"

namespace wardenv::cli {
namespace {

// Answers every request with 200 until its socket is shut down.
class LocalServer {
 public:
  LocalServer() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* raw = reinterpret_cast<sockaddr*>(&address);
    if (::bind(socket_.get(), raw, size) < 0 || ::listen(socket_.get(), 4) < 0 || ::getsockname(socket_.get(), raw, &size) < 0) return;
    try {
      thread_ = std::thread([this] { serve(); });
      port_ = ntohs(address.sin_port);
    } catch (const std::system_error&) {   // no more threads: there is no server
    }
  }
  LocalServer(const LocalServer&) = delete;
  LocalServer& operator=(const LocalServer&) = delete;
  ~LocalServer() {
    ::shutdown(socket_.get(), SHUT_RDWR);
    if (thread_.joinable()) thread_.join();
  }
  [[nodiscard]] int port() const { return port_; }

 private:
  void serve() const {
    for (;;) {
      const UniqueFd client(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!client.valid()) return;
      constexpr char kAnswer[] = "HTTP/1.0 200 OK\r\n\r\n";
      char request[1024];
      (void)!::read(client.get(), request, sizeof request);
      (void)!::write(client.get(), kAnswer, sizeof kAnswer - 1);
    }
  }

  UniqueFd socket_;
  int port_ = 0;
  std::thread thread_;
};

// bash speaks TCP by itself: /dev/tcp.
std::string script(int port) {
  const std::string ask = "ask() { exec 3<>/dev/tcp/127.0.0.1/" + std::to_string(engine::kEgressPort) + " && printf 'GET http://127.0.0.1:%s/ HTTP/1.0\\r\\n\\r\\n' $1 >&3 && read -r line <&3; echo \"$line\"; }; ";
  const std::string allowed = "case $(ask " + std::to_string(port) + ") in *' 200 '*) ;; *) exit 1;; esac; ";
  const std::string other = "case $(ask " + std::to_string(port == 65535 ? 1 : port + 1) + ") in *' 403 '*) ;; *) exit 2;; esac; ";
  return ask + allowed + other + "exit 42";
}

}  // namespace

CheckResult check_egress(const char* workspace) {
  const std::string name = "named egress";
  if (::access("/bin/bash", X_OK) < 0) return {name, CheckStatus::kNotTried, "the check needs /bin/bash", ""};
  const LocalServer server;
  auto engine = engine::Engine::create({.ahead = engine::Ahead::kNo, .launcher = std::nullopt});
  if (!engine || server.port() == 0) return {name, CheckStatus::kMissing, "the check can't begin", engine ? kProcessesHint : engine.error().message};
  auto rule = engine::parse_egress_rule("127.0.0.1:" + std::to_string(server.port()));
  engine::RunRequest request;
  request.argv = {"/bin/bash", "-c", script(server.port())};
  request.workspace = workspace;
  request.network = sandbox::Network::kEgress;
  if (rule) request.egress.rules.push_back(std::move(*rule));
  const engine::RunReport report = engine->run(request);
  if (report.exit_code == 42) return {name, CheckStatus::kOk, "an allowed port was reached through the proxy, another refused", ""};
  if (report.error) return {name, CheckStatus::kMissing, report.error->message, report.error->hint};
  return {name, CheckStatus::kMissing, report.exit_code == 2 ? "what no rule allows was not refused" : "an allowed port could not be reached", ""};
}

}  // namespace wardenv::cli
