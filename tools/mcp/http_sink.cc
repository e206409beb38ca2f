// SPDX-License-Identifier: Apache-2.0
// The way back of one POST: a JSON body where the answer comes first, a stream of events where something comes before it.
// Whoever sends may hold locks, and what writes may cancel the call that sends (a client that is cut off): so all is posted, also by what runs on the
// I/O thread itself, and nothing is written under the sender's feet.
#include <boost/asio/post.hpp>

#include "tools/mcp/http_connection.h"
#include "tools/mcp/message.h"

namespace wardenv::mcp {
namespace {

constexpr const char* kJson = "application/json";

std::string event_text(std::string_view message) {
  std::string text = "event: message\ndata: ";
  return text.append(message).append("\n\n");
}

}  // namespace

void HttpSink::keep_in(SessionStreams& session, Priming priming) {
  session_ = &session;
  ++session.pending;
  stream_ = session.make(priming);
}

void HttpSink::over() {
  if (std::exchange(done_, true)) return;
  if (session_ != nullptr && !streaming_) --session_->pending;
  wire_ = nullptr;
}

void HttpSink::wire_gone() {
  if (done_) return;
  if (streaming_ && stream_) return stream_->detach(wire_.get());   // the client may come back for the rest
  gone_ = true;
  over();
  cancel_bound();
}

void HttpSink::begin_stream() {
  if (streaming_) return;
  streaming_ = true;
  if (!stream_) return wire_->start_stream(head_);
  --session_->pending;
  session_->enter(stream_);
  stream_->on_abandoned = [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->gone_ = true, self->cancel_bound();
  };
  stream_->attach(wire_, head_);
}

bool HttpSink::send(std::string message) {
  if (!takes_events_ || gone_) return false;
  make_one_line(message);
  boost::asio::post(io_, [self = shared_from_this(), message = std::move(message)] {
    if (self->done_) return;
    self->begin_stream();
    if (self->stream_) return self->stream_->add(message);
    self->wire_->write_event(event_text(message));
  });
  return true;
}

void HttpSink::finish(std::string message, int http_status) {
  make_one_line(message);
  boost::asio::post(io_, [self = shared_from_this(), message = std::move(message), http_status] {
    if (self->done_) return;
    const std::shared_ptr<Wire> wire = self->wire_;
    if (self->streaming_ && self->stream_) {
      self->stream_->finish(message);
    } else if (self->streaming_) {
      wire->write_event(event_text(message));
      wire->end_stream();
    } else {
      wire->respond(http_status, kJson, message, self->head_);
    }
    self->over();
  });
}

void HttpSink::abandon() {
  boost::asio::post(io_, [self = shared_from_this()] {
    if (self->done_) return;
    const std::shared_ptr<Wire> wire = self->wire_;
    if (self->streaming_ && self->stream_) {
      self->stream_->finish({});
    } else if (self->streaming_) {
      wire->end_stream();
    } else {
      wire->respond(202, {}, {}, self->head_);
    }
    self->over();
  });
}

void HttpSink::suspend() {
  if (!takes_events_) return;
  boost::asio::post(io_, [self = shared_from_this()] {
    if (self->done_ || !self->stream_) return;
    self->begin_stream();
    self->stream_->suspend();
  });
}

bool StandingSink::send(std::string message) {
  boost::asio::post(io_, [stream = stream_, message = std::move(message)] { stream->add(message); });
  return true;
}

}  // namespace wardenv::mcp
