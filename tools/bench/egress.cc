// SPDX-License-Identifier: Apache-2.0
// wardenv-bench-egress: what named egress costs, beside other proxies that are installed.
//   wardenv-bench-egress [RUNS]
// start: runs with egress against runs with no network, in turns. The rest: our proxy, tinyproxy and squid on loopback with the same client and
// servers: bytes a second through one tunnel, what a new connection takes more than a direct one, in turns with it, 1000 tunnels held at once, and
// new connections again while slow and silent peers are there.
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "engine/egress/proxy.h"
#include "tools/bench/egress_start.h"
#include "tools/bench/egress_traffic.h"

namespace {

using namespace wardenv;
using namespace wardenv::bench;

constexpr int kConnections = 2000, kHeld = 1000, kBadOfEach = 50;

// Our proxy is in this process, whose memory tells of it; the client is here, too, and keeps nothing.
void measure(const char* name, int server, int proxy) {
  const double rate = gigabytes_a_second(server, proxy);
  const ConnectionTimes times = connection_times(server, proxy, kConnections);
  std::printf("%-10s %6.2f GB/s   new connection %6.1f us p50 %7.1f p99", name, rate, percentile(times.proxied, 0.5), percentile(times.proxied, 0.99));
  if (proxy != 0) {
    const std::uint64_t before = resident_bytes();
    std::printf("   added %6.1f us p50   %d held at once", times.added(), held_at_once(server, proxy, kHeld));
    const auto bad = bad_peers(server, proxy, kBadOfEach);
    std::printf("   beside %zu slow and silent peers: added %6.1f us p50", bad.size(), connection_times(server, proxy, kConnections / 4).added());
    const double grown = static_cast<double>(resident_bytes() - std::min(before, resident_bytes())) / 1e6;
    if (std::strcmp(name, "wardenv") == 0) std::printf(", +%.1f MB in all", grown);
  }
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

void measure_peer(const Peer& peer, int server) {
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
  if (up) measure(peer.name, server, port);
  else std::printf("%-12s SKIPPED: it did not come up\n", peer.name);
  ::kill(pid, SIGTERM);
  ::waitpid(pid, nullptr, 0);
  const std::string remove = "rm -rf " + std::string(folder);
  (void)!std::system(remove.c_str());
}

std::string beside_us(const char* name) {
  char self[4096] = {};
  if (::readlink("/proc/self/exe", self, sizeof self - 1) < 0) return name;
  const std::string path = self;
  return path.substr(0, path.rfind('/') + 1) + name;
}

}  // namespace

int main(int argc, char** argv) {
  const int runs = argc > 1 ? std::stoi(argv[1]) : 300;
  ::signal(SIGPIPE, SIG_IGN);
  const Listener target = listen_somewhere();
  const pid_t server = start_server(target);
  measure_starts(runs, beside_us("wardenv"));
  measure("direct", target.port, 0);
  engine::EgressSettings settings;
  settings.caps = {.bytes = 0, .bytes_per_second = 0, .connections_at_once = 2048, .connections = 0};
  auto rule = engine::parse_egress_rule("127.0.0.1:" + std::to_string(target.port));
  if (rule) settings.rules.push_back(std::move(*rule));
  auto proxy = engine::EgressProxy::make(settings, {});
  if (proxy) {
    Listener ours = listen_somewhere();
    ::fcntl(ours.fd.get(), F_SETFL, O_NONBLOCK);
    (*proxy)->serve(std::move(ours.fd));
    measure("wardenv", target.port, ours.port);
    (void)(*proxy)->stop();
  }
  const Peer peers[] = {
      {"tinyproxy", "/usr/bin/tinyproxy", {"-d", "-c", "%c"}, "Port %p\nListen 127.0.0.1\nTimeout 60\nMaxClients 2000\nAllow 127.0.0.1\nLogLevel Error\nLogFile \"%d/log\"\n"},
      {"squid", "/usr/sbin/squid", {"-N", "-f", "%c"},
       "http_port 127.0.0.1:%p\nacl all src all\nhttp_access allow all\ncache deny all\naccess_log none\ncache_log /dev/null\npid_filename %d/pid\ncoredump_dir %d\n"
       "max_filedescriptors 8192\nshutdown_lifetime 0 seconds\npinger_enable off\nnetdb_filename none\n"}};
  for (const Peer& peer : peers) measure_peer(peer, target.port);
  ::kill(server, SIGKILL);
  ::waitpid(server, nullptr, 0);
  return 0;
}
