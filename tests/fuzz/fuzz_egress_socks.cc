// SPDX-License-Identifier: Apache-2.0
// SOCKS5 greeting and request.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "engine/egress/rules.h"
#include "engine/egress/socks5.h"

using namespace wardenv::engine;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  const SocksGreeting greeting = read_socks_greeting(bytes);
  if (greeting.state == SocksState::kDone && greeting.size > size) std::abort();
  const SocksRequest request = read_socks_request(bytes);
  if (request.state != SocksState::kDone) return 0;
  if (request.size > size || request.host.empty()) std::abort();
  (void)make_target(request.host, request.port);
  return 0;
}
