// SPDX-License-Identifier: Apache-2.0
// One client of the proxy: what it asks for, whether it may, and then its bytes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/egress/client_hello.h"
#include "engine/egress/http_head.h"
#include "engine/egress/shared.h"
#include "engine/egress/socks5.h"

namespace wardenv::engine {

// Which of its sockets an event is about.
enum class Side : std::uint64_t { kClient = 0, kServer = 1 };

// After a turn: what the connection waits for.
enum class Turn {
  kWaits,    // an event, an answer or its deadline
  kAgain,    // its turn was over before its work
  kStarved,  // the budget
  kOver,
};

class Connection {
 public:
  // One that is too many, at once or in all, is told so and closed.
  enum class Admission { kServed, kCrowded, kUsedUp };
  Connection(EgressShared& shared, UniqueFd client, std::uint64_t id, Admission admission);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection();

  void note(Side side, std::uint32_t events);
  void take(const Resolution& resolution);
  Turn advance();
  [[nodiscard]] std::uint64_t deadline_ms() const { return deadline_ms_; }   // 0: none
  void expire();   // the deadline has passed; advance() afterwards

 private:
  enum class Phase { kSniff, kHttp, kSocksGreeting, kSocksRequest, kResolving, kConnecting, kRelay, kDraining, kOver };
  enum class Protocol { kUnknown, kHttp, kConnect, kSocks };
  enum class Sni {
    kNotChecked,   // anything passes, as nothing has to be checked or all has been
    kIfTls,        // the client's first bytes, where they look like TLS
    kRequired,     // its first bytes have to be TLS
    kAnswer,       // the server's: whether it wants another ClientHello. Until that is known no more than the first one goes to it
    kSecond,       // that other one
  };
  enum class Step { kOn, kWait };

  Step step();
  Step sniff();
  Step read_http();
  Step read_greeting();
  Step read_request();
  Step finish_connect();
  Step drain();
  Step begin_drain();
  Step flush();
  Turn relay();
  Turn settle(PumpEnd up, PumpEnd down);
  PumpEnd pump_up();

  void check_tls();                       // tls_check.cc
  void check_first_bytes();
  void check_answer();
  void check_second();
  bool check_hello(const ClientHello& hello);
  void let_pass(std::uint64_t bytes);
  void let_all_pass();

  Step handle(const HttpHead& head);
  Status set_target(std::string_view host, std::uint16_t port);
  Step begin_request(const HttpHead& head);
  Step begin_tunnel(std::string_view host, std::uint16_t port);
  Step look_up();
  Step choose(const std::vector<ResolvedAddress>& addresses, const std::string& why_none);
  Step connect_next();
  Step connected();
  Step open_tunnel();
  void tell_opened();

  Step refuse(int status, SocksReply reply, const std::string& reason, const std::string& needed = {});
  Step failed(int status, SocksReply reply, const std::string& reason);
  Step answer_refusal(int status, SocksReply reply, const std::string& text);
  Step refuse_tls(const std::string& reason);
  Step close_now();
  EgressEvent event(EgressEventKind kind) const;
  std::string_view peek();
  void deadline_in(std::uint64_t ms) { deadline_ms_ = shared_.now_ms + ms; }

  EgressShared& shared_;
  std::uint64_t id_;
  Peer client_;
  Peer server_;
  Phase phase_ = Phase::kSniff;
  Protocol protocol_ = Protocol::kUnknown;
  Sni sni_ = Sni::kNotChecked;
  bool opened_ = false;
  bool inside_tunnel_ = false;            // plain HTTP within a tunnel to port 80, whose target is target_
  const EgressRule* rule_ = nullptr;
  EgressTarget target_;
  std::string method_;
  std::vector<IpAddress> addresses_;      // that may be connected to, last one first
  std::string address_;
  std::size_t seen_ = 0;                  // bytes of a head that has no end yet
  std::string to_client_;
  std::string to_server_;
  BodyReader body_;                       // of a plain HTTP request; of a tunnel: what may still go to the server while TLS is checked
  Direction up_;
  Direction down_;
  std::uint64_t deadline_ms_ = 0;
};

}  // namespace wardenv::engine
