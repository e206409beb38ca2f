// SPDX-License-Identifier: Apache-2.0
// The name that a TLS client asks for, out of its first bytes, and whether the server asks it to say that again. Pure.
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
  std::size_t size = 0;        // kDone: bytes of its records, which hold nothing else
};

// `bytes`: all that the client has sent so far. kBad: not TLS, malformed, too long, or with Encrypted Client Hello, which hides the name
// that is meant (RFC 8446, 4.1.2 and 5.1; RFC 6066, 3; RFC 9849).
ClientHello read_client_hello(std::string_view bytes);

// What a server's first bytes are: a HelloRetryRequest (RFC 8446, 4.1.4), after which the client says its ClientHello, with its name, again.
enum class ServerAnswer { kMore, kRetry, kOther };
ServerAnswer read_server_answer(std::string_view bytes);

// Bytes of an alert or ChangeCipherSpec record at the beginning; 0: there is none, or it is not whole.
std::size_t small_record(std::string_view bytes);

}  // namespace wardenv::engine
