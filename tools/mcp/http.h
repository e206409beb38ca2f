// SPDX-License-Identifier: Apache-2.0
// The Streamable HTTP transport: both eras on one endpoint. One thread reads and writes; tools run in the server's pools.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sandbox/base/error.h"
#include "tools/mcp/server.h"

namespace wardenv::mcp {

struct HttpLimits {
  std::size_t head_bytes = 32U << 10;
  std::size_t body_bytes = 4U << 20;
  std::size_t backlog_bytes = 8U << 20;       // output that a client does not take; then it is cut off
  std::size_t all_backlog_bytes = 64U << 20;  // the same of all clients together; beyond it those that take nothing are cut off sooner
  std::size_t all_kept_bytes = 64U << 20;     // what is kept for clients that might come back for it; beyond it what has ended is forgotten
  std::size_t all_body_bytes = 128U << 20;    // bodies of all requests under way; beyond it who sends more is told that we are busy
  std::size_t connections = 1024;
  std::chrono::milliseconds request_time{15'000};   // from the first byte of a request to its last
  std::chrono::milliseconds idle_time{75'000};      // between requests
  std::chrono::milliseconds write_time{30'000};     // without the client taking a byte
};

struct HttpOptions {
  std::string host = "127.0.0.1";   // an address, or localhost
  std::uint16_t port = 0;           // 0: any
  std::string path = "/mcp";
  std::vector<std::string> allowed_origins{};
  std::string tls_cert{};           // PEM files; both or none
  std::string tls_key{};
  std::string default_grant{};      // who calls, where no tokens are asked for
  // Whose token this is; none: nobody's. Empty: no tokens are asked for, which is refused on an address that others can reach.
  std::function<std::optional<std::string>(std::string_view token)> grant_of_token{};
  // Whether any tokens are given out: a policy may change. Empty: yes. Once it was so, and where others can reach us, they are asked for until the end.
  std::function<bool()> asks_for_tokens{};
  std::function<std::string(const std::string& grant)> metrics{};   // the text of /metrics for such a caller; empty: 404
  std::string resource_name = "Wardenv";    // for the metadata of RFC 9728
  HttpLimits limits{};
};

class HttpServer {
 public:
  // Listens from then on. Errors kBadInput (bad address, unreadable certificate, an open address without tokens) and kHost.
  // REQUIRES: `server` outlives this object.
  static Result<std::unique_ptr<HttpServer>> open(Server& server, HttpOptions options);
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;
  ~HttpServer();

  [[nodiscard]] std::uint16_t port() const;
  [[nodiscard]] std::string url() const;
  [[nodiscard]] std::size_t connections() const;   // any thread

  // Serves until `stop_fd` is readable; then everything is cancelled. What does not end within a second is left running: the caller must exit.
  void run(int stop_fd);

 private:
  struct Impl;
  explicit HttpServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace wardenv::mcp
