// SPDX-License-Identifier: Apache-2.0
// wardenv-bench-mcp: a thin MCP client that measures servers. One JSON line of figures for each run.
//   wardenv-bench-mcp stdio COUNT TOOL -- COMMAND...      one call at a time
//   wardenv-bench-mcp http HOST:PORT PATH COUNT CONNECTIONS TOOL [modern|legacy [ARGUMENTS]]
// "tenths": calls a second in each tenth of the run, so that a rate that falls is told from one that was low.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

constexpr const char* kMeta =
    R"("_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"bench","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}})";
constexpr const char* kInitialize =
    R"({"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"bench","version":"1"}}})";
constexpr const char* kInitialized = R"({"jsonrpc":"2.0","method":"notifications/initialized"})";

enum class Era { kLegacy, kModern };

struct Called {
  std::string tool;
  Era era = Era::kLegacy;
  std::string arguments = R"({"message":"hello"})";
};

std::string call(const Called& what, std::uint64_t id) {
  return R"({"jsonrpc":"2.0","id":)" + std::to_string(id) + R"(,"method":"tools/call","params":{"name":")" + what.tool + R"(","arguments":)" + what.arguments +
         (what.era == Era::kModern ? std::string(",") + kMeta : "") + "}}";
}

[[noreturn]] void die(const char* what) { throw std::runtime_error(std::string(what) + ": " + std::strerror(errno)); }

void write_all(int fd, std::string_view data) {
  while (!data.empty()) {
    const ssize_t count = write(fd, data.data(), data.size());
    if (count < 0 && errno != EINTR) die("write");
    if (count > 0) data.remove_prefix(static_cast<std::size_t>(count));
  }
}

// What was measured: the time of each call, and when each tenth of them was done.
class Times {
 public:
  explicit Times(std::uint64_t count) : count_(count) { nanoseconds_.reserve(count); }
  void add(Clock::duration time) {
    nanoseconds_.push_back(static_cast<std::uint64_t>(time.count()));
    if (nanoseconds_.size() >= count_ * (tenths_.size() + 1) / 10) tenths_.push_back(seconds());
  }
  [[nodiscard]] std::size_t size() const { return nanoseconds_.size(); }

  void report(const char* what, long rss_kib) {
    const double total = seconds();
    std::sort(nanoseconds_.begin(), nanoseconds_.end());
    std::printf("{\"what\":\"%s\",\"calls\":%zu,\"p50_us\":%.1f,\"p99_us\":%.1f,\"max_us\":%.1f,\"per_second\":%.0f,\"tenths\":[%s],\"rss_kib\":%ld}\n", what, size(), at(0.5),
                at(0.99), at(1.0), static_cast<double>(size()) / total, rates().c_str(), rss_kib);
  }

 private:
  [[nodiscard]] double seconds() const { return std::chrono::duration<double>(Clock::now() - begin_).count(); }
  [[nodiscard]] double at(double share) const {
    return static_cast<double>(nanoseconds_[static_cast<std::size_t>(static_cast<double>(nanoseconds_.size() - 1) * share)]) / 1000.0;
  }
  [[nodiscard]] std::string rates() const {
    std::string text;
    double before = 0;
    for (const double end : tenths_) {
      text += (text.empty() ? "" : ",") + std::to_string(std::lround(static_cast<double>(count_) / 10 / (end - before)));
      before = end;
    }
    return text;
  }

  const std::uint64_t count_;
  const Clock::time_point begin_ = Clock::now();
  std::vector<std::uint64_t> nanoseconds_;
  std::vector<double> tenths_;
};

long rss_kib(pid_t pid) {
  const std::string path = "/proc/" + std::to_string(pid) + "/status";
  FILE* file = std::fopen(path.c_str(), "r");
  long found = 0;
  char line[256];
  while (file != nullptr && std::fgets(line, sizeof line, file) != nullptr) {
    if (std::strncmp(line, "VmRSS:", 6) == 0) found = std::strtol(line + 6, nullptr, 10);
  }
  if (file != nullptr) std::fclose(file);
  return found;
}

class Child {
 public:
  explicit Child(char** argv) {
    int in[2], out[2];
    if (pipe(in) != 0 || pipe(out) != 0) die("pipe");
    pid = fork();
    if (pid == 0) {
      dup2(in[0], 0);
      dup2(out[1], 1);
      for (const int fd : {in[0], in[1], out[0], out[1]}) close(fd);
      execvp(argv[0], argv);
      _exit(127);
    }
    close(in[0]);
    close(out[1]);
    to = in[1];
    from = out[0];
  }
  ~Child() {
    close(to);
    close(from);
    waitpid(pid, nullptr, 0);
  }
  std::string line() {
    while (true) {
      if (const std::size_t end = buffer_.find('\n'); end != std::string::npos) {
        std::string text = buffer_.substr(0, end);
        buffer_.erase(0, end + 1);
        return text;
      }
      char chunk[65536];
      const ssize_t count = read(from, chunk, sizeof chunk);
      if (count <= 0) die("the server closed its output");
      buffer_.append(chunk, static_cast<std::size_t>(count));
    }
  }
  pid_t pid = -1;
  int to = -1;
  int from = -1;

 private:
  std::string buffer_;
};

int stdio_main(std::uint64_t count, const std::string& tool, char** argv) {
  Child child(argv);
  write_all(child.to, std::string(kInitialize) + "\n");
  while (child.line().find("\"id\":0") == std::string::npos) {
  }
  write_all(child.to, std::string(kInitialized) + "\n");
  const Called what{tool};
  Times times(count);
  for (std::uint64_t i = 1; i <= count; ++i) {
    const std::string id = "\"id\":" + std::to_string(i);
    const auto start = Clock::now();
    write_all(child.to, call(what, i) + "\n");
    while (child.line().find(id) == std::string::npos) {
    }
    times.add(Clock::now() - start);
  }
  times.report("stdio", rss_kib(child.pid));
  return 0;
}

