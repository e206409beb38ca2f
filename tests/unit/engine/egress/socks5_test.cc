// SPDX-License-Identifier: Apache-2.0
// SOCKS5 messages.
#include "engine/egress/socks5.h"

#include "tests/support/catch.h"

using namespace wardenv::engine;

namespace {
std::string bytes(std::initializer_list<int> values) {
  std::string text;
  for (int value : values) text += static_cast<char>(value);
  return text;
}
}  // namespace

TEST_CASE("a greeting must offer no authentication") {
  CHECK(read_socks_greeting(bytes({5, 1, 0})).state == SocksState::kDone);
  CHECK(read_socks_greeting(bytes({5, 2, 2, 0, 9})).size == 4);
  CHECK(read_socks_greeting(bytes({5, 1, 2})).state == SocksState::kBad);
  CHECK(read_socks_greeting(bytes({5, 0})).state == SocksState::kBad);
  CHECK(read_socks_greeting(bytes({4, 1, 0})).state == SocksState::kBad);
  CHECK(read_socks_greeting("").state == SocksState::kMore);
  CHECK(read_socks_greeting(bytes({5, 3, 0})).state == SocksState::kMore);
}

TEST_CASE("a request names a host or an address") {
  const std::string name = bytes({5, 1, 0, 3, 9}) + "a.example" + bytes({1, 0xbb});
  const SocksRequest request = read_socks_request(name + "rest");
  CHECK(request.state == SocksState::kDone);
  CHECK(request.host == "a.example");
  CHECK(request.port == 443);
  CHECK(request.size == name.size());
  for (std::size_t i = 0; i < name.size(); ++i) CHECK(read_socks_request(name.substr(0, i)).state == SocksState::kMore);
  CHECK(read_socks_request(bytes({5, 1, 0, 1, 10, 1, 2, 3, 0, 80})).host == "10.1.2.3");
  CHECK(read_socks_request(bytes({5, 1, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 80})).host == "::1");
}

TEST_CASE("other commands and kinds of address are refused by their code") {
  CHECK(read_socks_request(bytes({5, 2, 0, 1, 1, 2, 3, 4, 0, 80})).reply == SocksReply::kCommandNotSupported);
  CHECK(read_socks_request(bytes({5, 3, 0, 1, 1, 2, 3, 4, 0, 80})).reply == SocksReply::kCommandNotSupported);
  CHECK(read_socks_request(bytes({5, 1, 0, 2, 1, 2, 3, 4, 0, 80})).reply == SocksReply::kAddressNotSupported);
  CHECK(read_socks_request(bytes({4, 1, 0, 1, 1})).state == SocksState::kBad);
  CHECK(read_socks_request(bytes({5, 1, 7, 1, 1})).state == SocksState::kBad);
  CHECK(read_socks_request(bytes({5, 1, 0, 3, 0})).state == SocksState::kBad);
  CHECK(socks_reply(SocksReply::kNotAllowed) == bytes({5, 2, 0, 1, 0, 0, 0, 0, 0, 0}));
  CHECK(socks_method_reply(SocksState::kBad) == bytes({5, 0xff}));
}
