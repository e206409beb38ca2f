// SPDX-License-Identifier: Apache-2.0
// A connection's way from a request to its server: rules, names, addresses, refusals.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>

#include "engine/egress/connection.h"
#include "engine/egress/sockets.h"

namespace wardenv::engine {
namespace {

constexpr std::uint64_t kHeadMs = 10'000, kResolveMs = 15'000, kConnectMs = 5'000;
constexpr std::uint64_t kKnownMs = 10'000;       // how long an answer of the resolver serves
constexpr std::size_t kMaxKnown = 256, kMaxTries = 4;

std::string authority(const EgressTarget& target) {
  const std::string host = target.literal && target.literal->length == 16 ? "[" + target.host + "]" : target.host;
  return target.port == 80 ? host : host + ":" + std::to_string(target.port);
}

// The reason goes into the status line too: it is all that most clients show of an answer to CONNECT.
std::string http_refusal(int status, const std::string& text) {
  const std::string body = "wardenv: " + text + "\n";
  return "HTTP/1.1 " + std::to_string(status) + " " + text + "\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: " +
         std::to_string(body.size()) + "\r\nProxy-Agent: wardenv\r\nConnection: close\r\n\r\n" + body;
}

// A host that is none, for reports: at most as long as a name can be, and without what would mean something to a shell.
std::string printable_host(std::string_view raw) {
  std::string text(raw.substr(0, 253));
  for (char& c : text) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || std::string_view("-._:%@[]").find(c) != std::string_view::npos;
    if (!plain) c = '?';
  }
  return text;
}

}  // namespace

EgressEvent Connection::event(EgressEventKind kind) const {
  const char* protocol = protocol_ == Protocol::kSocks ? "socks5" : protocol_ == Protocol::kConnect ? "connect" : protocol_ == Protocol::kHttp ? "http" : "";
  return {.kind = kind, .protocol = protocol, .host = target_.host, .port = target_.port, .method = method_, .address = address_,
          .rule = rule_ != nullptr ? rule_->text : "", .reason = {}, .needed = {}, .bytes_up = up_.moved, .bytes_down = down_.moved};
}

Connection::Step Connection::handle(const HttpHead& head) {
  method_ = head.method;
  if (inside_tunnel_) {
    auto asked = make_target(head.host, head.port);
    if (head.form != HttpForm::kOrigin) return refuse(400, SocksReply::kFailure, "a tunnel to port 80 takes requests for its own host");
    if (!asked || asked->host != target_.host || asked->port != target_.port) {
      return refuse(403, SocksReply::kFailure, "the Host header does not name " + target_.host + ", which the tunnel leads to");
    }
    return begin_request(head);
  }
  protocol_ = head.form == HttpForm::kConnect ? Protocol::kConnect : Protocol::kHttp;
  if (head.form == HttpForm::kConnect) return begin_tunnel(head.host, head.port);
  if (head.form == HttpForm::kOrigin) return refuse(400, SocksReply::kFailure, "this is a proxy; ask it for http://host/path or CONNECT host:port");
  if (const Status set = set_target(head.host, head.port); !set) return refuse(400, SocksReply::kFailure, set.error().message);
  return begin_request(head);
}

Status Connection::set_target(std::string_view host, std::uint16_t port) {
  auto target = make_target(host, port);
  target_ = target ? std::move(*target) : EgressTarget{printable_host(host), std::nullopt, port};
  return target ? Status() : tl::unexpected(target.error());
}

Connection::Step Connection::begin_request(const HttpHead& head) {
  protocol_ = Protocol::kHttp;
  const HttpRequestView request{head.method, head.path};
  const EgressJudgement judged = judge_target(shared_.rules, target_, &request);
  if (judged.rule == nullptr) return refuse(403, SocksReply::kNotAllowed, judged.reason, judged.needed);
  rule_ = judged.rule;
  to_server_ = forwarded_head(head, authority(target_), shared_.secrets[static_cast<std::size_t>(rule_ - shared_.rules.data())]);
  shared_.budget.spend(to_server_.size());
  body_ = BodyReader(head.body, head.body_bytes);
  up_.body = &body_;
  return look_up();
}

// Port 80 is plain HTTP: a tunnel there is read as such, so that it can do nothing that a request to the proxy could not.
Connection::Step Connection::begin_tunnel(std::string_view host, std::uint16_t port) {
  if (const Status set = set_target(host, port); !set) return refuse(400, SocksReply::kFailure, set.error().message);
  if (target_.port == 80) {
    const EgressJudgement judged = judge_host(shared_.rules, target_);
    if (judged.rule == nullptr) return refuse(403, SocksReply::kNotAllowed, judged.reason, judged.needed);
    inside_tunnel_ = true;
    to_client_ += protocol_ == Protocol::kSocks ? socks_reply(SocksReply::kSucceeded) : "HTTP/1.1 200 Connection established\r\n\r\n";
    phase_ = Phase::kHttp;
    deadline_in(kHeadMs);
    return Step::kOn;
  }
  const EgressJudgement judged = judge_target(shared_.rules, target_, nullptr);
  if (judged.rule == nullptr) return refuse(403, SocksReply::kNotAllowed, judged.reason, judged.needed);
  rule_ = judged.rule;
  sni_ = target_.port == 443 ? Sni::kRequired : Sni::kIfTls;
  return look_up();
}

