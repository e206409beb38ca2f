// SPDX-License-Identifier: Apache-2.0
// What is sent is never written before send() has returned: its caller may hold the lock that a cancel needs.
#include <boost/asio/post.hpp>

#include "tests/support/catch.h"
#include "tools/mcp/http_connection.h"

using namespace wardenv::mcp;

namespace {

// A call that sends under its lock, as RunningCall does to keep the order.
struct Call : Cancellable {
  void cancel() override {
    cancelled = true;
    cancelled_under_lock = cancelled_under_lock || locked;
  }
  bool locked = false;
  bool cancelled = false;
  bool cancelled_under_lock = false;
};

// A client that takes nothing: the first event is too much, and it is cut off.
struct FullWire : Wire {
  void respond(int, std::string_view, std::string_view body, std::string_view) override { seen.emplace_back(body); }
  void start_stream(std::string_view) override {}
  void write_event(std::string_view text) override {
    seen.emplace_back(text);
    if (sink) std::exchange(sink, nullptr)->wire_gone();
  }
  void end_stream() override { seen.emplace_back("end"); }

  HttpSink* sink = nullptr;
  std::vector<std::string> seen{};
};

struct Scene {
  // What a handler does that answers inline, on the I/O thread.
  void inline_call(const std::function<void()>& work) {
    boost::asio::post(io, [&] {
      call->locked = true;
      work();
      call->locked = false;
    });
    io.run();
  }

  boost::asio::io_context io{1};
  std::shared_ptr<FullWire> wire = std::make_shared<FullWire>();
  std::shared_ptr<HttpSink> sink = std::make_shared<HttpSink>(io, wire, true, "");
  std::shared_ptr<Call> call = std::make_shared<Call>();
};

}  // namespace

TEST_CASE("a client that is cut off by what an inline call sends is no cancel under that call's lock") {
  Scene scene;
  scene.sink->bind(scene.call);
  scene.wire->sink = scene.sink.get();
  scene.inline_call([&] { CHECK(scene.sink->send("{}")); });
  CHECK(scene.wire->seen.size() == 1);
  CHECK(scene.call->cancelled);
  CHECK_FALSE(scene.call->cancelled_under_lock);
}

TEST_CASE("what an inline call sends comes in its order, the answer last") {
  Scene scene;
  scene.inline_call([&] {
    scene.sink->send("1");
    scene.sink->send("2");
    scene.sink->finish("3", 200);
    scene.sink->send("4");
  });
  const auto event = [](const std::string& text) { return "event: message\ndata: " + text + "\n\n"; };
  CHECK(scene.wire->seen == std::vector<std::string>{event("1"), event("2"), event("3"), "end"});
}
