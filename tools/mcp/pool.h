// SPDX-License-Identifier: Apache-2.0
// A bounded pool of threads with a bounded queue: where it is full, the caller says "busy".
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace wardenv::mcp {

struct PoolSize {
  std::size_t threads = 0;
  std::size_t queue = 0;
};

class Pool {
 public:
  explicit Pool(PoolSize size) : size_(size) {}   // threads start as they are needed
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;
  ~Pool();  // stop()

  // False: every thread is busy and the queue full.
  bool submit(std::function<void()> work);
  // What is queued is dropped, what runs is waited for.
  void stop();
  // Waits until nothing runs or is queued, or `patience` is over. True: nothing runs.
  bool drain(std::chrono::milliseconds patience);

  [[nodiscard]] std::size_t running() const;
  [[nodiscard]] std::size_t queued() const;

 private:
  void work();

  const PoolSize size_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable idle_;
  std::deque<std::function<void()>> queue_;
  std::vector<std::thread> threads_;
  std::size_t running_ = 0;
  bool stopped_ = false;
};

}  // namespace wardenv::mcp
