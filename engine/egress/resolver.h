// SPDX-License-Identifier: Apache-2.0
// Names to addresses, outside the sandbox, in threads of their own: getaddrinfo(3) blocks.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/egress/rules.h"

namespace wardenv::engine {

struct ResolvedAddress {
  IpAddress address;
  Owner owner = Owner::kOther;
};

struct Resolution {
  std::uint64_t asked_by = 0;
  std::string host{};
  std::vector<ResolvedAddress> addresses{};   // empty: see why
  std::string why{};
};

// Whether packets to the address would stay on this host (ip(7): a connected datagram socket tells its source, and nothing is sent). kUnknown
// where that can't be asked, as without a descriptor.
Owner owner_of(const IpAddress& address);

class Resolver {
 public:
  // `wake_fd`, an eventfd(2) that the caller keeps open as long as any thread works on this, is written to when an answer is there.
  explicit Resolver(int wake_fd);
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;
  ~Resolver();   // does not wait: threads that hang in the system's resolver end by themselves

  // False where too many questions wait already, or no thread can be had.
  bool ask(std::uint64_t asked_by, const std::string& host);
  std::vector<Resolution> take_answers();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace wardenv::engine
