// SPDX-License-Identifier: Apache-2.0
// Streams of events over HTTP, and what a legacy session keeps of them, so that a client that lost its connection gets the rest (2025-11-25,
// "Resumability and Redelivery"). All on the I/O thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace wardenv::mcp {

// The response to one HTTP request: one body, or a stream of events.
class Wire {
 public:
  virtual ~Wire() = default;
  // `head`: further header lines, each with its CRLF.
  virtual void respond(int status, std::string_view content_type, std::string_view body, std::string_view head) = 0;
  virtual void start_stream(std::string_view head) = 0;
  virtual void write_event(std::string_view text) = 0;
  virtual void end_stream() = 0;
};

using Clock = std::chrono::steady_clock;

enum class Memory { kEnough, kShort };

enum class Priming { kNo, kYes };   // SEP-1699: an event with an id and no data comes first, from 2025-11-25 on

class EventStream {
 public:
  EventStream(std::uint64_t number, Priming priming) : number_(number), priming_(priming) {}

  void attach(std::shared_ptr<Wire> wire, std::string_view head);
  // The same for a client that has seen all up to `sequence`.
  void resume(std::shared_ptr<Wire> wire, std::uint64_t sequence);
  void detach(const Wire* wire);   // the client went away
  void add(std::string_view message);
  void finish(std::string_view message);   // empty: no last message
  void suspend();                          // ends the response; the client is to come back

  [[nodiscard]] std::uint64_t number() const { return number_; }
  [[nodiscard]] std::size_t kept_bytes() const { return kept_bytes_; }
  [[nodiscard]] bool attached() const { return wire_ != nullptr; }
  [[nodiscard]] bool finished() const { return finished_; }
  [[nodiscard]] bool suspended() const { return suspended_; }
  [[nodiscard]] Clock::duration alone_for(Clock::time_point now) const { return attached() ? Clock::duration::zero() : now - alone_since_; }

  // What to do when nobody comes back: cancels the call behind it.
  std::function<void()> on_abandoned{};

 private:
  struct Event {
    std::uint64_t sequence;
    std::string message;
  };
  [[nodiscard]] std::string text_of(std::uint64_t sequence, std::string_view message) const;
  void keep(std::string_view message);

  const std::uint64_t number_;
  const Priming priming_;
  std::shared_ptr<Wire> wire_;
  std::deque<Event> events_;
  std::size_t kept_bytes_ = 0;
  std::uint64_t next_ = 1;
  bool finished_ = false;
  bool suspended_ = false;
  Clock::time_point alone_since_{};
};

// "<stream>-<sequence>".
struct EventId {
  std::uint64_t stream = 0;
  std::uint64_t sequence = 0;
};
bool parse_event_id(std::string_view text, EventId& id);

// What HTTP keeps of one legacy session.
class SessionStreams {
 public:
  std::shared_ptr<EventStream> make(Priming priming) { return std::make_shared<EventStream>(next_++, priming); }
  void enter(const std::shared_ptr<EventStream>& stream);
  [[nodiscard]] std::shared_ptr<EventStream> find(std::uint64_t number) const;
  void set_standing(const std::shared_ptr<EventStream>& stream);
  // Drops what nobody will ask for any more, and gives up on calls whose client does not come back.
  void sweep(Clock::time_point now, Memory memory);
  [[nodiscard]] std::size_t kept_bytes() const;
  void close();

  std::string grant{};
  std::size_t pending = 0;   // requests without a stream of events that are under way

 private:
  [[nodiscard]] bool alive() const;

  std::uint64_t next_ = 1;
  std::map<std::uint64_t, std::shared_ptr<EventStream>> streams_;
  std::shared_ptr<EventStream> standing_;
};

}  // namespace wardenv::mcp
