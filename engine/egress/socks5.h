// SPDX-License-Identifier: Apache-2.0
// SOCKS5 (RFC 1928), server side: no authentication, CONNECT only. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace wardenv::engine {

enum class SocksState { kMore, kDone, kBad };

// The reply codes of RFC 1928, 6 that we use.
enum class SocksReply : std::uint8_t {
  kSucceeded = 0,
  kFailure = 1,
  kNotAllowed = 2,
  kHostUnreachable = 4,
  kConnectionRefused = 5,
  kCommandNotSupported = 7,
  kAddressNotSupported = 8,
};

struct SocksGreeting {
  SocksState state = SocksState::kMore;
  std::size_t size = 0;   // kDone: bytes of the message
};

// kBad: not version 5, or no method "no authentication" among those offered.
SocksGreeting read_socks_greeting(std::string_view bytes);

struct SocksRequest {
  SocksState state = SocksState::kMore;
  std::size_t size = 0;
  std::string host{};     // a name as it was sent, or an address as text
  std::uint16_t port = 0;
  SocksReply reply = SocksReply::kFailure;   // kBad: what is answered
};
SocksRequest read_socks_request(std::string_view bytes);

std::string socks_method_reply(SocksState state);
std::string socks_reply(SocksReply reply);   // with the bound address 0.0.0.0:0

}  // namespace wardenv::engine