Connection::Step Connection::look_up() {
  if (shared_.budget.used_up()) return refuse(403, SocksReply::kNotAllowed, "the run's cap of " + std::to_string(shared_.caps.bytes) + " bytes is used up");
  if (target_.literal) {
    const bool special = special_range(*target_.literal) != nullptr;   // then it does not matter whose it is
    return choose({{*target_.literal, special ? Owner::kOther : owner_of(*target_.literal)}}, "");
  }
  const auto known = shared_.names.find(target_.host);
  if (known != shared_.names.end() && shared_.now_ms < known->second.until_ms) return choose(known->second.addresses, "");
  if (!shared_.resolver.ask(id_, target_.host)) return failed(503, SocksReply::kHostUnreachable, "too many names are being looked up");
  phase_ = Phase::kResolving;
  deadline_in(kResolveMs);
  return Step::kWait;
}

void Connection::take(const Resolution& resolution) {
  const auto untold = [](const ResolvedAddress& item) { return item.owner == Owner::kUnknown; };   // of this moment: not kept
  if (!resolution.addresses.empty() && std::none_of(resolution.addresses.begin(), resolution.addresses.end(), untold)) {
    if (shared_.names.size() >= kMaxKnown) shared_.names.clear();
    shared_.names[resolution.host] = {resolution.addresses, shared_.now_ms + kKnownMs};
  }
  if (phase_ == Phase::kResolving) choose(resolution.addresses, resolution.why);
}

// The connection goes to one of the addresses that were judged here, and is never looked up again.
Connection::Step Connection::choose(const std::vector<ResolvedAddress>& addresses, const std::string& why_none) {
  EgressJudgement refused;
  for (const ResolvedAddress& item : addresses) {
    if (addresses_.size() >= kMaxTries) break;
    EgressJudgement judged = judge_address(shared_.rules, *rule_, target_, item.address, item.owner);
    if (judged.rule != nullptr) {
      addresses_.push_back(item.address);
    } else if (refused.reason.empty()) {
      refused = std::move(judged);
    }
  }
  if (addresses.empty()) return failed(502, SocksReply::kHostUnreachable, target_.host + " could not be looked up: " + why_none);
  if (addresses_.empty()) return refuse(403, SocksReply::kNotAllowed, refused.reason, refused.needed);
  std::reverse(addresses_.begin(), addresses_.end());
  return connect_next();
}

Connection::Step Connection::connect_next() {
  while (!addresses_.empty()) {
    const SocketAddress address = to_sockaddr(addresses_.back(), target_.port);
    address_ = to_string(addresses_.back());
    addresses_.pop_back();
    server_ = {};
    server_.fd.reset(::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!server_.fd.valid()) return failed(503, SocksReply::kFailure, "the proxy is out of descriptors");
    const int on = 1;
    (void)::setsockopt(server_.fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    keep_alive(server_.fd.get());
    if (::connect(server_.fd.get(), address.get(), address.length) < 0 && errno != EINPROGRESS) continue;
    epoll_event interest{.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data = {.u64 = id_ << 1 | 1}};
    if (::epoll_ctl(shared_.epoll, EPOLL_CTL_ADD, server_.fd.get(), &interest) < 0) continue;
    phase_ = Phase::kConnecting;
    deadline_in(kConnectMs);
    return Step::kWait;
  }
  return failed(502, SocksReply::kConnectionRefused, target_.host + ":" + std::to_string(target_.port) + " could not be connected to at " + address_);
}

Connection::Step Connection::finish_connect() {
  if (!server_.writable) return Step::kWait;
  int error = 0;
  socklen_t size = sizeof error;
  (void)::getsockopt(server_.fd.get(), SOL_SOCKET, SO_ERROR, &error, &size);
  return error == 0 ? connected() : connect_next();
}

Connection::Step Connection::connected() {
  phase_ = Phase::kRelay;
  deadline_ms_ = 0;
  shared_.expects_soon = true;   // the first bytes of a tunnel's client, or the answer of a server
  if (protocol_ != Protocol::kHttp) return open_tunnel();
  tell_opened();
  return Step::kOn;
}

Connection::Step Connection::open_tunnel() {
  to_client_ += protocol_ == Protocol::kSocks ? socks_reply(SocksReply::kSucceeded) : "HTTP/1.1 200 Connection established\r\n\r\n";
  if (sni_ == Sni::kRequired) {
    deadline_in(kHeadMs);
  } else {
    tell_opened();
  }
  return Step::kOn;
}

void Connection::tell_opened() {
  shared_.reporter.tell(event(EgressEventKind::kOpened));
  opened_ = true;
}

Connection::Step Connection::refuse(int status, SocksReply reply, const std::string& reason, const std::string& needed) {
  EgressEvent told = event(EgressEventKind::kRefused);
  told.reason = reason;
  told.needed = needed;
  shared_.reporter.tell(told);
  return answer_refusal(status, reply, refusal_text(reason, needed));
}

Connection::Step Connection::failed(int status, SocksReply reply, const std::string& reason) {
  EgressEvent told = event(EgressEventKind::kFailed);
  told.reason = reason;
  shared_.reporter.tell(told);
  return answer_refusal(status, reply, refusal_text(reason, ""));
}

Connection::Step Connection::answer_refusal(int status, SocksReply reply, const std::string& text) {
  const bool socks = protocol_ == Protocol::kSocks && !inside_tunnel_;
  to_client_ += socks ? socks_reply(reply) : http_refusal(status, text);
  return begin_drain();
}

}  // namespace wardenv::engine
