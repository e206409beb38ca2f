// SPDX-License-Identifier: Apache-2.0
// wardenv-bench-egress: what named egress costs, beside other proxies that are installed.
//   wardenv-bench-egress [RUNS]
// start: a run with egress against one with no network, in turns. The rest: our proxy, tinyproxy and squid on loopback with the same client and
// servers: bytes a second through one tunnel, what a new connection takes more than a direct one, and 1000 tunnels held at once.
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "engine/egress/proxy.h"
#include "engine/engine.h"

namespace {

using namespace wardenv;
using Clock = std::chrono::steady_clock;

constexpr std::uint64_t kTransfer = 4ULL << 30;
constexpr int kConnections = 1000;

double microseconds(Clock::duration time) { return std::chrono::duration<double, std::micro>(time).count(); }

double percentile(std::vector<double> values, double part) {
  std::sort(values.begin(), values.end());
  return values.empty() ? 0 : values[std::min(values.size() - 1, static_cast<std::size_t>(part * static_cast<double>(values.size())))];
}

sockaddr_in loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

struct Listener {
  UniqueFd fd;
  int port = 0;
};

Listener listen_somewhere() {
  Listener listener{UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)), 0};
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  auto* raw = reinterpret_cast<sockaddr*>(&address);
  if (::bind(listener.fd.get(), raw, size) < 0 || ::listen(listener.fd.get(), 4096) < 0 || ::getsockname(listener.fd.get(), raw, &size) < 0) std::abort();
  listener.port = ntohs(address.sin_port);
  return listener;
}

// A process that serves each connection in one of two ways: 'd' sends kTransfer bytes, anything else is echoed. Ends with us.
pid_t start_server(const Listener& listener) {
  const pid_t pid = ::fork();
  if (pid != 0) return pid;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  std::vector<pollfd> fds{{listener.fd.get(), POLLIN, 0}};
  static std::array<char, 1 << 20> buffer;
  for (;;) {
    ::poll(fds.data(), fds.size(), -1);
    for (std::size_t i = fds.size(); i-- > 1;) {
      if (fds[i].revents == 0) continue;
      const ssize_t got = ::read(fds[i].fd, buffer.data(), 4096);
      if (got > 0 && buffer[0] == 'd') {
        for (std::uint64_t sent = 0; sent < kTransfer;) {
          const ssize_t now = ::send(fds[i].fd, buffer.data(), buffer.size(), MSG_NOSIGNAL);
          if (now <= 0) break;
          sent += static_cast<std::uint64_t>(now);
        }
      } else if (got > 0) {
        (void)!::write(fds[i].fd, buffer.data(), static_cast<std::size_t>(got));
        continue;
      }
      ::close(fds[i].fd);
      fds.erase(fds.begin() + static_cast<std::ptrdiff_t>(i));
    }
    if (fds[0].revents == 0) continue;
    const int client = ::accept4(listener.fd.get(), nullptr, nullptr, SOCK_CLOEXEC);
    if (client >= 0) fds.push_back({client, POLLIN, 0});
  }
}

// Connected to the server, through a proxy if there is a port of one.
UniqueFd connect_to(int server, int proxy) {
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_in address = loopback(proxy != 0 ? proxy : server);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0) return {};
  if (proxy == 0) return fd;
  const std::string head = "CONNECT 127.0.0.1:" + std::to_string(server) + " HTTP/1.1\r\n\r\n";
  if (::send(fd.get(), head.data(), head.size(), MSG_NOSIGNAL) < 0) return {};
  std::string answer;
  char c = 0;
  while (!answer.ends_with("\r\n\r\n") && ::read(fd.get(), &c, 1) == 1) answer += c;
  return answer.find(" 200 ") == std::string::npos ? UniqueFd() : std::move(fd);
}

bool echo(const UniqueFd& fd) {
  char c = 'e';
  return ::send(fd.get(), &c, 1, MSG_NOSIGNAL) == 1 && ::read(fd.get(), &c, 1) == 1;
}

