// SPDX-License-Identifier: Apache-2.0
// LineReader: the lines of a log file.
#include "engine/audit/line_reader.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace wardenv::engine::audit {
namespace {

constexpr std::size_t kFirstBytes = 1U << 12;              // who appends reads a line or two, and touching memory costs more than reading
constexpr std::size_t kUsualBytes = 1U << 16;              // who reads on gets more with each read, up to this
constexpr std::size_t kBufferBytes = 2 * kMaxLineBytes;   // room for the longest line and more

}  // namespace

LineReader::LineReader(int fd, std::uint64_t offset, std::uint64_t end) : fd_(fd), end_(end), offset_(offset), read_at_(offset), buffer_(kFirstBytes, '\0') {}

// Reads more; kLine: there is more now.
LineReader::Next LineReader::fill() {
  if (filled_ - begin_ >= kMaxLineBytes) return Next::kLong;
  if (begin_ > 0) std::memmove(buffer_.data(), buffer_.data() + begin_, filled_ - begin_);
  searched_ -= begin_;
  filled_ -= begin_;
  begin_ = 0;
  if (filled_ == buffer_.size() || (number_ > 0 && buffer_.size() < kUsualBytes)) buffer_.resize(std::min(2 * buffer_.size(), kBufferBytes));
  const std::uint64_t left = end_ - std::min(end_, read_at_);
  const std::size_t room = std::min<std::uint64_t>(buffer_.size() - filled_, left);
  ssize_t got = 0;
  do {
    got = ::pread(fd_, buffer_.data() + filled_, room, static_cast<off_t>(read_at_));
  } while (got < 0 && errno == EINTR);
  if (got < 0) return Next::kError;
  if (got == 0) return filled_ == 0 ? Next::kEnd : Next::kTorn;
  filled_ += static_cast<std::size_t>(got);
  read_at_ += static_cast<std::uint64_t>(got);
  return Next::kLine;
}

LineReader::Next LineReader::next(std::string_view& line) {
  for (;;) {
    const void* found = searched_ < filled_ ? std::memchr(buffer_.data() + searched_, '\n', filled_ - searched_) : nullptr;
    if (found != nullptr) {
      const auto end = static_cast<std::size_t>(static_cast<const char*>(found) - buffer_.data());
      line = std::string_view(buffer_).substr(begin_, end - begin_);
      offset_ += line.size() + 1;
      begin_ = searched_ = end + 1;
      ++number_;
      return line.size() < kMaxLineBytes ? Next::kLine : Next::kLong;
    }
    searched_ = filled_;
    if (const Next more = fill(); more != Next::kLine) {
      line = std::string_view(buffer_).substr(begin_, filled_ - begin_);
      return more;
    }
  }
}

}  // namespace wardenv::engine::audit
