// SPDX-License-Identifier: Apache-2.0
// One HTTP connection, without its socket: reads requests, checks their heads, hands messages to the server. All on the I/O thread.
// Heavy (Boost.Beast): for the .cc files of the transport only.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <unordered_set>

#include "tools/mcp/http.h"
#include "tools/mcp/http_rules.h"
#include "tools/mcp/http_streams.h"

namespace wardenv::mcp {

class Connection;
class HttpSink;

// What all connections share.
struct HttpShared {
  Server& server;
  HttpOptions options;
  OriginRules origins;
  std::string authority;                      // "host:port" that we listen on
  std::unordered_set<Connection*> connections;
  std::map<std::string, SessionStreams, std::less<>> sessions;
  std::string date;                           // the header line, made anew every second
  std::size_t out_bytes = 0;                  // of all connections
  std::size_t in_bytes = 0;                   // bodies, of all connections
  bool stopping = false;
  bool asked_for_tokens = false;
  boost::asio::io_context io{1};              // last: its handlers hold connections

  HttpShared(Server& server_in, HttpOptions options_in) : server(server_in), options(std::move(options_in)) {}
  // Once asked for, always: an edit of the policy that takes the last token away locks everybody out, and lets nobody in.
  // What was opened before without one ends with the first of them.
  bool asks_for_tokens();
  SessionStreams& streams_of(const std::string& session, const std::string& grant);

 private:
  void end_untold();   // all that callers opened who did not say who they are
};

class Connection : public Wire, public std::enable_shared_from_this<Connection> {
 public:
  explicit Connection(HttpShared& shared);
  ~Connection() override;

  void start() { read_more(); }
  void close();          // at the end of an answer, or of our patience
  // Called every 200 ms. `patience`: with a client that takes nothing of what is written.
  void sweep(Clock::time_point now, std::chrono::milliseconds patience);
  void client_gone();
  void cut_off();          // it does not read: what was not taken is thrown away, by the kernel too
  [[nodiscard]] bool busy() const { return sink_ != nullptr || stream_ != nullptr; }
  [[nodiscard]] virtual int fd() const = 0;

  // Wire
  void respond(int status, std::string_view content_type, std::string_view body, std::string_view head) override;
  void start_stream(std::string_view head) override;
  void write_event(std::string_view text) override;
  void end_stream() override;

 protected:
  // The socket. Each calls on_read or on_written once.
  virtual void read_some() = 0;
  virtual void write_some(std::string_view data) = 0;
  virtual void shut_sending() = 0;
  virtual void shut() = 0;
  virtual void reset() = 0;         // shut(), and nothing more is sent
  virtual void say_goodbye() = 0;   // shut(), at once or later
  void on_read(const boost::system::error_code& error, std::size_t count);
  void on_written(const boost::system::error_code& error, std::size_t count);

  boost::beast::flat_buffer buffer_;
  HttpShared& shared_;

 private:
  using Parser = boost::beast::http::request_parser<boost::beast::http::string_body>;

  void read_more();
  void next_request();
  void new_parser();
  void linger();
  void parse();
  void head_arrived();
  bool room_for_body();               // false: refused
  void forget_body();
  void request_arrived();
  bool admit();                       // Host, Origin, token
  void handle_get(std::string_view path);
  void handle_mcp();
  void post();
  void open_standing();
  void end_session();
  void preflight();
  void metadata();
  void challenge(std::string_view error);
  void refuse(int status, std::string_view text, std::string_view head = {});
  void put(std::string data);
  void write_more();
  void look_at_reader(Clock::time_point now);
  bool leave();
  void finish_response();
  [[nodiscard]] std::string cors() const;
  [[nodiscard]] std::string_view field(std::string_view name) const;

  std::optional<Parser> parser_;
  bool head_checked_ = false;
  bool keep_alive_ = true;
  bool reading_ = false;
  bool writing_ = false;
  bool closed_ = false;
  bool responding_ = false;           // a request is being answered
  bool answered_ = false;             // its answer is being written
  bool lingering_ = false;
  std::deque<std::string> out_;
  std::size_t out_bytes_ = 0;
  std::size_t in_bytes_ = 0;          // of the body
  int unsent_ = 0;                    // bytes in the socket, when we looked last
  std::size_t front_done_ = 0;        // of out_.front()
  std::string grant_;
  std::shared_ptr<HttpSink> sink_;           // of the request under way
  std::shared_ptr<EventStream> stream_;      // what a GET listens to
  bool streaming_ = false;
  Clock::time_point deadline_;
  Clock::time_point last_write_;
};

// The way back of one POST.
class HttpSink : public Sink, public std::enable_shared_from_this<HttpSink> {
 public:
  HttpSink(boost::asio::io_context& io, std::shared_ptr<Wire> wire, bool takes_events, std::string head)
      : io_(io), wire_(std::move(wire)), takes_events_(takes_events), head_(std::move(head)) {}

  // Legacy: events are kept in `session`, for a client that comes back.
  void keep_in(SessionStreams& session, Priming priming);
  // The connection is closed. I/O thread.
  void wire_gone();

  bool send(std::string message) override;
  void finish(std::string message, int http_status) override;
  void abandon() override;
  void set_session(const std::string& id) override { head_ += "Mcp-Session-Id: " + id + "\r\n"; }
  void suspend() override;

 private:
  void begin_stream();
  void over();

  boost::asio::io_context& io_;
  std::shared_ptr<Wire> wire_;             // I/O thread only, as all below
  const bool takes_events_;
  std::atomic<bool> gone_{false};
  std::string head_;
  bool streaming_ = false;
  bool done_ = false;
  SessionStreams* session_ = nullptr;
  std::shared_ptr<EventStream> stream_;    // legacy
};

// What belongs to no request of a legacy session.
class StandingSink : public Sink {
 public:
  StandingSink(boost::asio::io_context& io, std::shared_ptr<EventStream> stream) : io_(io), stream_(std::move(stream)) {}
  bool send(std::string message) override;
  void finish(std::string message, int) override { send(std::move(message)); }
  void abandon() override {}
  [[nodiscard]] bool heard() const override { return stream_->attached(); }

 private:
  boost::asio::io_context& io_;
  std::shared_ptr<EventStream> stream_;
};

const char* reason_of(int status);

}  // namespace wardenv::mcp
