// SPDX-License-Identifier: Apache-2.0
// Tasks (extension io.modelcontextprotocol/tasks, SEP-2663): calls that were handed back and go on. In memory: they end with the server.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "tools/mcp/handler.h"
#include "tools/mcp/sink.h"

namespace wardenv::mcp {

enum class TaskStatus { kWorking, kInputRequired, kCompleted, kFailed, kCancelled };

class Task {
 public:
  using WallClock = std::chrono::system_clock;

  Task(std::string id, std::string owner, std::chrono::milliseconds ttl, std::weak_ptr<Cancellable> call, std::function<void()> on_ended = {});

  [[nodiscard]] const std::string& id() const { return id_; }
  [[nodiscard]] const std::string& owner() const { return owner_; }

  // The members of a DetailedTask, comma-separated, without braces.
  [[nodiscard]] std::string members() const;
  [[nodiscard]] bool over() const;
  [[nodiscard]] bool expired(WallClock::time_point now) const { return now > created_ + ttl_; }

  // Each answers whether anything changed: the first ending stands.
  bool complete(std::string result_json);
  bool fail(std::string error_json);
  bool cancel();
  bool say(std::string_view message);
  // Its result is kept no longer: it becomes failed, and says why.
  void drop_result();
  [[nodiscard]] std::size_t kept_bytes() const;   // of its result; 0 before its end, and where it was dropped
  [[nodiscard]] WallClock::time_point updated() const;

  // Asks the client through tasks/get, and waits for tasks/update, for cancel(), or for the end of the time that was promised. `on_change` is called as the status changes.
  Answers ask(std::span<const InputRequest> requests, const std::function<void()>& on_change);
  // Takes answers to outstanding questions; others are ignored.
  void update(const nlohmann::json& responses);

 private:
  bool end(TaskStatus status, std::string* slot, std::string text);
  Answers give_up_asking();   // nobody answered in the task's lifetime
  void touch() { updated_ = WallClock::now(); }

  const std::string id_;
  const std::string owner_;
  const WallClock::time_point created_ = WallClock::now();
  const std::chrono::milliseconds ttl_;
  std::weak_ptr<Cancellable> call_;
  const std::function<void()> on_ended_;
  mutable std::mutex mutex_;
  std::condition_variable answered_;
  WallClock::time_point updated_ = created_;
  TaskStatus status_ = TaskStatus::kWorking;
  std::string message_;
  std::string result_;
  std::string error_;
  bool dropped_ = false;
  std::map<std::string, std::string> outstanding_;   // key to request, JSON text
  std::map<std::string, std::string> answers_;
  unsigned round_ = 0;
};

struct TaskLimits {
  std::size_t tasks = 1024;
  std::size_t of_one_owner = 256;         // so that no caller takes all
  std::size_t result_bytes = 64U << 20;   // of all that ended; beyond it the oldest results are dropped
};

// REQUIRES: outlives its tasks' endings.
class Tasks {
 public:
  Tasks(TaskLimits limits, std::chrono::milliseconds ttl) : limits_(limits), ttl_(ttl) {}

  // Null: there are too many, of this owner or of all.
  std::shared_ptr<Task> create(const std::string& owner, std::weak_ptr<Cancellable> call);
  // Null: no such task, or another caller's.
  [[nodiscard]] std::shared_ptr<Task> find(const std::string& id, std::string_view owner) const;
  void cancel_all();
  [[nodiscard]] std::size_t count() const;

 private:
  void make_room();
  void bound_results();
  [[nodiscard]] std::size_t count_of(std::string_view owner) const;

  const TaskLimits limits_;
  const std::chrono::milliseconds ttl_;
  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Task>> tasks_;
};

}  // namespace wardenv::mcp
