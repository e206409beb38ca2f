// SPDX-License-Identifier: Apache-2.0
// What shares request ids: the life of a stdio process, or a legacy session over HTTP. Holds what `initialize` agreed on.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>

#include "tools/mcp/handler.h"
#include "tools/mcp/sink.h"

namespace wardenv::mcp {

// A request of ours that waits for the client's answer.
struct Asked {
  std::optional<std::string> result{};   // JSON text
  bool failed = false;
};

class Channel {
 public:
  // `principal`: who may use it (the grant that opened it).
  Channel(std::string id, std::string principal) : id_(std::move(id)), principal_(std::move(principal)) {}

  [[nodiscard]] const std::string& id() const { return id_; }
  [[nodiscard]] const std::string& principal() const { return principal_; }

  // What `initialize` said. Set once, before anything else uses the channel; over stdio a second `initialize` starts afresh.
  struct Opened {
    std::string protocol_version{};
    std::string client_name{};
    std::string client_capabilities = "{}";   // JSON text
  };
  void open(Opened opened);
  [[nodiscard]] std::optional<Opened> opened() const;

  // When it was used last; for sessions that their client has forgotten.
  void touch() { used_ = std::chrono::steady_clock::now().time_since_epoch().count(); }
  [[nodiscard]] std::chrono::steady_clock::time_point used() const { return std::chrono::steady_clock::time_point(std::chrono::steady_clock::duration(used_.load())); }

  void set_log_level(LogLevel level) { log_level_ = static_cast<int>(level); }
  [[nodiscard]] LogLevel log_level() const { return static_cast<LogLevel>(log_level_.load()); }

  void subscribe(const std::string& uri);
  void unsubscribe(const std::string& uri);
  [[nodiscard]] bool subscribed(const std::string& uri) const;

  // Where notifications go that belong to no request. May be null.
  void set_standing(std::shared_ptr<Sink> sink);
  void notify(const std::string& message);
  [[nodiscard]] bool is_heard() const;   // Sink::heard

  // Requests under way, by id. False: the id is in use.
  bool begin(const std::string& id, std::weak_ptr<Cancellable> call);
  void end(const std::string& id);
  void cancel(const std::string& id);
  void cancel_all();
  [[nodiscard]] std::size_t under_way() const;

  // Our own requests to the client.
  std::string new_ask();
  void answer(const std::string& id, std::optional<std::string> result);   // none: the client answered with an error
  // Waits until `id` is answered, `stop` is true (wake() makes it look again) or `patience` is over. Forgets the id.
  std::optional<Asked> wait_answer(const std::string& id, const std::function<bool()>& stop, std::chrono::milliseconds patience);
  void wake();

 private:
  const std::string id_;
  const std::string principal_;
  std::atomic<std::chrono::steady_clock::rep> used_{std::chrono::steady_clock::now().time_since_epoch().count()};
  mutable std::mutex mutex_;
  std::condition_variable answered_;
  std::optional<Opened> opened_;
  std::atomic<int> log_level_{static_cast<int>(LogLevel::kInfo)};
  std::set<std::string> subscriptions_;
  std::shared_ptr<Sink> standing_;
  std::map<std::string, std::weak_ptr<Cancellable>> running_;
  std::map<std::string, Asked> asked_;
  std::uint64_t next_ask_ = 1;
};

}  // namespace wardenv::mcp
