// SPDX-License-Identifier: Apache-2.0
#include "tools/mcp/http_connection.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>

#include <boost/beast/http/error.hpp>
#include <charconv>

#include "tools/mcp/core.h"
#include "tools/mcp/message.h"

namespace wardenv::mcp {
namespace {

namespace http = boost::beast::http;

constexpr auto kLinger = std::chrono::seconds(2);
constexpr auto kKeepAlive = std::chrono::seconds(15);   // an empty comment on a quiet stream, so that nothing between cuts it

std::string_view view(boost::beast::string_view text) { return {text.data(), text.size()}; }

std::string_view field_of(const http::fields& fields, std::string_view name) {
  const auto found = fields.find(boost::beast::string_view(name.data(), name.size()));
  return found == fields.end() ? std::string_view() : view(found->value());
}

}  // namespace

const char* reason_of(int status) {
  switch (status) {
    case 200: return "OK";
    case 202: return "Accepted";
    case 204: return "No Content";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 406: return "Not Acceptable";
    case 408: return "Request Timeout";
    case 413: return "Content Too Large";
    case 415: return "Unsupported Media Type";
    case 431: return "Request Header Fields Too Large";
    case 503: return "Service Unavailable";
    default: return "Error";
  }
}

bool HttpShared::asks_for_tokens() {
  if (asked_for_tokens || !options.grant_of_token) return asked_for_tokens;
  asked_for_tokens = !origins.loopback_only || !options.asks_for_tokens || options.asks_for_tokens();
  if (asked_for_tokens) end_untold();
  return asked_for_tokens;
}

// What runs ends as it was let in; what would be heard from then on ends now.
void HttpShared::end_untold() {
  server.end_grant(options.default_grant);
  for (auto& [id, streams] : sessions) streams.close();
}

SessionStreams& HttpShared::streams_of(const std::string& session, const std::string& grant) {
  SessionStreams& streams = sessions[session];
  streams.grant = grant;
  return streams;
}

Connection::Connection(HttpShared& shared) : shared_(shared), deadline_(Clock::now() + shared.options.limits.request_time) {
  shared_.connections.insert(this);
  new_parser();
}

Connection::~Connection() {
  shared_.connections.erase(this);
  shared_.out_bytes -= out_bytes_;
  forget_body();
}

std::string_view Connection::field(std::string_view name) const { return field_of(parser_->get(), name); }

void Connection::read_more() {
  if (reading_ || closed_) return;
  reading_ = true;
  read_some();
}

void Connection::on_read(const boost::system::error_code& error, std::size_t count) {
  reading_ = false;
  if (closed_) return;
  if (error) return client_gone();
  if (lingering_) return read_more();   // and thrown away
  if (buffer_.size() == 0 && count > 0) deadline_ = Clock::now() + shared_.options.limits.request_time;
  buffer_.commit(count);
  parse();
}

void Connection::parse() {
  boost::system::error_code error;
  while (!parser_->is_done() && buffer_.size() > 0) {
    const std::size_t used = parser_->put(buffer_.data(), error);
    buffer_.consume(used);
    if (error == http::error::need_more) break;
    if (error == http::error::body_limit) return refuse(413, "the body may have " + std::to_string(shared_.options.limits.body_bytes) + " bytes at most");
    if (error == http::error::header_limit) return refuse(431, "the head of the request is too large");
    if (error) return refuse(400, "malformed HTTP");
    if (parser_->is_header_done() && !head_checked_) {
      head_arrived();
      if (responding_ || answered_) return;
    }
    if (!room_for_body()) return;
  }
  if (parser_->is_done()) return request_arrived();
  if (parser_->is_header_done() && !head_checked_) head_arrived();
  if (!responding_ && !answered_) read_more();
}

// What a body holds is counted until its request is answered. The one that makes it too much is thrown away.
bool Connection::room_for_body() {
  const std::size_t bytes = parser_->get().body().size();
  shared_.in_bytes += bytes - in_bytes_;
  in_bytes_ = bytes;
  if (bytes == 0 || shared_.in_bytes <= shared_.options.limits.all_body_bytes) return true;
  refuse(503, "busy: too much is being sent at once; try again in a moment", "Retry-After: 2\r\n");
  parser_->get().body() = std::string();
  forget_body();
  return false;
}

void Connection::forget_body() { shared_.in_bytes -= std::exchange(in_bytes_, 0); }

// Before the body is read: nobody is made to send, nor we to keep, what will be refused.
void Connection::head_arrived() {
  head_checked_ = true;
  keep_alive_ = parser_->keep_alive();
  if (!admit()) return;
  if (parser_->content_length() && *parser_->content_length() > shared_.options.limits.body_bytes) {
    return refuse(413, "the body may have " + std::to_string(shared_.options.limits.body_bytes) + " bytes at most");
  }
  if (same_text(field("Expect"), "100-continue") && !parser_->is_done()) put("HTTP/1.1 100 Continue\r\n\r\n");
}

void Connection::refuse(int status, std::string_view text, std::string_view head) {
  responding_ = true;
  if (!parser_->is_done()) keep_alive_ = false;   // what is left of the request is not worth reading
  respond(status, "application/json", error_message({}, kInvalidRequest, text), head);
}

void Connection::respond(int status, std::string_view content_type, std::string_view body, std::string_view head) {
  std::string out;
  out.reserve(body.size() + head.size() + 192);
  out.append("HTTP/1.1 ").append(std::to_string(status)).append(" ").append(reason_of(status)).append("\r\n").append(shared_.date);
  if (!content_type.empty()) out.append("Content-Type: ").append(content_type).append("\r\n");
  if (status != 204) out.append("Content-Length: ").append(std::to_string(body.size())).append("\r\n");
  if (!keep_alive_) out.append("Connection: close\r\n");
  out.append(head).append("\r\n").append(body);
  put(std::move(out));
  finish_response();
}

void Connection::start_stream(std::string_view head) {
  streaming_ = true;
  std::string out = "HTTP/1.1 200 OK\r\n" + shared_.date +
                    "Content-Type: text/event-stream\r\nCache-Control: no-cache, no-transform\r\nX-Accel-Buffering: no\r\nTransfer-Encoding: chunked\r\n";
  put(out.append(head).append("\r\n"));
}

void Connection::write_event(std::string_view text) {
  if (closed_ || !streaming_) return;
  std::array<char, 20> size{};
  const auto end = std::to_chars(size.data(), size.data() + size.size(), text.size(), 16).ptr;
  std::string out(size.data(), end);
  put(out.append("\r\n").append(text).append("\r\n"));
}

void Connection::end_stream() {
  if (closed_ || !streaming_) return;
  streaming_ = false;
  put("0\r\n\r\n");
  finish_response();
}

// What comes next is looked at when this answer is on its way (on_written): the request is still in use further up the stack.
void Connection::finish_response() {
  sink_ = nullptr;
  stream_ = nullptr;
  responding_ = false;
  answered_ = true;
}

void Connection::next_request() {
  answered_ = false;
  head_checked_ = false;
  new_parser();
  deadline_ = Clock::now() + (buffer_.size() > 0 ? shared_.options.limits.request_time : shared_.options.limits.idle_time);
  parse();
}

void Connection::new_parser() {
  forget_body();
  parser_.emplace();
  parser_->header_limit(static_cast<std::uint32_t>(shared_.options.limits.head_bytes));
  parser_->body_limit(shared_.options.limits.body_bytes);
  parser_->eager(true);
}

// The answer came before the end of the request. Closing now would reset the connection, and the answer be lost (RFC 9112, 9.6).
void Connection::linger() {
  lingering_ = true;
  deadline_ = Clock::now() + kLinger;
  shut_sending();
  read_more();
}

void Connection::put(std::string data) {
  if (closed_) return;
  out_bytes_ += data.size();
  shared_.out_bytes += data.size();
  if (out_bytes_ > shared_.options.limits.backlog_bytes + data.size()) return cut_off();
  out_.push_back(std::move(data));
  if (writing_) return;
  last_write_ = Clock::now();
  write_more();
}

void Connection::write_more() {
  writing_ = true;
  write_some(std::string_view(out_.front()).substr(front_done_));
}

void Connection::on_written(const boost::system::error_code& error, std::size_t count) {
  writing_ = false;
  if (closed_) return;
  if (error) return client_gone();
  last_write_ = Clock::now();
  front_done_ += count;
  if (front_done_ < out_.front().size()) return write_more();
  front_done_ = 0;
  out_bytes_ -= out_.front().size();
  shared_.out_bytes -= out_.front().size();
  out_.pop_front();
  if (!out_.empty()) return write_more();
  if (!answered_) return;
  if (keep_alive_) return next_request();
  parser_->is_done() ? close() : linger();
}

void Connection::sweep(Clock::time_point now, std::chrono::milliseconds patience) {
  if (closed_) return now > deadline_ ? shut() : void();   // it did not say goodbye
  if (writing_) look_at_reader(now);
  if (writing_ && now - last_write_ > patience) return cut_off();
  if (streaming_ && !writing_ && now - last_write_ > kKeepAlive) return write_event(":\n\n");
  if (!responding_ && !writing_ && now > deadline_) close();
}

// What was under way is told. False: it was closed before.
bool Connection::leave() {
  if (std::exchange(closed_, true)) return false;
  const auto sink = std::exchange(sink_, nullptr);
  const auto stream = std::exchange(stream_, nullptr);
  if (sink) sink->wire_gone();
  if (stream) stream->detach(this);
  return true;
}

// The kernel tells of room for more only once a third of its buffer is free, which may be megabytes: a slow client reads for long until then.
void Connection::look_at_reader(Clock::time_point now) {
  int unsent = 0;
  if (::ioctl(fd(), SIOCOUTQ, &unsent) < 0 || unsent == std::exchange(unsent_, unsent)) return;
  last_write_ = now;
}

void Connection::cut_off() {
  const auto self = shared_from_this();
  if (leave()) reset();
}

void Connection::client_gone() {
  const auto self = shared_from_this();
  if (leave()) shut();
}

void Connection::close() {
  const auto self = shared_from_this();
  if (!leave()) return;
  deadline_ = Clock::now() + kLinger;
  say_goodbye();
}

}  // namespace wardenv::mcp
