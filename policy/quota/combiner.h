// SPDX-License-Identifier: Apache-2.0
// Combiner: many threads hand in jobs, one of them does all that wait: one transaction, one sync.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <vector>

namespace wardenv::policy {

// Job is the caller's; `work(std::vector<Job*>&)` does a batch and must not throw. Batches never overlap.
template <typename Job>
class Combiner {
 public:
  template <typename Work>
  void run(Job& job, const Work& work) {
    Ticket ticket{.job = &job};
    std::unique_lock lock(mutex_);
    waiting_.push_back(&ticket);
    if (busy_) ticket.woken.wait(lock, [&] { return ticket.state != State::kWaiting; });
    if (ticket.state == State::kDone) return;
    busy_ = true;
    lead(lock, work);
  }

 private:
  enum class State { kWaiting, kLeads, kDone };
  struct Ticket {
    Job* job = nullptr;
    State state = State::kWaiting;
    std::condition_variable woken{};
  };
  static constexpr std::size_t kMostAtOnce = 256;   // bounds how long a transaction holds the writer's lock

  template <typename Work>
  void lead(std::unique_lock<std::mutex>& lock, const Work& work) {
    std::vector<Ticket*> batch = take();
    lock.unlock();
    std::vector<Job*> jobs;
    for (const Ticket* ticket : batch) jobs.push_back(ticket->job);
    work(jobs);
    lock.lock();
    // Under the lock: a ticket dies as soon as its thread sees that it is done.
    if (waiting_.empty()) busy_ = false;
    else wake(*waiting_.front(), State::kLeads);
    for (Ticket* ticket : batch) wake(*ticket, State::kDone);
  }

  // The leader's own ticket is the oldest, so it is always among them.
  std::vector<Ticket*> take() {
    const std::size_t count = std::min(waiting_.size(), kMostAtOnce);
    std::vector<Ticket*> batch(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(count));
    waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(count));
    return batch;
  }

  static void wake(Ticket& ticket, State state) {
    ticket.state = state;
    ticket.woken.notify_one();
  }

  std::mutex mutex_{};
  std::vector<Ticket*> waiting_{};
  bool busy_ = false;
};

}  // namespace wardenv::policy
