// SPDX-License-Identifier: Apache-2.0
#include "tools/mcp/pool.h"

#include <utility>

namespace wardenv::mcp {

Pool::~Pool() { stop(); }

bool Pool::submit(std::function<void()> work) {
  std::lock_guard lock(mutex_);
  if (stopped_) return false;
  const std::size_t held = running_ + queue_.size();   // a thread that has not taken its call yet is room all the same
  if (held >= size_.threads + size_.queue) return false;
  queue_.push_back(std::move(work));
  if (held >= threads_.size() && threads_.size() < size_.threads) threads_.emplace_back([this] { this->work(); });
  wake_.notify_one();
  return true;
}

void Pool::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return stopped_ || !queue_.empty(); });
    if (stopped_) return;
    std::function<void()> next = std::move(queue_.front());
    queue_.pop_front();
    ++running_;
    lock.unlock();
    next();
    next = nullptr;
    lock.lock();
    if (--running_ == 0 && queue_.empty()) idle_.notify_all();
  }
}

bool Pool::drain(std::chrono::milliseconds patience) {
  std::unique_lock lock(mutex_);
  return idle_.wait_for(lock, patience, [this] { return running_ == 0 && queue_.empty(); });
}

void Pool::stop() {
  std::vector<std::thread> threads;
  {
    std::lock_guard lock(mutex_);
    stopped_ = true;
    queue_.clear();
    threads.swap(threads_);
  }
  wake_.notify_all();
  for (std::thread& thread : threads) thread.join();
}

std::size_t Pool::running() const {
  std::lock_guard lock(mutex_);
  return running_;
}

std::size_t Pool::queued() const {
  std::lock_guard lock(mutex_);
  return queue_.size();
}

}  // namespace wardenv::mcp
