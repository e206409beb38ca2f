// SPDX-License-Identifier: Apache-2.0
#include "tools/mcp/channel.h"

#include <utility>
#include <vector>

namespace wardenv::mcp {
namespace {

constexpr std::size_t kMaxSubscriptions = 256;

}  // namespace

void Channel::open(Opened opened) {
  std::lock_guard lock(mutex_);
  opened_ = std::move(opened);
  subscriptions_.clear();
}

std::optional<Channel::Opened> Channel::opened() const {
  std::lock_guard lock(mutex_);
  return opened_;
}

void Channel::subscribe(const std::string& uri) {
  std::lock_guard lock(mutex_);
  if (subscriptions_.size() < kMaxSubscriptions) subscriptions_.insert(uri);
}

void Channel::unsubscribe(const std::string& uri) {
  std::lock_guard lock(mutex_);
  subscriptions_.erase(uri);
}

bool Channel::subscribed(const std::string& uri) const {
  std::lock_guard lock(mutex_);
  return subscriptions_.contains(uri);
}

void Channel::set_standing(std::shared_ptr<Sink> sink) {
  std::lock_guard lock(mutex_);
  standing_ = std::move(sink);
}

void Channel::notify(const std::string& message) {
  std::shared_ptr<Sink> sink;
  {
    std::lock_guard lock(mutex_);
    if (!opened_) return;
    sink = standing_;
  }
  if (sink) sink->send(message);
}

bool Channel::is_heard() const {
  std::lock_guard lock(mutex_);
  return standing_ && standing_->heard();
}

bool Channel::begin(const std::string& id, std::weak_ptr<Cancellable> call) {
  std::lock_guard lock(mutex_);
  return running_.emplace(id, std::move(call)).second;
}

void Channel::end(const std::string& id) {
  std::lock_guard lock(mutex_);
  running_.erase(id);
}

void Channel::cancel(const std::string& id) {
  std::shared_ptr<Cancellable> call;
  {
    std::lock_guard lock(mutex_);
    if (const auto at = running_.find(id); at != running_.end()) call = at->second.lock();
  }
  if (call) call->cancel();
}

void Channel::cancel_all() {
  std::vector<std::shared_ptr<Cancellable>> calls;
  {
    std::lock_guard lock(mutex_);
    for (auto& [id, call] : running_) {
      if (auto alive = call.lock()) calls.push_back(std::move(alive));
    }
  }
  for (const auto& call : calls) call->cancel();
}

std::size_t Channel::under_way() const {
  std::lock_guard lock(mutex_);
  return running_.size();
}

std::string Channel::new_ask() {
  std::lock_guard lock(mutex_);
  std::string id = "\"wardenv-" + std::to_string(next_ask_++) + "\"";
  asked_.emplace(id, Asked{});
  return id;
}

void Channel::answer(const std::string& id, std::optional<std::string> result) {
  std::lock_guard lock(mutex_);
  const auto at = asked_.find(id);
  if (at == asked_.end() || at->second.result || at->second.failed) return;   // never asked, or answered before
  at->second.failed = !result;
  at->second.result = std::move(result);
  answered_.notify_all();
}

std::optional<Asked> Channel::wait_answer(const std::string& id, const std::function<bool()>& stop, std::chrono::milliseconds patience) {
  std::unique_lock lock(mutex_);
  const auto at = asked_.find(id);
  if (at == asked_.end()) return std::nullopt;
  answered_.wait_for(lock, patience, [&] { return at->second.result || at->second.failed || stop(); });
  Asked asked = std::move(at->second);
  asked_.erase(at);
  if (!asked.result && !asked.failed) return std::nullopt;
  return asked;
}

void Channel::wake() {
  std::lock_guard lock(mutex_);
  answered_.notify_all();
}

}  // namespace wardenv::mcp
