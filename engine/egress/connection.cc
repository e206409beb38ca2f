// SPDX-License-Identifier: Apache-2.0
// A connection's phases: understanding what the client wants, and moving bytes. Judging and connecting: admission.cc.
#include "engine/egress/connection.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>

namespace wardenv::engine {
namespace {

constexpr std::uint64_t kHeadMs = 10'000;
constexpr std::uint64_t kDrainMs = 1'000;

void discard(const Peer& peer, std::size_t size) { (void)::recv(peer.fd.get(), nullptr, size, MSG_TRUNC | MSG_DONTWAIT); }

// Empties the front of `text` into the socket. False: broken.
bool send_some(Peer& peer, std::string& text) {
  while (!text.empty() && peer.writable) {
    const ssize_t sent = ::send(peer.fd.get(), text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent >= 0) {
      text.erase(0, static_cast<std::size_t>(sent));
    } else if (errno == EAGAIN) {
      peer.writable = false;
    } else if (errno != EINTR) {
      return false;
    }
  }
  return true;
}

}  // namespace

Connection::Connection(EgressShared& shared, UniqueFd client, std::uint64_t id, Admission admission) : shared_(shared), id_(id) {
  client_.fd = std::move(client);
  shared.expects_soon = true;   // its request
  deadline_in(kHeadMs);
  if (admission == Admission::kServed) return;
  const auto cap = std::to_string(admission == Admission::kCrowded ? shared.caps.connections_at_once : shared.caps.connections);
  refuse(admission == Admission::kCrowded ? 503 : 403, SocksReply::kFailure,
         "this run has its cap of " + cap + (admission == Admission::kCrowded ? " connections at once" : " connections in all"));
}

Connection::~Connection() {
  if (opened_) shared_.reporter.tell(event(EgressEventKind::kClosed));
}

void Connection::note(Side side, std::uint32_t events) {
  Peer& peer = side == Side::kClient ? client_ : server_;
  if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) peer.readable = true;
  if ((events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0) peer.writable = true;
  if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) peer.hung_up = true;
  // Nobody works for a client that is gone. One whose both directions have ended may hang up: what is under way to the server still goes.
  const bool gone = (events & EPOLLERR) != 0 || ((events & EPOLLHUP) != 0 && !(phase_ == Phase::kRelay && down_.finished));
  if (side == Side::kClient && gone) phase_ = Phase::kOver;
}

Turn Connection::advance() {
  while (phase_ != Phase::kRelay) {
    if (phase_ == Phase::kOver) return Turn::kOver;
    if (step() == Step::kWait) return phase_ == Phase::kOver ? Turn::kOver : Turn::kWaits;
  }
  return relay();
}

Connection::Step Connection::step() {
  if (phase_ != Phase::kDraining && !send_some(client_, to_client_)) return close_now();
  switch (phase_) {
    case Phase::kSniff: return sniff();
    case Phase::kHttp: return read_http();
    case Phase::kSocksGreeting: return read_greeting();
    case Phase::kSocksRequest: return read_request();
    case Phase::kResolving: return Step::kWait;
    case Phase::kConnecting: return finish_connect();
    case Phase::kDraining: return drain();
    case Phase::kRelay:
    case Phase::kOver: return Step::kOn;
  }
  return Step::kOn;
}

void Connection::expire() {
  deadline_ms_ = 0;
  switch (phase_) {
    case Phase::kResolving: failed(504, SocksReply::kHostUnreachable, "the name servers did not answer for " + target_.host); return;
    case Phase::kConnecting: server_ = {}; connect_next(); return;
    case Phase::kRelay:
      if (sni_ == Sni::kRequired) refuse_tls("no TLS ClientHello came");
      return;
    case Phase::kSniff:
    case Phase::kDraining:
    case Phase::kOver: close_now(); return;
    case Phase::kHttp:
    case Phase::kSocksGreeting:
    case Phase::kSocksRequest: refuse(408, SocksReply::kFailure, "the request did not come to its end"); return;
  }
}

// What the client has sent and we have not taken yet; stays in the kernel. Empty: nothing new. At the end of the stream the connection is over.
std::string_view Connection::peek() {
  static thread_local const auto buffer = std::make_unique_for_overwrite<char[]>(kMaxHeadBytes);   // as in relay.cc
  if (!client_.readable) return {};
  const ssize_t got = ::recv(client_.fd.get(), buffer.get(), kMaxHeadBytes, MSG_PEEK | MSG_DONTWAIT);
  if (got > 0) return {buffer.get(), static_cast<std::size_t>(got)};
  if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
    phase_ = Phase::kOver;
  } else if (errno == EAGAIN) {
    client_.readable = false;
  }
  return {};
}

Connection::Step Connection::sniff() {
  const std::string_view bytes = peek();
  if (bytes.empty()) return Step::kWait;
  phase_ = bytes[0] == 5 ? Phase::kSocksGreeting : Phase::kHttp;
  protocol_ = bytes[0] == 5 ? Protocol::kSocks : Protocol::kUnknown;
  return Step::kOn;
}

