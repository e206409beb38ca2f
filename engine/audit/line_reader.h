// SPDX-License-Identifier: Apache-2.0
// LineReader: the lines of a log file, one by one, in bounded memory.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "engine/audit/line.h"

namespace wardenv::engine::audit {

class LineReader {
 public:
  // Reads from `offset` of the file on; never past `end` bytes of it. `fd` is not owned.
  explicit LineReader(int fd, std::uint64_t offset = 0, std::uint64_t end = UINT64_MAX);

  enum class Next {
    kLine,   // `line` is the next one, without its newline; valid until the next call
    kEnd,    // the end, after a whole line
    kTorn,   // the end, after `line`, which has no newline
    kLong,   // a line longer than kMaxLineBytes begins here
    kError,  // errno says
  };
  Next next(std::string_view& line);

  [[nodiscard]] std::uint64_t offset() const { return offset_; }  // where the line that comes next begins
  [[nodiscard]] std::uint64_t number() const { return number_; }  // of the line that came last, counted from 1 where reading began

 private:
  Next fill();

  int fd_;
  std::uint64_t end_;
  std::uint64_t offset_;
  std::uint64_t read_at_;
  std::uint64_t number_ = 0;
  std::string buffer_;
  std::size_t begin_ = 0;    // of what is not handed out yet
  std::size_t filled_ = 0;
  std::size_t searched_ = 0; // no newline between begin_ and here
};

}  // namespace wardenv::engine::audit
