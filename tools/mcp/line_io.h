// SPDX-License-Identifier: Apache-2.0
// Lines in and out of a pipe, bounded on both ways.
#pragma once

#include <functional>
#include <mutex>
#include <string>
#include <string_view>

#include "sandbox/base/unique_fd.h"

namespace wardenv::mcp {

// Cuts bytes into lines. A line that is too long is told once, as `kTooLong`, and skipped to its end.
class LineReader {
 public:
  enum class Line { kWhole, kTooLong };
  using Take = std::function<void(Line, std::string_view)>;

  explicit LineReader(std::size_t limit) : limit_(limit) {}
  void add(std::string_view bytes, const Take& take);

 private:
  const std::size_t limit_;
  std::string partial_;
  bool skipping_ = false;
};

// Writes lines to a descriptor that doesn't block; what it does not take is kept. Thread-safe.
class LineWriter {
 public:
  // `fd` and `wake_fd` (an eventfd that is told when there is something to wait for) are not owned.
  LineWriter(int fd, int wake_fd) : fd_(fd), wake_fd_(wake_fd) {}

  void write(std::string line);
  void flush();                               // as much as goes now
  [[nodiscard]] std::size_t backlog() const;  // bytes that wait
  [[nodiscard]] std::size_t held() const;     // bytes of memory for them
  [[nodiscard]] bool broken() const;          // the other side has closed

 private:
  void write_some();
  void forget_written();
  void wake() const;

  const int fd_;
  const int wake_fd_;
  mutable std::mutex mutex_;
  std::string backlog_;
  std::size_t written_ = 0;   // of the backlog
  bool broken_ = false;
};

}  // namespace wardenv::mcp