Connection::Step Connection::read_http() {
  const std::string_view bytes = peek();
  if (bytes.empty()) return Step::kWait;
  // One that comes byte by byte is read when it is whole, not for each byte.
  const std::string_view fresh = bytes.substr(std::min(bytes.size(), seen_ - std::min<std::size_t>(seen_, 3)));
  const bool whole = seen_ == 0 || bytes.size() >= kMaxHeadBytes || fresh.find("\r\n\r\n") != std::string_view::npos;
  const HttpHead head = whole ? read_http_head(bytes) : HttpHead{};
  if (head.state == HeadState::kMore) {
    seen_ = bytes.size();
    client_.readable = client_.hung_up;   // what is there has been seen; the rest will be told of
    return client_.hung_up ? close_now() : Step::kWait;
  }
  discard(client_, head.size);
  if (head.state == HeadState::kBad) return refuse(400, SocksReply::kFailure, head.why);
  return handle(head);
}

Connection::Step Connection::read_greeting() {
  const std::string_view bytes = peek();
  if (bytes.empty()) return Step::kWait;
  const SocksGreeting greeting = read_socks_greeting(bytes);
  if (greeting.state == SocksState::kMore) {
    client_.readable = false;
    return client_.hung_up ? close_now() : Step::kWait;
  }
  discard(client_, greeting.size);
  to_client_ += socks_method_reply(greeting.state);
  if (greeting.state == SocksState::kBad) {
    EgressEvent told = event(EgressEventKind::kRefused);
    told.reason = "SOCKS: a client has to offer to do without authentication";
    shared_.reporter.tell(told);
    return begin_drain();
  }
  phase_ = Phase::kSocksRequest;
  return Step::kOn;
}

Connection::Step Connection::read_request() {
  const std::string_view bytes = peek();
  if (bytes.empty()) return Step::kWait;
  const SocksRequest request = read_socks_request(bytes);
  if (request.state == SocksState::kMore) {
    client_.readable = false;
    return client_.hung_up ? close_now() : Step::kWait;
  }
  discard(client_, request.size);
  if (request.state == SocksState::kBad) return refuse(400, request.reply, "SOCKS: only CONNECT to a name or an address is spoken");
  return begin_tunnel(request.host, request.port);
}

// The last words of a refused client: what is left of ours goes out, what it still sends is thrown away, so that our words arrive.
Connection::Step Connection::drain() {
  if (!send_some(client_, to_client_)) return close_now();
  if (!to_client_.empty()) return Step::kWait;
  (void)::shutdown(client_.fd.get(), SHUT_WR);
  for (int i = 0; i < 64 && client_.readable; ++i) {
    const ssize_t got = ::recv(client_.fd.get(), nullptr, 1 << 20, MSG_TRUNC | MSG_DONTWAIT);
    if (got > 0 || (got < 0 && errno == EINTR)) continue;
    if (got == 0 || errno != EAGAIN) return close_now();
    client_.readable = false;
  }
  return Step::kWait;
}

Connection::Step Connection::begin_drain() {
  server_ = {};
  to_server_.clear();
  phase_ = Phase::kDraining;
  deadline_in(kDrainMs);
  return Step::kOn;
}

Connection::Step Connection::flush() {
  if (!send_some(client_, to_client_) || !send_some(server_, to_server_)) return close_now();
  return Step::kOn;
}

Turn Connection::relay() {
  if (flush() == Step::kWait) return Turn::kOver;
  if (sni_ != Sni::kNotChecked) check_tls();
  if (phase_ != Phase::kRelay) return advance();
  const PumpEnd up = pump_up();
  const bool look_first = sni_ == Sni::kAnswer;
  const PumpEnd down = to_client_.empty() && !look_first ? pump(down_, server_, client_, shared_.budget, shared_.pipes) : PumpEnd::kBlocked;
  return settle(up, down);
}

PumpEnd Connection::pump_up() {
  if (sni_ == Sni::kIfTls || sni_ == Sni::kRequired || !to_server_.empty()) return PumpEnd::kBlocked;
  const bool nothing_yet = up_.moved == 0;
  const PumpEnd end = pump(up_, client_, server_, shared_.budget, shared_.pipes);
  if (nothing_yet && up_.moved != 0) shared_.expects_soon = true;   // the server's answer
  const bool held_back = end == PumpEnd::kFinished && up_.body != nullptr && protocol_ != Protocol::kHttp && body_.done();
  if (held_back) up_.finished = false;   // it has not ended, more may just not pass yet
  return held_back ? PumpEnd::kBlocked : end;
}

Turn Connection::settle(PumpEnd up, PumpEnd down) {
  if (up == PumpEnd::kBroken || down == PumpEnd::kBroken) return close_now(), Turn::kOver;
  if (shared_.budget.used_up() && (up == PumpEnd::kStarved || down == PumpEnd::kStarved)) {
    EgressEvent told = event(EgressEventKind::kRefused);
    told.reason = "the run's cap of " + std::to_string(shared_.caps.bytes) + " bytes is used up";
    shared_.reporter.tell(told);
    return close_now(), Turn::kOver;
  }
  const bool http = protocol_ == Protocol::kHttp;
  if (down_.finished && http) {
    begin_drain();
    return advance();
  }
  if (up == PumpEnd::kFinished && !http) (void)::shutdown(server_.fd.get(), SHUT_WR);
  if (down == PumpEnd::kFinished) (void)::shutdown(client_.fd.get(), SHUT_WR);
  if (up_.finished && down_.finished) return close_now(), Turn::kOver;
  if (up == PumpEnd::kTurnOver || down == PumpEnd::kTurnOver) return Turn::kAgain;
  return up == PumpEnd::kStarved || down == PumpEnd::kStarved ? Turn::kStarved : Turn::kWaits;
}

Connection::Step Connection::close_now() {
  phase_ = Phase::kOver;
  client_.fd.reset();
  server_.fd.reset();
  return Step::kWait;
}

}  // namespace wardenv::engine
