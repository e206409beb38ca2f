// SPDX-License-Identifier: Apache-2.0
// Input: the descriptor that a command gets as its standard input, and what feeds it.
#include "engine/input.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <cerrno>

namespace wardenv::engine {
namespace {

// A sealed file in memory: the command can't grow it, and nobody else has it.
Result<UniqueFd> text_input(std::string_view text) {
  UniqueFd file = above_stdio(UniqueFd(::memfd_create("stdin", MFD_CLOEXEC | MFD_ALLOW_SEALING)));
  if (!file.valid()) return fail_errno(ErrorCode::kHost, "memfd_create");
  while (!text.empty()) {
    const ssize_t put = ::write(file.get(), text.data(), text.size());
    if (put <= 0) return fail_errno(ErrorCode::kHost, "cannot write the standard input");
    text.remove_prefix(static_cast<std::size_t>(put));
  }
  if (::lseek(file.get(), 0, SEEK_SET) < 0) return fail_errno(ErrorCode::kHost, "lseek");
  if (::fcntl(file.get(), F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0) return fail_errno(ErrorCode::kHost, "F_ADD_SEALS");
  return file;
}

Result<UniqueFd> no_input() {
  UniqueFd null = above_stdio(UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC)));
  if (!null.valid()) return fail_errno(ErrorCode::kHost, "cannot open /dev/null", "make it: mknod -m 666 /dev/null c 1 3");
  return null;
}

Status refuse(std::string what) {
  return fail(ErrorCode::kBadInput, "standard input " + what, "give it a file, a pipe or a terminal to read from, or leave --stdin inherit away");
}

// One that was closed is held by an O_PATH descriptor (sandbox/base/standard_fds.h).
Status check(int flags, const struct stat& status) {
  if (flags < 0 || (flags & O_PATH) != 0) return refuse("is closed");
  if ((flags & O_ACCMODE) == O_WRONLY) return refuse("is not open for reading");
  if (S_ISDIR(status.st_mode)) return refuse("is a folder");
  return {};
}

// Not a FIFO with a name: to who opens that without waiting once its writers are gone, poll(2) does not tell of its end.
bool is_pipe() {
  struct statfs system {};
  return ::fstatfs(STDIN_FILENO, &system) == 0 && system.f_type == PIPEFS_MAGIC;
}

// Others may read from the same pipe, and what poll(2) saw may be theirs a moment later. The flags of the caller's descriptor are shared
// with them, so not to wait needs a descriptor of our own; where the pipe is somebody else's, there is none to be had.
UniqueFd make_reader() {
  UniqueFd own;
  if (is_pipe()) own = UniqueFd(::open("/proc/self/fd/0", O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  if (!own.valid()) own = UniqueFd(::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
  return above_stdio(std::move(own));
}

}  // namespace

Result<InputRelay> InputRelay::open() {
  struct stat status {};
  const int flags = ::fstat(STDIN_FILENO, &status) < 0 ? -1 : ::fcntl(STDIN_FILENO, F_GETFL);
  WARDENV_TRY(check(flags, status));
  InputRelay relay;
  relay.source_ = make_reader();
  relay.is_socket_ = S_ISSOCK(status.st_mode);
  int ends[2];
  if (!relay.source_.valid() || ::pipe2(ends, O_CLOEXEC) < 0) return fail_errno(ErrorCode::kHost, "pipe");
  relay.write_end_ = UniqueFd(ends[1]);
  relay.read_end_ = above_stdio(UniqueFd(ends[0]));
  relay.write_end_ = above_stdio(std::move(relay.write_end_));
  if (!relay.read_end_.valid() || !relay.write_end_.valid() || ::fcntl(relay.write_end_.get(), F_SETFL, O_NONBLOCK) < 0) return fail_errno(ErrorCode::kHost, "pipe");
  relay.buffer_ = std::make_unique_for_overwrite<char[]>(kChunk);
  return relay;
}

bool InputRelay::pass_on() {
  if (held_.empty() && !take()) return false;
  if (!held_.empty()) give();
  return true;
}

bool InputRelay::take() {
  const ssize_t got = is_socket_ ? ::recv(source_.get(), buffer_.get(), kChunk, MSG_DONTWAIT) : ::read(source_.get(), buffer_.get(), kChunk);
  if (got < 0) return errno == EINTR || errno == EAGAIN;
  held_ = {buffer_.get(), static_cast<std::size_t>(got)};
  if (got > 0) return true;
  source_.reset();
  write_end_.reset();   // the command reads the end of it
  return true;
}

void InputRelay::give() {
  const ssize_t put = ::write(write_end_.get(), held_.data(), held_.size());
  if (put > 0) held_.remove_prefix(static_cast<std::size_t>(put));
}

Result<Input> make_input(const RunRequest& request) {
  if (request.stdin_mode == StdinMode::kInherit) {
    auto relay = InputRelay::open();
    if (!relay) return tl::unexpected(relay.error());
    return Input{{}, std::move(*relay)};
  }
  auto file = request.stdin_mode == StdinMode::kText ? text_input(request.stdin_text) : no_input();
  if (!file) return tl::unexpected(file.error());
  return Input{std::move(*file), {}};
}

}  // namespace wardenv::engine
