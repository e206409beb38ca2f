// SPDX-License-Identifier: Apache-2.0
// Passes the command's output on.
#include "tools/wardenv/relay.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "tools/options/text.h"
#include "tools/options/unicode.h"

namespace wardenv::cli {
namespace {

// The capture's own split: head is the larger half.
std::uint64_t head_of(std::uint64_t limit) { return limit - limit / 2; }

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
  write_all(tools::visible(begun_));
}

void Relay::put(std::string_view text) {
  if (!terminal_) return write_all(text);
  begun_ += text;
  const std::size_t whole = tools::whole_characters(begun_);
  write_all(tools::visible(std::string_view(begun_).substr(0, whole)));
  begun_.erase(0, whole);
}

void Relay::write_all(std::string_view text) {
  while (!text.empty() && error_ == 0) {
    const ssize_t done = ::write(fd_, text.data(), text.size());
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) error_ = errno;
    else text.remove_prefix(static_cast<std::size_t>(done));
  }
}

}  // namespace wardenv::cli
