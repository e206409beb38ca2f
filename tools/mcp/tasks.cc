// SPDX-License-Identifier: Apache-2.0
#include "tools/mcp/tasks.h"

#include <algorithm>
#include <array>
#include <ctime>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "tools/mcp/request_state.h"
#include "tools/mcp/strict_json.h"

namespace wardenv::mcp {
namespace {

constexpr int kPollIntervalMs = 1000;
constexpr const char* kDropped = R"({"code":-32603,"message":"the call ended, but its result is kept no longer: the server keeps too many; fetch results sooner, or call again"})";

const char* name_of(TaskStatus status) {
  switch (status) {
    case TaskStatus::kWorking: return "working";
    case TaskStatus::kInputRequired: return "input_required";
    case TaskStatus::kCompleted: return "completed";
    case TaskStatus::kFailed: return "failed";
    case TaskStatus::kCancelled: return "cancelled";
  }
  return "failed";
}

std::string iso(Task::WallClock::time_point time) {
  const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
  const std::time_t seconds = static_cast<std::time_t>(milliseconds / 1000);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  std::array<char, 40> text{};
  const std::size_t length = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &parts);
  std::array<char, 8> rest{};
  std::snprintf(rest.data(), rest.size(), ".%03dZ", static_cast<int>(milliseconds % 1000));
  return std::string(text.data(), length) + rest.data();
}

bool ended(TaskStatus status) { return status == TaskStatus::kCompleted || status == TaskStatus::kFailed || status == TaskStatus::kCancelled; }

}  // namespace

Task::Task(std::string id, std::string owner, std::chrono::milliseconds ttl, std::weak_ptr<Cancellable> call, std::function<void()> on_ended)
    : id_(std::move(id)), owner_(std::move(owner)), ttl_(ttl), call_(std::move(call)), on_ended_(std::move(on_ended)) {}

std::string Task::members() const {
  std::lock_guard lock(mutex_);
  std::string out = "\"taskId\":\"" + id_ + "\",\"status\":\"" + name_of(status_) + "\",\"createdAt\":\"" + iso(created_) + "\",\"lastUpdatedAt\":\"" +
                    iso(updated_) + "\",\"ttlMs\":" + std::to_string(ttl_.count()) + ",\"pollIntervalMs\":" + std::to_string(kPollIntervalMs);
  if (!message_.empty()) out += ",\"statusMessage\":" + json_string(message_);
  if (status_ == TaskStatus::kCompleted) out += ",\"result\":" + result_;
  if (status_ == TaskStatus::kFailed) out += ",\"error\":" + error_;
  if (status_ != TaskStatus::kInputRequired) return out;
  out += ",\"inputRequests\":{";
  const char* comma = "";
  for (const auto& [key, request] : outstanding_) {
    out.append(comma).append(json_string(key)).append(":").append(request);
    comma = ",";
  }
  return out + "}";
}

bool Task::over() const {
  std::lock_guard lock(mutex_);
  return ended(status_);
}

bool Task::end(TaskStatus status, std::string* slot, std::string text) {
  {
    std::lock_guard lock(mutex_);
    if (ended(status_)) return false;
    status_ = status;
    if (slot != nullptr) *slot = std::move(text);
    outstanding_.clear();
    touch();
    answered_.notify_all();
  }
  if (on_ended_) on_ended_();
  return true;
}

void Task::drop_result() {
  std::lock_guard lock(mutex_);
  if (!ended(status_) || std::exchange(dropped_, true)) return;
  if (status_ != TaskStatus::kCancelled) status_ = TaskStatus::kFailed;
  result_ = std::string();
  error_ = kDropped;
  touch();
}

std::size_t Task::kept_bytes() const {
  std::lock_guard lock(mutex_);
  return dropped_ ? 0 : result_.size() + error_.size();
}

Task::WallClock::time_point Task::updated() const {
  std::lock_guard lock(mutex_);
  return updated_;
}

bool Task::complete(std::string result_json) { return end(TaskStatus::kCompleted, &result_, std::move(result_json)); }
bool Task::fail(std::string error_json) { return end(TaskStatus::kFailed, &error_, std::move(error_json)); }

bool Task::cancel() {
  if (!end(TaskStatus::kCancelled, nullptr, {})) return false;
  if (const auto call = call_.lock()) call->cancel();
  return true;
}

