// SPDX-License-Identifier: Apache-2.0
// Passes the command's output on.
#include "tools/wardenv/relay.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

namespace wardenv::cli {
namespace {

// The capture's own split: head is the larger half.
std::uint64_t head_of(std::uint64_t limit) { return limit - limit / 2; }

bool plain(unsigned char c) { return (c >= 0x20 && c < 0x7f) || c == '\n' || c == '\t' || c == '\r' || c >= 0xa0; }

}  // namespace

Relay::Relay(int fd, std::uint64_t limit_bytes)
    : fd_(fd), terminal_(::isatty(fd) != 0), head_left_(head_of(limit_bytes)), head_(head_of(limit_bytes)) {}

void Relay::write(std::string_view chunk) {
  const std::size_t now = static_cast<std::size_t>(std::min<std::uint64_t>(chunk.size(), head_left_));
  head_left_ -= now;
  put(chunk.substr(0, now));
}

void Relay::finish(const engine::CapturedStream& stream) {
  if (stream.text.size() > head_) put(std::string_view(stream.text).substr(static_cast<std::size_t>(head_)));
}

void Relay::put(std::string_view text) {
  std::string shown;
  if (terminal_) text = shown = visible(text);
  while (!text.empty() && error_ == 0) {
    const ssize_t done = ::write(fd_, text.data(), text.size());
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) error_ = errno;
    else text.remove_prefix(static_cast<std::size_t>(done));
  }
}

// Bytes 0x80-0x9f are C1 controls where a terminal takes single bytes, and continuation bytes in UTF-8. After a lead byte they pass,
// but for U+0080 to U+009F (0xc2 0x80-0x9f), which are the same controls in UTF-8.
std::string visible(std::string_view text) {
  std::string shown;
  shown.reserve(text.size());
  std::size_t continuation = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    const bool continues = continuation > 0 && c >= 0x80 && c < 0xc0;
    const bool c1 = c == 0xc2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xa0;
    continuation = continues ? continuation - 1 : c >= 0xf0 ? 3U : c >= 0xe0 ? 2U : c >= 0xc2 ? 1U : 0U;
    if ((continues || (plain(c) && (c < 0x80 || c >= 0xc2))) && !c1) {
      shown += text[i];
      continue;
    }
    if (c1) continuation = 0;
    char escaped[8];
    std::snprintf(escaped, sizeof escaped, c < 0x20 ? "^%c" : "\\x%02x", c < 0x20 ? c + 0x40 : c);
    shown += escaped;
  }
  return shown;
}

}  // namespace wardenv::cli
