// SPDX-License-Identifier: Apache-2.0
// What a command reads: nothing, a text, or our own standard input, passed on.
#pragma once

#include <poll.h>

#include <memory>
#include <optional>
#include <string_view>

#include "engine/engine.h"
#include "sandbox/base/unique_fd.h"

namespace wardenv::engine {

// Passes our standard input on, byte by byte and one way. The command gets the read end of a pipe of ours, never the descriptor: a
// terminal could be written to and set by it, a folder leads out of the sandbox, a file's owner may change its mode and attributes.
// Memory: kChunk, whatever comes; up to that and a full pipe are read ahead of the command.
class InputRelay {
 public:
  static constexpr std::size_t kChunk = 64 * 1024;

  // Refuses a standard input that is closed, not open for reading, or a folder.
  static Result<InputRelay> open();

  // To be the command's standard input. We keep it, too: so writing never finds the pipe without a reader (SIGPIPE).
  [[nodiscard]] int read_end() const { return read_end_.get(); }

  // What to wait for: never both, and neither once all is passed on.
  [[nodiscard]] pollfd source() const { return {held_.empty() ? source_.get() : -1, POLLIN, 0}; }
  [[nodiscard]] pollfd sink() const { return {held_.empty() ? -1 : write_end_.get(), POLLOUT, 0}; }

  // Does what there is to do without waiting. False, with errno, where the input can't be read any further though it has not ended.
  [[nodiscard]] bool pass_on();

 private:
  bool take();   // false: an error
  void give();

  UniqueFd source_;                       // invalid once it has ended
  bool is_socket_ = false;
  UniqueFd read_end_;
  UniqueFd write_end_;                    // invalid once all is written
  std::unique_ptr<char[]> buffer_;
  std::string_view held_;                 // what the pipe has not taken yet
};

struct Input {
  UniqueFd file;                          // invalid where there is a relay
  std::optional<InputRelay> relay;

  [[nodiscard]] int fd() const { return relay ? relay->read_end() : file.get(); }
};

Result<Input> make_input(const RunRequest& request);

}  // namespace wardenv::engine