bool Task::say(std::string_view message) {
  std::lock_guard lock(mutex_);
  if (ended(status_) || message == message_) return false;
  message_ = message;
  touch();
  return true;
}

Answers Task::ask(std::span<const InputRequest> requests, const std::function<void()>& on_change) {
  std::unique_lock lock(mutex_);
  if (ended(status_)) return {AskState::kCancelled, {}};
  // A key names one question for the whole life of a task.
  const std::string suffix = round_++ == 0 ? "" : "-" + std::to_string(round_);
  for (const InputRequest& request : requests) {
    outstanding_[request.key + suffix] = "{\"method\":" + json_string(request.method) + (request.params.empty() ? "" : ",\"params\":" + request.params) + "}";
  }
  status_ = TaskStatus::kInputRequired;
  touch();
  lock.unlock();
  on_change();
  lock.lock();
  const bool answered = answered_.wait_until(lock, created_ + ttl_, [this] { return outstanding_.empty(); });   // a thread waits meanwhile
  if (ended(status_)) return {AskState::kCancelled, {}};
  if (!answered) return give_up_asking();
  Answers answers{AskState::kAnswered, {}};
  for (const InputRequest& request : requests) answers.by_key[request.key] = std::exchange(answers_[request.key + suffix], {});
  answers_.clear();
  status_ = TaskStatus::kWorking;
  touch();
  return answers;
}

Answers Task::give_up_asking() {
  outstanding_.clear();
  answers_.clear();
  status_ = TaskStatus::kWorking;
  touch();
  return {AskState::kFailed, {}};
}

void Task::update(const nlohmann::json& responses) {
  std::lock_guard lock(mutex_);
  for (const auto& [key, response] : responses.items()) {
    if (outstanding_.erase(key) > 0) answers_[key] = to_text(response);
  }
  touch();
  answered_.notify_all();
}

std::shared_ptr<Task> Tasks::create(const std::string& owner, std::weak_ptr<Cancellable> call) {
  std::lock_guard lock(mutex_);
  make_room();
  if (tasks_.size() >= limits_.tasks || count_of(owner) >= limits_.of_one_owner) return nullptr;
  auto task = std::make_shared<Task>(random_id(), owner, ttl_, std::move(call), [this] { bound_results(); });
  tasks_.emplace(task->id(), task);
  return task;
}

// What has expired goes; a result is kept for as long as was promised.
void Tasks::make_room() {
  const auto now = Task::WallClock::now();
  std::erase_if(tasks_, [now](const auto& entry) { return entry.second->over() && entry.second->expired(now); });
}

std::size_t Tasks::count_of(std::string_view owner) const {
  return static_cast<std::size_t>(std::count_if(tasks_.begin(), tasks_.end(), [owner](const auto& entry) { return entry.second->owner() == owner; }));
}

// After each ending. A promise to keep results is none to keep any number of bytes.
void Tasks::bound_results() {
  std::lock_guard lock(mutex_);
  make_room();
  std::size_t bytes = 0;
  std::vector<std::pair<Task::WallClock::time_point, Task*>> kept;
  for (const auto& [id, task] : tasks_) {
    const std::size_t own = task->kept_bytes();
    bytes += own;
    if (own > 0) kept.emplace_back(task->updated(), task.get());
  }
  if (bytes <= limits_.result_bytes) return;
  std::sort(kept.begin(), kept.end());
  for (const auto& [time, task] : kept) {
    if (bytes <= limits_.result_bytes) return;
    bytes -= task->kept_bytes();
    task->drop_result();
  }
}

std::shared_ptr<Task> Tasks::find(const std::string& id, std::string_view owner) const {
  std::lock_guard lock(mutex_);
  const auto at = tasks_.find(id);
  return at == tasks_.end() || at->second->owner() != owner ? nullptr : at->second;
}

void Tasks::cancel_all() {
  std::vector<std::shared_ptr<Task>> all;
  {
    std::lock_guard lock(mutex_);
    for (const auto& [id, task] : tasks_) all.push_back(task);
  }
  for (const auto& task : all) task->cancel();
}

std::size_t Tasks::count() const {
  std::lock_guard lock(mutex_);
  return tasks_.size();
}

}  // namespace wardenv::mcp
