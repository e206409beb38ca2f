// SPDX-License-Identifier: Apache-2.0
// The protocol, without a transport: one message in, messages out on the sink of that message. Both eras on one server, chosen for each
// message as the specification says (2026-07-28, "Versioning and Compatibility"): what carries modern `_meta` is served statelessly,
// `initialize` opens a legacy session.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "tools/mcp/channel.h"
#include "tools/mcp/handler.h"
#include "tools/mcp/pool.h"
#include "tools/mcp/sink.h"

namespace wardenv::mcp {

// Hears of what the server does, for metrics. Thread-safe. Names are such as the server knows, or "other".
class Observer {
 public:
  virtual ~Observer() = default;
  virtual void request(std::string_view method, Era era) = 0;
  virtual void call(std::string_view tool, std::string_view ending, double seconds) = 0;
};

struct ServerOptions {
  PoolSize workers{16, 1024};    // calls that may take long
  PoolSize quick{2, 256};        // calls that don't
  std::size_t max_sessions = 1024;
  std::chrono::milliseconds session_quiet = std::chrono::minutes(1);   // where there are too many, one that was not used for so long makes room
  std::chrono::milliseconds session_idle = std::chrono::hours(1);   // a legacy session over HTTP that is not used for so long is ended
  std::size_t max_tasks = 1024;
  std::size_t max_tasks_of_one = 256;        // caller
  std::size_t task_result_bytes = 64U << 20; // kept of ended tasks; beyond it the oldest results are dropped
  std::chrono::milliseconds task_ttl = std::chrono::hours(1);
  std::size_t page_size = 100;
  std::chrono::milliseconds list_ttl = std::chrono::seconds(30);
  Observer* observer = nullptr;  // not owned; may be null
};

// What a transport hands over. Everything is copied that outlives handle().
struct Incoming {
  std::string_view text{};
  const Headers* headers = nullptr;         // HTTP; null over stdio
  std::shared_ptr<Channel> channel{};       // stdio: of the process; HTTP: null, the server finds the session
  std::string grant{};                      // the policy's name for who calls; empty: none
  std::shared_ptr<Sink> sink{};
};

struct ServerLoad {
  std::size_t running = 0;
  std::size_t queued = 0;
  std::size_t sessions = 0;
  std::size_t tasks = 0;
};

struct Core;

class Server {
 public:
  // REQUIRES: `features` and the observer outlive the server.
  Server(Features& features, ServerOptions options);
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  ~Server();   // shut_down(), then waits for what still runs

  // Never throws, never blocks: what may take long runs in the pool. Thread-safe.
  void handle(const Incoming& incoming);

  // Legacy sessions over HTTP. Null: there is none of that name, or it is another caller's.
  [[nodiscard]] std::shared_ptr<Channel> session(std::string_view id, std::string_view grant) const;
  // Ends it and cancels what runs in it. False: unknown.
  bool end_session(std::string_view id, std::string_view grant);

  // To be called now and then.
  void end_idle_sessions();

  // Ends the subscriptions of a grant, and its sessions with what runs in them: who opened them has to say anew who they are.
  void end_grant(const std::string& grant);

  // A channel of a stdio process hears of changes from now on.
  void listen_to(const std::shared_ptr<Channel>& channel);

  // Cancels everything and refuses what comes. True: nothing runs any more; false: `patience` is over.
  bool shut_down(std::chrono::milliseconds patience);

  [[nodiscard]] ServerLoad load() const;

 private:
  std::unique_ptr<Core> core_;
};

}  // namespace wardenv::mcp
