// SPDX-License-Identifier: Apache-2.0
// The name that a TLS client asks for, out of its first bytes. Pure.
#pragma once

#include <string>
#include <string_view>

namespace wardenv::engine {

// A ClientHello that is longer than this, or spread over more bytes of records, is refused. With post-quantum keys one has about 2 KiB.
inline constexpr std::size_t kMaxHelloBytes = 20 * 1024;

enum class HelloState { kMore, kDone, kBad };

struct ClientHello {
  HelloState state = HelloState::kMore;
  std::string server_name{};   // kDone: as it was sent; empty where there is no server_name extension
  const char* why = "";        // kBad
};

// `bytes`: all that the client has sent so far. kBad: not TLS, malformed, too long, or with Encrypted Client Hello, which hides the name
// that is meant (RFC 8446, 4.1.2 and 5.1; RFC 6066, 3; RFC 9849).
ClientHello read_client_hello(std::string_view bytes);

}  // namespace wardenv::engine
