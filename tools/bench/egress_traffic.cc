// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/egress_traffic.h"

#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>
#include <string>
#include <string_view>

namespace wardenv::bench {
namespace {

constexpr std::uint64_t kTransfer = 4ULL << 30;

sockaddr_in loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

void say(const UniqueFd& fd, std::string_view text) { (void)::send(fd.get(), text.data(), text.size(), MSG_NOSIGNAL); }

UniqueFd dial(int port) {
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_in address = loopback(port);
  return ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0 ? UniqueFd() : std::move(fd);
}

// In a process of its own: a client that does not read must not hold up the others here.
void send_much(int fd) {
  if (::fork() != 0) return;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  static std::array<char, 1 << 20> buffer;
  for (std::uint64_t sent = 0; sent < kTransfer;) {
    const ssize_t now = ::send(fd, buffer.data(), buffer.size(), MSG_NOSIGNAL);
    if (now <= 0) break;
    sent += static_cast<std::uint64_t>(now);
  }
  ::_exit(0);
}

// False: it is over.
bool serve_some(int fd) {
  static std::array<char, 4096> buffer;
  const ssize_t got = ::read(fd, buffer.data(), buffer.size());
  if (got > 0 && buffer[0] != 'd') return ::write(fd, buffer.data(), static_cast<std::size_t>(got)) == got;
  if (got > 0) send_much(fd);
  return false;
}

[[noreturn]] void serve(const Listener& listener) {
  std::vector<pollfd> fds{{listener.fd.get(), POLLIN, 0}};
  for (;;) {
    ::poll(fds.data(), fds.size(), -1);
    for (std::size_t i = fds.size(); i-- > 1;) {
      if (fds[i].revents == 0 || serve_some(fds[i].fd)) continue;
      ::close(fds[i].fd);
      fds.erase(fds.begin() + static_cast<std::ptrdiff_t>(i));
    }
    if (fds[0].revents == 0) continue;
    const int client = ::accept4(listener.fd.get(), nullptr, nullptr, SOCK_CLOEXEC);
    if (client >= 0) fds.push_back({client, POLLIN, 0});
  }
}

bool echo(const UniqueFd& fd) {
  char c = 'e';
  return ::send(fd.get(), &c, 1, MSG_NOSIGNAL) == 1 && ::read(fd.get(), &c, 1) == 1;
}

double one_connection(int server, int proxy) {
  const auto begin = Clock::now();
  const UniqueFd fd = connect_to(server, proxy);
  return fd.valid() && echo(fd) ? microseconds(Clock::now() - begin) : -1;
}

}  // namespace

double percentile(std::vector<double> values, double part) {
  std::sort(values.begin(), values.end());
  return values.empty() ? 0 : values[std::min(values.size() - 1, static_cast<std::size_t>(part * static_cast<double>(values.size())))];
}

Listener listen_somewhere() {
  Listener listener{UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)), 0};
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  auto* raw = reinterpret_cast<sockaddr*>(&address);
  if (::bind(listener.fd.get(), raw, size) < 0 || ::listen(listener.fd.get(), 4096) < 0 || ::getsockname(listener.fd.get(), raw, &size) < 0) std::abort();
  listener.port = ntohs(address.sin_port);
  return listener;
}

pid_t start_server(const Listener& listener) {
  const pid_t pid = ::fork();
  if (pid != 0) return pid;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::signal(SIGCHLD, SIG_IGN);
  serve(listener);
}

UniqueFd connect_to(int server, int proxy) {
  UniqueFd fd = dial(proxy != 0 ? proxy : server);
  if (proxy == 0 || !fd.valid()) return fd;
  say(fd, "CONNECT 127.0.0.1:" + std::to_string(server) + " HTTP/1.1\r\n\r\n");
  std::string answer;
  std::array<char, 1024> buffer;
  while (!answer.ends_with("\r\n\r\n")) {   // the server says nothing before it is spoken to
    const ssize_t got = ::read(fd.get(), buffer.data(), buffer.size());
    if (got <= 0) return {};
    answer.append(buffer.data(), static_cast<std::size_t>(got));
  }
  return answer.find(" 200 ") == std::string::npos ? UniqueFd() : std::move(fd);
}

double gigabytes_a_second(int server, int proxy) {
  const UniqueFd fd = connect_to(server, proxy);
  if (!fd.valid()) return 0;
  const auto begin = Clock::now();
  say(fd, "d");
  std::uint64_t got = 0;
  for (ssize_t now = 0; (now = ::recv(fd.get(), nullptr, 1 << 20, MSG_TRUNC)) > 0;) got += static_cast<std::uint64_t>(now);
  return got < kTransfer ? 0 : static_cast<double>(got) / 1e3 / microseconds(Clock::now() - begin);
}

ConnectionTimes connection_times(int server, int proxy, int count) {
  ConnectionTimes times;
  for (int i = 0; i < count; ++i) {
    const double direct = one_connection(server, 0);
    const double proxied = proxy != 0 ? one_connection(server, proxy) : direct;
    if (direct < 0 || proxied < 0) return {};
    times.direct.push_back(direct);
    times.proxied.push_back(proxied);
  }
  return times;
}

int held_at_once(int server, int proxy, int count) {
  std::vector<UniqueFd> held;
  for (int i = 0; i < count; ++i) {
    UniqueFd fd = connect_to(server, proxy);
    if (fd.valid()) held.push_back(std::move(fd));
  }
  return static_cast<int>(std::count_if(held.begin(), held.end(), [](const UniqueFd& fd) { return echo(fd); }));
}

std::vector<UniqueFd> bad_peers(int server, int proxy, int of_each) {
  std::vector<UniqueFd> peers;
  for (int i = 0; i < of_each; ++i) {
    peers.push_back(dial(proxy));
    peers.push_back(dial(proxy));
    if (peers.back().valid()) say(peers.back(), "CONNECT 127.0.0.1:");
    peers.push_back(connect_to(server, proxy));
    if (peers.back().valid()) say(peers.back(), "d");
  }
  return peers;
}

std::uint64_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  std::uint64_t all = 0;
  std::uint64_t resident = 0;
  statm >> all >> resident;
  return resident * 4096;
}

}  // namespace wardenv::bench
