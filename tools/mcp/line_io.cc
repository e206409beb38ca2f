// SPDX-License-Identifier: Apache-2.0
#include "tools/mcp/line_io.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace wardenv::mcp {
namespace {

constexpr std::size_t kKeptBytes = 65536;   // of what was written already

}  // namespace

void LineReader::add(std::string_view bytes, const Take& take) {
  while (!bytes.empty()) {
    const std::size_t end = bytes.find('\n');
    const std::string_view piece = bytes.substr(0, end);
    bytes.remove_prefix(end == std::string_view::npos ? bytes.size() : end + 1);
    if (!skipping_ && partial_.size() + piece.size() > limit_) {
      skipping_ = true;
      partial_ = std::string();
      take(Line::kTooLong, {});
    }
    if (end == std::string_view::npos) {
      if (!skipping_) partial_.append(piece);
      return;
    }
    if (!skipping_ && partial_.empty()) {
      take(Line::kWhole, piece);
    } else if (!skipping_) {
      partial_.append(piece);
      take(Line::kWhole, std::exchange(partial_, {}));
    }
    skipping_ = false;
  }
}

void LineWriter::wake() const { eventfd_write(wake_fd_, 1); }

void LineWriter::write(std::string line) {
  line += '\n';
  std::lock_guard lock(mutex_);
  if (broken_) return;
  const bool waiting = !backlog_.empty();
  if (waiting) {
    backlog_ += line;
    return;
  }
  backlog_ = std::move(line);
  write_some();
  if (broken_ || !backlog_.empty()) wake();
}

void LineWriter::flush() {
  std::lock_guard lock(mutex_);
  if (!broken_) write_some();
}

void LineWriter::write_some() {
  while (written_ < backlog_.size()) {
    const ssize_t count = ::write(fd_, backlog_.data() + written_, backlog_.size() - written_);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      broken_ = errno != EAGAIN && errno != EWOULDBLOCK;
      if (broken_) backlog_ = {};
      break;
    }
    written_ += static_cast<std::size_t>(count);
  }
  forget_written();
}

// Also of a reader that is always a little behind; each byte is moved once at most for each that was taken.
void LineWriter::forget_written() {
  const bool all = written_ >= backlog_.size();
  if (!all && (written_ <= kKeptBytes || written_ <= backlog_.size() / 2)) return;
  backlog_.erase(0, written_);
  written_ = 0;
  if (backlog_.capacity() > kKeptBytes && backlog_.size() < backlog_.capacity() / 4) backlog_.shrink_to_fit();
}

std::size_t LineWriter::backlog() const {
  std::lock_guard lock(mutex_);
  return backlog_.size() - written_;
}

std::size_t LineWriter::held() const {
  std::lock_guard lock(mutex_);
  return backlog_.capacity();
}

bool LineWriter::broken() const {
  std::lock_guard lock(mutex_);
  return broken_;
}

}  // namespace wardenv::mcp
