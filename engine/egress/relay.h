// SPDX-License-Identifier: Apache-2.0
// Moves bytes between two sockets without keeping any: what the receiver does not take stays in the kernel's buffer of the sender.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/egress/http_head.h"
#include "engine/egress/settings.h"
#include "sandbox/base/unique_fd.h"

namespace wardenv::engine {

// A non-blocking socket and what is known of it. Edge-triggered: true until a call says EAGAIN (epoll(7)).
struct Peer {
  UniqueFd fd;
  bool readable = false;
  bool writable = false;
  bool hung_up = false;   // the other side will send no more; what it has sent may still be there
};

// What all connections of a run may still move.
class Budget {
 public:
  explicit Budget(const EgressCaps& caps);
  void refill(std::uint64_t now_ms);
  void spend(std::uint64_t bytes);
  // Of the next move, in bytes. 0: see used_up(); if it is not, wait for a refill.
  [[nodiscard]] std::uint64_t allowance() const;
  [[nodiscard]] bool used_up() const { return bytes_ != 0 && spent_ >= bytes_; }
  [[nodiscard]] bool limited() const { return rate_ != 0; }

 private:
  std::uint64_t bytes_;
  std::uint64_t rate_;
  std::uint64_t spent_ = 0;
  std::uint64_t tokens_;
  std::uint64_t refilled_ms_ = 0;
};

// Pipes for splice(2), shared by the directions that move much. There are few: an ordinary user may have only so many pages in pipes.
struct Pipe {
  UniqueFd read;
  UniqueFd write;
  std::size_t capacity = 0;
  std::size_t filled = 0;
};
class PipePool {
 public:
  bool take(Pipe& pipe);
  void give_back(Pipe pipe);   // one that is not empty is thrown away

 private:
  std::vector<Pipe> free_;
  std::size_t made_ = 0;
};

enum class PumpEnd {
  kBlocked,   // until one of the peers can go on
  kTurnOver,  // more could be moved; others come first
  kStarved,   // the budget is empty
  kFinished,  // the sender has ended, or its body has, and everything is across
  kBroken,    // an error of a peer, or a malformed body
};

struct Direction {
  std::uint64_t moved = 0;
  bool finished = false;
  BodyReader* body = nullptr;   // not owned; where set, only what belongs to the body is moved
  Pipe pipe;
};

// Moves what can be moved now.
PumpEnd pump(Direction& direction, Peer& from, Peer& to, Budget& budget, PipePool& pipes);

}  // namespace wardenv::engine