struct Client {
  int fd = -1;
  std::string in{};
  Clock::time_point start{};
  std::uint64_t id = 0;
};

class Http {
 public:
  Http(const std::string& where, std::string path) : path_(std::move(path)), host_(where) {
    const std::size_t colon = where.find(':');
    address_.sin_family = AF_INET;
    address_.sin_port = htons(static_cast<std::uint16_t>(std::stoul(where.substr(colon + 1))));
    inet_pton(AF_INET, where.substr(0, colon).c_str(), &address_.sin_addr);
  }

  int open() const {
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    const int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(fd, reinterpret_cast<const sockaddr*>(&address_), sizeof address_) != 0) die("connect");
    return fd;
  }

  [[nodiscard]] std::string post(const std::string& body, const std::string& head) const {
    return "POST " + path_ + " HTTP/1.1\r\nHost: " + host_ + "\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\n" + head +
           "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  }

  std::string session;   // header line

 private:
  std::string path_;
  std::string host_;
  sockaddr_in address_{};
};

// Whether `in` begins with a whole response; its length.
std::size_t whole(const std::string& in) {
  const std::size_t end = in.find("\r\n\r\n");
  if (end == std::string::npos) return 0;
  std::string head = in.substr(0, end + 2);
  std::transform(head.begin(), head.end(), head.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (const std::size_t at = head.find("content-length:"); at != std::string::npos) {
    const std::size_t size = end + 4 + std::stoul(head.substr(at + 15));
    return in.size() >= size ? size : 0;
  }
  const std::size_t last = in.find("\r\n0\r\n\r\n", end + 2);
  return last == std::string::npos ? 0 : last + 7;
}

std::string exchange(int fd, const std::string& request) {
  write_all(fd, request);
  std::string in;
  while (whole(in) == 0) {
    char chunk[65536];
    const ssize_t count = read(fd, chunk, sizeof chunk);
    if (count <= 0) die("the server closed the connection");
    in.append(chunk, static_cast<std::size_t>(count));
  }
  return in;
}

void open_session(Http& http) {
  const int fd = http.open();
  std::string answer = exchange(fd, http.post(kInitialize, ""));
  std::string lower = answer;
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (const std::size_t at = lower.find("mcp-session-id:"); at != std::string::npos) {
    http.session = "Mcp-Session-Id:" + answer.substr(at + 15, answer.find("\r\n", at) - at - 15) + "\r\n";
  }
  http.session += "MCP-Protocol-Version: 2025-11-25\r\n";
  exchange(fd, http.post(kInitialized, http.session));
  close(fd);
}

struct Load {
  std::uint64_t count;
  std::size_t connections;
  Called what;
};

int http_main(Http& http, const Load& load) {
  if (load.what.era == Era::kLegacy) open_session(http);
  const std::string head =
      load.what.era == Era::kModern ? "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\nMcp-Name: " + load.what.tool + "\r\n" : http.session;
  std::vector<Client> clients(load.connections);
  std::vector<pollfd> fds;
  for (Client& client : clients) {
    client.fd = http.open();
    fds.push_back({client.fd, POLLIN, 0});
  }
  std::uint64_t sent = 0;
  auto send_next = [&](Client& client) {
    client.id = ++sent;
    client.start = Clock::now();
    write_all(client.fd, http.post(call(load.what, client.id), head));
  };
  Times times(load.count);
  for (Client& client : clients) send_next(client);
  while (times.size() < load.count) {
    if (poll(fds.data(), fds.size(), 60000) <= 0) die("no answer");
    for (std::size_t i = 0; i < clients.size(); ++i) {
      if ((fds[i].revents & POLLIN) == 0) continue;
      Client& client = clients[i];
      char chunk[65536];
      const ssize_t count = read(client.fd, chunk, sizeof chunk);
      if (count <= 0) die("the server closed the connection");
      client.in.append(chunk, static_cast<std::size_t>(count));
      if (whole(client.in) == 0) continue;
      if (client.in.find("\"id\":" + std::to_string(client.id)) == std::string::npos || client.in.find("\"result\"") == std::string::npos) {
        std::fprintf(stderr, "wrong answer: %s\n", client.in.c_str());
        return 1;
      }
      times.add(Clock::now() - client.start);
      client.in.clear();
      if (sent < load.count) send_next(client);
    }
  }
  times.report(load.connections == 1 ? "http sequential" : "http", 0);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const std::string mode = argc > 1 ? argv[1] : "";
    if (mode == "stdio" && argc > 5) return stdio_main(std::stoull(argv[2]), argv[3], argv + 5);
    if (mode == "http" && argc > 6) {
      Http http(argv[2], argv[3]);
      Called what{argv[6], argc > 7 && std::string(argv[7]) == "legacy" ? Era::kLegacy : Era::kModern};
      if (argc > 8) what.arguments = argv[8];
      return http_main(http, {std::stoull(argv[4]), std::stoull(argv[5]), what});
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "wardenv-bench-mcp: %s\n", error.what());
    return 1;
  }
  std::fputs("usage: wardenv-bench-mcp stdio COUNT TOOL -- COMMAND... | http HOST:PORT PATH COUNT CONNECTIONS TOOL [modern|legacy [ARGUMENTS]]\n", stderr);
  return 2;
}
