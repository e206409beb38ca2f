// SPDX-License-Identifier: Apache-2.0
// Passes the command's output on to ours while it runs.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "engine/engine.h"

namespace wardenv::cli {

// One stream. The first half of the limit goes out at once; what comes later is kept by the report, whose tail finish() prints.
class Relay {
 public:
  Relay(int fd, std::uint64_t limit_bytes);
  void write(std::string_view chunk);
  void finish(const engine::CapturedStream& stream);
  [[nodiscard]] bool broken() const { return error_ != 0; }  // nothing more can be passed on
  [[nodiscard]] int error() const { return error_; }         // why: EPIPE where nobody reads us any more; 0: not broken

 private:
  void put(std::string_view text);
  void write_all(std::string_view text);

  int fd_;
  bool terminal_;            // then control and unseen characters are made visible: output must not drive the operator's terminal
  std::string begun_{};      // of a character whose other bytes are still to come
  std::uint64_t head_left_;
  std::uint64_t head_;
  int error_ = 0;
};

}  // namespace wardenv::cli