double gigabytes_a_second(int server, int proxy) {
  const UniqueFd fd = connect_to(server, proxy);
  if (!fd.valid()) return 0;
  const auto begin = Clock::now();
  if (::send(fd.get(), "d", 1, MSG_NOSIGNAL) != 1) return 0;
  std::uint64_t got = 0;
  for (ssize_t now = 0; (now = ::recv(fd.get(), nullptr, 1 << 20, MSG_TRUNC)) > 0;) got += static_cast<std::uint64_t>(now);
  return got < kTransfer ? 0 : static_cast<double>(got) / 1e3 / microseconds(Clock::now() - begin);
}

std::vector<double> connection_times(int server, int proxy, int count) {
  std::vector<double> times;
  for (int i = 0; i < count; ++i) {
    const auto begin = Clock::now();
    const UniqueFd fd = connect_to(server, proxy);
    if (!fd.valid() || !echo(fd)) return {};
    times.push_back(microseconds(Clock::now() - begin));
  }
  return times;
}

int held_at_once(int server, int proxy) {
  std::vector<UniqueFd> held;
  for (int i = 0; i < kConnections; ++i) {
    UniqueFd fd = connect_to(server, proxy);
    if (fd.valid()) held.push_back(std::move(fd));
  }
  return static_cast<int>(std::count_if(held.begin(), held.end(), [](const UniqueFd& fd) { return echo(fd); }));
}

std::uint64_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  std::uint64_t all = 0;
  std::uint64_t resident = 0;
  statm >> all >> resident;
  return resident * 4096;
}

void measure(const char* name, int server, int proxy, double direct_us) {
  const double rate = gigabytes_a_second(server, proxy);
  const auto times = connection_times(server, proxy, 2000);
  const std::uint64_t before = resident_bytes();
  const int held = proxy != 0 ? held_at_once(server, proxy) : 0;
  const double grown = static_cast<double>(resident_bytes() - std::min(before, resident_bytes())) / 1e6;
  std::printf("%-12s %8.2f GB/s %9.1f us p50 %9.1f us p99 %9.1f us added", name, rate, percentile(times, 0.5), percentile(times, 0.99),
              proxy != 0 ? percentile(times, 0.5) - direct_us : 0.0);
  if (proxy != 0) std::printf(" %6d held", held);
  if (std::strcmp(name, "wardenv") == 0) std::printf(" (+%.1f MB in our process)", grown);
  std::puts("");
  std::fflush(stdout);
}

// A peer's proxy as a child, with a configuration of its own; waits until it answers.
struct Peer {
  const char* name;
  const char* program;
  std::vector<std::string> arguments;   // %c: the configuration
  const char* config;                   // %p: the port, %d: a folder
};

std::string filled(std::string text, const std::string& config, const std::string& port, const std::string& folder) {
  for (const auto& [mark, value] : {std::pair<std::string, std::string>{"%c", config}, {"%p", port}, {"%d", folder}}) {
    for (std::size_t at = 0; (at = text.find(mark, at)) != std::string::npos; at += value.size()) text.replace(at, mark.size(), value);
  }
  return text;
}

