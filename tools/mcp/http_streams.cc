// SPDX-License-Identifier: Apache-2.0
#include "tools/mcp/http_streams.h"

#include <charconv>
#include <utility>
#include <vector>

namespace wardenv::mcp {
namespace {

constexpr std::size_t kMaxEvents = 512;
constexpr std::size_t kMaxKeptBytes = 4U << 20;
constexpr std::size_t kMaxStreams = 64;
constexpr auto kFinishedKept = std::chrono::seconds(30);
// A client whose every connection is gone has died; one that lost a single connection will be back.
constexpr auto kClientGone = std::chrono::milliseconds(400);
constexpr auto kComesBack = std::chrono::seconds(30);
constexpr auto kPollsBack = std::chrono::seconds(60);
constexpr const char* kRetry = "retry: 500\n";

}  // namespace

std::string EventStream::text_of(std::uint64_t sequence, std::string_view message) const {
  std::string text = "id: " + std::to_string(number_) + "-" + std::to_string(sequence) + "\n";
  if (!message.empty()) text += "event: message\n";
  return text.append("data: ").append(message).append("\n\n");
}

void EventStream::attach(std::shared_ptr<Wire> wire, std::string_view head) {
  wire_ = std::move(wire);
  suspended_ = false;
  wire_->start_stream(head);
  if (priming_ == Priming::kYes) wire_->write_event(kRetry + text_of(0, {}));
}

void EventStream::resume(std::shared_ptr<Wire> wire, std::uint64_t sequence) {
  if (wire_) wire_->end_stream();
  wire_ = std::move(wire);
  suspended_ = false;
  wire_->start_stream({});
  for (const Event& event : events_) {
    if (event.sequence > sequence) wire_->write_event(text_of(event.sequence, event.message));
  }
  if (!finished_) return;
  std::exchange(wire_, nullptr)->end_stream();
  alone_since_ = Clock::now();
}

void EventStream::detach(const Wire* wire) {
  if (wire_.get() != wire) return;
  wire_ = nullptr;
  alone_since_ = Clock::now();
}

void EventStream::keep(std::string_view message) {
  events_.push_back({next_++, std::string(message)});
  kept_bytes_ += message.size();
  while (events_.size() > 1 && (events_.size() > kMaxEvents || kept_bytes_ > kMaxKeptBytes)) {
    kept_bytes_ -= events_.front().message.size();
    events_.pop_front();
  }
}

void EventStream::add(std::string_view message) {
  if (finished_) return;
  keep(message);
  if (wire_) wire_->write_event(text_of(events_.back().sequence, message));
}

void EventStream::finish(std::string_view message) {
  if (finished_) return;
  if (!message.empty()) add(message);
  finished_ = true;
  if (wire_) std::exchange(wire_, nullptr)->end_stream();
  alone_since_ = Clock::now();
}

void EventStream::suspend() {
  if (!wire_ || finished_) return;
  suspended_ = true;
  wire_->write_event(std::string(kRetry) + "\n");
  std::exchange(wire_, nullptr)->end_stream();
  alone_since_ = Clock::now();
}

bool parse_event_id(std::string_view text, EventId& id) {
  const char* end = text.data() + text.size();
  const auto stream = std::from_chars(text.data(), end, id.stream);
  if (stream.ec != std::errc() || stream.ptr == end || *stream.ptr != '-') return false;
  const auto sequence = std::from_chars(stream.ptr + 1, end, id.sequence);
  return sequence.ec == std::errc() && sequence.ptr == end;
}

void SessionStreams::enter(const std::shared_ptr<EventStream>& stream) {
  for (auto at = streams_.begin(); streams_.size() >= kMaxStreams && at != streams_.end();) {
    at = at->second->finished() ? streams_.erase(at) : std::next(at);
  }
  streams_[stream->number()] = stream;
}

std::shared_ptr<EventStream> SessionStreams::find(std::uint64_t number) const {
  const auto at = streams_.find(number);
  return at == streams_.end() ? nullptr : at->second;
}

void SessionStreams::set_standing(const std::shared_ptr<EventStream>& stream) {
  if (standing_) standing_->finish({});
  standing_ = stream;
  enter(stream);
}

bool SessionStreams::alive() const {
  if (pending > 0) return true;
  for (const auto& [number, stream] : streams_) {
    if (stream->attached()) return true;
  }
  return false;
}

std::size_t SessionStreams::kept_bytes() const {
  std::size_t sum = 0;
  for (const auto& [number, stream] : streams_) sum += stream->kept_bytes();
  return sum;
}

void SessionStreams::sweep(Clock::time_point now, Memory memory) {
  const Clock::duration patience = alive() ? Clock::duration(kComesBack) : Clock::duration(kClientGone);
  std::vector<std::shared_ptr<EventStream>> abandoned;
  for (auto at = streams_.begin(); at != streams_.end();) {
    const std::shared_ptr<EventStream> stream = at->second;
    const Clock::duration alone = stream->alone_for(now);
    const bool forgotten = stream->finished() && (alone > kFinishedKept || memory == Memory::kShort);
    if (!stream->finished() && stream != standing_ && alone > (stream->suspended() ? Clock::duration(kPollsBack) : patience)) abandoned.push_back(stream);
    at = forgotten && stream != standing_ ? streams_.erase(at) : std::next(at);
  }
  for (const auto& stream : abandoned) {
    if (stream->on_abandoned) stream->on_abandoned();
    stream->finish({});
  }
}

void SessionStreams::close() {
  for (const auto& [number, stream] : streams_) stream->finish({});
}

}  // namespace wardenv::mcp
