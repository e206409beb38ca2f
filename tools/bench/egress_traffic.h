// SPDX-License-Identifier: Apache-2.0
// Client and server of wardenv-bench-egress, on loopback, the same for every proxy.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <vector>

#include "sandbox/base/unique_fd.h"

namespace wardenv::bench {

using Clock = std::chrono::steady_clock;

inline double microseconds(Clock::duration time) { return std::chrono::duration<double, std::micro>(time).count(); }

double percentile(std::vector<double> values, double part);

struct Listener {
  UniqueFd fd;
  int port = 0;
};
Listener listen_somewhere();

// A process that serves each connection by its first byte: 'd' is sent 4 GiB, by a process of its own; anything else is echoed. Ends with us.
pid_t start_server(const Listener& listener);

// Connected to the server, through a proxy if there is a port of one. Invalid where it is refused.
UniqueFd connect_to(int server, int proxy);

// 0 where not everything came.
double gigabytes_a_second(int server, int proxy);

// Microseconds from the first packet of a new connection to its first byte of answer; one direct, one through the proxy, in turns.
struct ConnectionTimes {
  std::vector<double> direct{};
  std::vector<double> proxied{};
  [[nodiscard]] double added() const { return percentile(proxied, 0.5) - percentile(direct, 0.5); }
};
ConnectionTimes connection_times(int server, int proxy, int count);

// How many of `count` tunnels are open at once and answer.
int held_at_once(int server, int proxy, int count);

// Peers that cost a proxy something and give it nothing: clients that say nothing, that say half a request, and that read nothing of an endless answer.
std::vector<UniqueFd> bad_peers(int server, int proxy, int of_each);

std::uint64_t resident_bytes();

}  // namespace wardenv::bench