void measure_peer(const Peer& peer, int server, double direct_us) {
  if (::access(peer.program, X_OK) < 0) {
    std::printf("%-12s SKIPPED: %s is not installed\n", peer.name, peer.program);
    return;
  }
  const int port = listen_somewhere().port;
  char folder[] = "/tmp/wardenv-bench-egress.XXXXXX";
  if (::mkdtemp(folder) == nullptr) return;
  ::chmod(folder, 0777);
  const std::string config = std::string(folder) + "/config";
  std::ofstream(config) << filled(peer.config, config, std::to_string(port), folder);
  std::vector<std::string> arguments{peer.program};
  for (const std::string& item : peer.arguments) arguments.push_back(filled(item, config, std::to_string(port), folder));
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    const int null = ::open("/dev/null", O_RDWR);
    for (int fd : {0, 1, 2}) ::dup2(null, fd);
    std::vector<char*> argv;
    for (std::string& item : arguments) argv.push_back(item.data());
    argv.push_back(nullptr);
    ::execv(peer.program, argv.data());
    ::_exit(127);
  }
  bool up = false;
  for (int i = 0; i < 100 && !up; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    up = connect_to(server, port).valid();
  }
  if (up) measure(peer.name, server, port, direct_us);
  else std::printf("%-12s SKIPPED: it did not come up\n", peer.name);
  ::kill(pid, SIGTERM);
  ::waitpid(pid, nullptr, 0);
  const std::string remove = "rm -rf " + std::string(folder);
  (void)!std::system(remove.c_str());
}

void measure_starts(int runs) {
  auto engine = engine::Engine::create();
  if (!engine) return;
  char folder[] = "/tmp/wardenv-bench-egress.XXXXXX";
  if (::mkdtemp(folder) == nullptr) return;
  std::vector<double> none;
  std::vector<double> egress;
  for (int i = 0; i < 2 * runs; ++i) {
    engine::RunRequest request;
    request.argv = {"/bin/true"};
    request.workspace = folder;
    if (i % 2 == 1) request.network = sandbox::Network::kEgress;
    const auto begin = Clock::now();
    const auto report = engine->run(request);
    if (report.exit_code != 0) std::printf("a run failed: %s\n", report.error ? report.error->message.c_str() : "");
    if (i >= 10) (i % 2 == 1 ? egress : none).push_back(microseconds(Clock::now() - begin));
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  ::rmdir(folder);
  std::printf("start: none %.0f us p50, egress %.0f us p50, added %.0f us p50\n", percentile(none, 0.5), percentile(egress, 0.5),
              percentile(egress, 0.5) - percentile(none, 0.5));
}

}  // namespace

int main(int argc, char** argv) {
  const int runs = argc > 1 ? std::atoi(argv[1]) : 200;
  ::signal(SIGPIPE, SIG_IGN);
  const Listener target = listen_somewhere();
  const pid_t server = start_server(target);
  measure_starts(runs);
  const double direct = percentile(connection_times(target.port, 0, 2000), 0.5);
  measure("direct", target.port, 0, direct);
  engine::EgressSettings settings;
  settings.caps = {.bytes = 0, .bytes_per_second = 0, .connections_at_once = 2048, .connections = 0};
  auto rule = engine::parse_egress_rule("127.0.0.1:" + std::to_string(target.port));
  if (rule) settings.rules.push_back(std::move(*rule));
  auto proxy = engine::EgressProxy::start(settings, {});
  if (proxy) {
    Listener ours = listen_somewhere();
    ::fcntl(ours.fd.get(), F_SETFL, O_NONBLOCK);
    (*proxy)->serve(std::move(ours.fd));
    measure("wardenv", target.port, ours.port, direct);
    (void)(*proxy)->stop();
  }
  const Peer peers[] = {
      {"tinyproxy", "/usr/bin/tinyproxy", {"-d", "-c", "%c"}, "Port %p\nListen 127.0.0.1\nTimeout 60\nMaxClients 2000\nAllow 127.0.0.1\nLogLevel Error\nLogFile \"%d/log\"\n"},
      {"squid", "/usr/sbin/squid", {"-N", "-f", "%c"},
       "http_port 127.0.0.1:%p\nacl all src all\nhttp_access allow all\ncache deny all\naccess_log none\ncache_log /dev/null\npid_filename %d/pid\ncoredump_dir %d\n"
       "max_filedescriptors 8192\nshutdown_lifetime 0 seconds\npinger_enable off\nnetdb_filename none\n"}};
  for (const Peer& peer : peers) measure_peer(peer, target.port, direct);
  ::kill(server, SIGKILL);
  ::waitpid(server, nullptr, 0);
  return 0;
}
