// SPDX-License-Identifier: Apache-2.0
// A ClientHello: read to the end of any bytes; what is refused or accepted early stays so whatever follows. The same of a server's answer.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "engine/egress/client_hello.h"

using namespace wardenv::engine;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  const ClientHello whole = read_client_hello(bytes);
  const ClientHello half = read_client_hello(std::string_view(bytes).substr(0, size / 2));
  if (half.state == HelloState::kDone && (whole.state != HelloState::kDone || whole.server_name != half.server_name)) std::abort();
  if (half.state == HelloState::kBad && whole.state != HelloState::kBad) std::abort();
  if (size > 2 * kMaxHelloBytes && whole.state == HelloState::kMore) std::abort();
  const ServerAnswer early = read_server_answer(std::string_view(bytes).substr(0, size / 2));
  if (early != ServerAnswer::kMore && early != read_server_answer(bytes)) std::abort();
  if (whole.state == HelloState::kDone && (whole.size == 0 || whole.size > size)) std::abort();
  return 0;
}
