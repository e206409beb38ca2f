// SPDX-License-Identifier: Apache-2.0
// What a tunnel begins with. To port 443 it must be TLS for the allowed name; elsewhere the server may speak first, and what looks like TLS is held
// to the same. A server may ask for a second ClientHello, which a client could give another name: that is looked at too.
#include <sys/socket.h>

#include <array>
#include <cerrno>

#include "engine/egress/connection.h"

namespace wardenv::engine {
namespace {

// RFC 8446, 6: a fatal alert unrecognized_name, so that the client's library says something about the name.
constexpr char kAlert[] = {21, 3, 3, 0, 2, 2, 112};
constexpr std::size_t kAnswerBytes = 256;   // to look at

}  // namespace

void Connection::check_tls() {
  if (sni_ == Sni::kIfTls || sni_ == Sni::kRequired) check_first_bytes();
  if (sni_ == Sni::kAnswer && phase_ == Phase::kRelay) check_answer();
  if (sni_ == Sni::kSecond && phase_ == Phase::kRelay && body_.done()) check_second();
}

void Connection::check_first_bytes() {
  const std::string_view bytes = peek();
  if (bytes.empty()) return;
  if (sni_ == Sni::kIfTls && bytes[0] != 22) return let_all_pass();
  const ClientHello hello = read_client_hello(bytes);
  if (hello.state == HelloState::kMore) {
    client_.readable = client_.hung_up;
    if (client_.hung_up) close_now();
    return;
  }
  if (!check_hello(hello)) return;
  sni_ = Sni::kAnswer;
  let_pass(hello.size);
  deadline_ms_ = 0;
  if (!opened_) tell_opened();
}

// What the server says is left where it is.
void Connection::check_answer() {
  if (!server_.readable) return;
  std::array<char, kAnswerBytes> buffer;
  const ssize_t got = ::recv(server_.fd.get(), buffer.data(), buffer.size(), MSG_PEEK | MSG_DONTWAIT);
  if (got < 0 && errno == EINTR) return;
  if (got < 0 && errno == EAGAIN) {
    server_.readable = false;
    return;
  }
  const ServerAnswer answer = got > 0 ? read_server_answer({buffer.data(), static_cast<std::size_t>(got)}) : ServerAnswer::kOther;
  if (answer == ServerAnswer::kRetry) {
    sni_ = Sni::kSecond;
  } else if (answer == ServerAnswer::kOther || server_.hung_up || static_cast<std::size_t>(got) == buffer.size()) {
    let_all_pass();
  } else {
    server_.readable = false;   // what is there has been seen; the rest will be told of
  }
}

// Before it there may be a ChangeCipherSpec for the sake of middleboxes (RFC 8446, D.4), or an alert. They wait with it.
void Connection::check_second() {
  const std::string_view bytes = peek();
  if (bytes.empty()) return;
  std::string_view rest = bytes;
  while (const std::size_t small = small_record(rest)) rest.remove_prefix(small);
  const bool cut = rest.empty() || ((rest[0] == 20 || rest[0] == 21) && rest.size() < 7);
  const ClientHello hello = cut ? ClientHello{} : read_client_hello(rest);
  if (hello.state != HelloState::kMore) {
    if (check_hello(hello)) let_all_pass();
    return;
  }
  client_.readable = client_.hung_up;
  if (client_.hung_up) close_now();
}

void Connection::let_pass(std::uint64_t bytes) {
  body_ = BodyReader(BodyKind::kLength, bytes);
  up_.body = &body_;
}

void Connection::let_all_pass() {
  sni_ = Sni::kNotChecked;
  up_.body = nullptr;
}

// An address has no server name (RFC 6066, 3); a name must be asked for by the very name that the rule allowed.
bool Connection::check_hello(const ClientHello& hello) {
  const auto refused = [this](const std::string& reason) { return refuse_tls(reason), false; };
  if (hello.state == HelloState::kBad) return refused(std::string(hello.why) + " in a tunnel to " + target_.host);
  if (target_.literal && !hello.server_name.empty()) return refused("TLS asks for a name, and the tunnel leads to an address");
  if (target_.literal) return true;
  if (hello.server_name.empty()) return refused("TLS does not say which name it asks for (no SNI)");
  const auto name = normalise_host(hello.server_name);
  return (name && *name == target_.host) || refused("TLS asks for another name than " + target_.host + ", which the tunnel leads to");
}

Connection::Step Connection::refuse_tls(const std::string& reason) {
  EgressEvent told = event(EgressEventKind::kRefused);
  told.reason = reason;
  shared_.reporter.tell(told);
  to_client_.append(kAlert, sizeof kAlert);
  return begin_drain();
}

}  // namespace wardenv::engine
