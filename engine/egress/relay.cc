// SPDX-License-Identifier: Apache-2.0
#include "engine/egress/relay.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <utility>

namespace wardenv::engine {
namespace {

constexpr std::size_t kChunk = 128 * 1024;
constexpr std::uint64_t kTurn = 2 << 20;           // bytes, before the next connection's turn
constexpr std::uint64_t kBulk = 1 << 20;           // a direction that has moved as much gets a pipe
constexpr std::size_t kMaxPipes = 16;
constexpr int kPipeBytes = 1 << 20;                // /proc/sys/fs/pipe-max-size of an ordinary user (pipe(7))
constexpr std::uint64_t kUnlimited = ~0ULL;

enum class Moved { kSome, kBlocked, kEnd, kBroken };

// A short read of a sender that has not hung up means that there is no more: the next edge tells of what comes.
void note_short(Peer& from, std::size_t got, std::size_t asked) {
  if (got < asked && !from.hung_up) from.readable = false;
}

Moved blocked_or_broken(bool& flag) {
  if (errno == EINTR) return Moved::kSome;
  if (errno != EAGAIN && errno != EWOULDBLOCK) return Moved::kBroken;
  flag = false;
  return Moved::kBlocked;
}

std::size_t discard(int fd, std::size_t size) {
  const ssize_t gone = ::recv(fd, nullptr, size, MSG_TRUNC | MSG_DONTWAIT);
  return gone < 0 ? 0 : static_cast<std::size_t>(gone);
}

// Looks, sends, and takes away what was sent (tcp(7), MSG_TRUNC).
Moved copy(Direction& direction, Peer& from, Peer& to, std::size_t limit, std::size_t& moved) {
  static thread_local const auto buffer = std::make_unique_for_overwrite<char[]>(kChunk);   // on the heap: threads that copy nothing don't pay
  const std::size_t asked = std::min(limit, kChunk);
  const ssize_t got = ::recv(from.fd.get(), buffer.get(), asked, MSG_PEEK | MSG_DONTWAIT);
  if (got < 0) return blocked_or_broken(from.readable);
  if (got == 0) return Moved::kEnd;
  std::size_t size = static_cast<std::size_t>(got);
  if (direction.body != nullptr) {
    BodyReader ahead = *direction.body;
    size = ahead.read({buffer.get(), size});
    if (ahead.bad()) return Moved::kBroken;
    if (size == 0) return Moved::kEnd;
  }
  const ssize_t sent = ::send(to.fd.get(), buffer.get(), size, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent < 0) return blocked_or_broken(to.writable);
  moved = static_cast<std::size_t>(sent);
  if (direction.body != nullptr) (void)direction.body->read({buffer.get(), moved});
  if (discard(from.fd.get(), moved) != moved) return Moved::kBroken;
  if (moved == static_cast<std::size_t>(got)) note_short(from, moved, asked);
  return Moved::kSome;
}

Moved fill(Pipe& pipe, Peer& from, std::size_t limit) {
  const std::size_t asked = std::min(limit, pipe.capacity);
  const ssize_t got = ::splice(from.fd.get(), nullptr, pipe.write.get(), nullptr, asked, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
  if (got < 0) return blocked_or_broken(from.readable);
  if (got == 0) return Moved::kEnd;
  pipe.filled = static_cast<std::size_t>(got);
  return Moved::kSome;
}

Moved splice_through(Direction& direction, Peer& from, Peer& to, std::size_t limit, std::size_t& moved) {
  Pipe& pipe = direction.pipe;
  if (pipe.filled == 0) {
    if (const Moved filled = fill(pipe, from, limit); filled != Moved::kSome || pipe.filled == 0) return filled;
  }
  const ssize_t sent = ::splice(pipe.read.get(), nullptr, to.fd.get(), nullptr, pipe.filled, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
  if (sent < 0) return blocked_or_broken(to.writable);
  moved = static_cast<std::size_t>(sent);
  pipe.filled -= moved;
  return Moved::kSome;
}

void return_pipe(Direction& direction, PipePool& pipes) {
  if (direction.pipe.capacity != 0 && direction.pipe.filled == 0) pipes.give_back(std::exchange(direction.pipe, {}));
}

}  // namespace

Budget::Budget(const EgressCaps& caps) : bytes_(caps.bytes), rate_(caps.bytes_per_second), tokens_(caps.bytes_per_second / 10 + 1) {}

void Budget::refill(std::uint64_t now_ms) {
  if (rate_ == 0 || now_ms <= refilled_ms_) return;
  const std::uint64_t passed = refilled_ms_ == 0 ? 1000 : std::min<std::uint64_t>(now_ms - refilled_ms_, 1000);
  const std::uint64_t more = rate_ * passed / 1000;
  if (more == 0) return;   // a slow rate: the time that has passed is kept
  refilled_ms_ = now_ms;
  tokens_ = std::min(tokens_ + more, rate_ / 10 + 1);   // never more than a tenth of a second's worth at once
}

void Budget::spend(std::uint64_t bytes) {
  spent_ += bytes;
  if (rate_ != 0) tokens_ -= std::min(tokens_, bytes);
}

std::uint64_t Budget::allowance() const {
  const std::uint64_t left = bytes_ == 0 ? kUnlimited : bytes_ - std::min(bytes_, spent_);
  return rate_ == 0 ? left : std::min(left, tokens_);
}

bool PipePool::take(Pipe& pipe) {
  if (!free_.empty()) {
    pipe = std::move(free_.back());
    free_.pop_back();
    return true;
  }
  int ends[2];
  if (made_ >= kMaxPipes || ::pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0) return false;
  ++made_;
  pipe.read.reset(ends[0]);
  pipe.write.reset(ends[1]);
  int capacity = ::fcntl(ends[1], F_SETPIPE_SZ, kPipeBytes);
  if (capacity < 0) capacity = ::fcntl(ends[1], F_GETPIPE_SZ);
  pipe.capacity = capacity > 0 ? static_cast<std::size_t>(capacity) : 64 * 1024;
  pipe.filled = 0;
  return true;
}

void PipePool::give_back(Pipe pipe) {
  if (pipe.filled == 0) return free_.push_back(std::move(pipe));
  --made_;
}

PumpEnd pump(Direction& direction, Peer& from, Peer& to, Budget& budget, PipePool& pipes) {
  std::uint64_t turn = 0;
  while (!direction.finished && to.writable && (from.readable || direction.pipe.filled > 0)) {
    if (direction.body != nullptr && direction.body->done()) {
      direction.finished = true;
      break;
    }
    const std::uint64_t allowance = budget.allowance();
    if (allowance == 0 && direction.pipe.filled == 0) return PumpEnd::kStarved;
    if (turn >= kTurn) return PumpEnd::kTurnOver;
    if (direction.body == nullptr && direction.pipe.capacity == 0 && direction.moved >= kBulk) (void)pipes.take(direction.pipe);
    const auto limit = static_cast<std::size_t>(std::min<std::uint64_t>(allowance, kTurn));
    const bool by_pipe = direction.pipe.capacity != 0;
    std::size_t moved = 0;
    const Moved what = by_pipe ? splice_through(direction, from, to, limit, moved) : copy(direction, from, to, limit, moved);
    direction.moved += moved;
    turn += moved;
    budget.spend(moved);
    if (what == Moved::kBroken) return PumpEnd::kBroken;
    if (what == Moved::kEnd) direction.finished = true;
  }
  if (direction.body != nullptr && direction.body->done()) direction.finished = true;
  if (direction.finished || !from.readable) return_pipe(direction, pipes);
  return direction.finished ? PumpEnd::kFinished : PumpEnd::kBlocked;
}

}  // namespace wardenv::engine
