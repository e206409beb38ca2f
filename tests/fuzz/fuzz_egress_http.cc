// SPDX-License-Identifier: Apache-2.0
// CONNECT, absolute and origin form, and chunked bodies: what is let through goes on as one request that reads the same again.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "engine/egress/http_head.h"
#include "engine/egress/rules.h"

using namespace wardenv::engine;

namespace {

void check_forwarded(const HttpHead& head) {
  const auto target = make_target(head.host, head.port);
  if (!target || head.form == HttpForm::kConnect) return;
  const std::string text = forwarded_head(head, target->literal && target->literal->length == 16 ? "[" + target->host + "]:" + std::to_string(target->port)
                                                                                                 : target->host + ":" + std::to_string(target->port), {{"X-Added", "1"}});
  const HttpHead again = read_http_head(text + "rest");
  if (text.size() >= kMaxHeadBytes) return;   // what we add may have made it too long
  const bool same = again.state == HeadState::kDone && again.size == text.size() && again.method == head.method && again.path == head.path &&
                    again.host == target->host && again.port == target->port && again.body == head.body && again.body_bytes == head.body_bytes;
  if (!same && again.why != std::string("too many headers")) std::abort();
}

void check_body(std::string_view bytes) {
  BodyReader whole(BodyKind::kChunked, 0);
  const std::size_t size = whole.read(bytes);
  BodyReader pieces(BodyKind::kChunked, 0);
  std::size_t at = 0;
  while (at < bytes.size() && !pieces.done() && !pieces.bad()) at += pieces.read(bytes.substr(at, 1));
  if (at != size || whole.done() != pieces.done() || whole.bad() != pieces.bad()) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  const HttpHead head = read_http_head(bytes);
  if (head.state == HeadState::kDone && head.size <= size) check_forwarded(head);
  if (head.size > size) std::abort();
  check_body(bytes);
  return 0;
}
