// SPDX-License-Identifier: Apache-2.0
// Requests over HTTP, as bytes on a connection that is cut where the input says: what comes back is HTTP, and a Host that is not ours gets nothing else
// than a refusal.
#include <boost/asio/buffer.hpp>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>

#include "tools/mcp/http_connection.h"

using namespace wardenv::mcp;

namespace {

class NoTools : public Features {
 public:
  [[nodiscard]] ServerInfo info() const override { return {.name = "fuzz", .version = "1"}; }
  std::vector<Tool> list_tools(const Caller&) override { return {}; }
  Lane lane_of(std::string_view, const Caller&) override { return Lane::kUnknown; }
  ToolResult call_tool(std::string_view, const nlohmann::json&, CallContext&) override { return failed("none"); }
};

class InMemory : public Connection {
 public:
  using Connection::Connection;
  [[nodiscard]] int fd() const override { return -1; }
  bool feed(std::string_view bytes) {
    if (!wants_ || shut_) return false;
    wants_ = false;
    const auto room = buffer_.prepare(bytes.size());
    std::memcpy(room.data(), bytes.data(), bytes.size());
    on_read({}, bytes.size());
    settle();
    return true;
  }
  // What the sinks have posted, and what follows from what was written.
  void settle() {
    do {
      shared_.io.restart();
      shared_.io.poll();
      const std::size_t written = std::exchange(written_, 0);
      if (written > 0 && !shut_) on_written({}, written);
    } while (written_ > 0 && !shut_);
  }
  std::string out;

 protected:
  void read_some() override { wants_ = true; }
  void write_some(std::string_view data) override {
    out += data;
    written_ = data.size();
  }
  void shut_sending() override {}
  void shut() override { shut_ = true; }
  void reset() override { shut_ = true; }
  void say_goodbye() override { shut_ = true; }

 private:
  bool wants_ = false;
  std::size_t written_ = 0;
  bool shut_ = false;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static NoTools features;
  static Server server(features, {});
  HttpShared shared(server, {.limits = {.head_bytes = 4096, .body_bytes = 8192}});
  const auto connection = std::make_shared<InMemory>(shared);
  connection->start();
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  while (!rest.empty()) {
    const std::size_t piece = std::min<std::size_t>(rest.size(), 1 + static_cast<unsigned char>(rest[0]) % 200);
    if (!connection->feed(rest.substr(0, piece))) break;
    rest.remove_prefix(piece);
  }
  if (!connection->out.empty() && !connection->out.starts_with("HTTP/1.1 ")) std::abort();
  connection->close();
  return 0;
}
