// SPDX-License-Identifier: Apache-2.0
// One operation at a time on a virtual environment, in this process.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <set>
#include <string>

#include "sandbox/base/error.h"

namespace wardenv::engine {

class ProjectLock {
 public:
  // Waits for whoever holds it, for half a minute at most; less where `cancelled` says so. Then held() is an error.
  ProjectLock(std::string venv, const std::function<bool()>& cancelled) : venv_(std::move(venv)) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    std::unique_lock lock(shared().mutex);
    while (!(mine_ = shared().held.insert(venv_).second)) {
      if (std::chrono::steady_clock::now() > deadline || (cancelled && cancelled())) return;
      shared().freed.wait_for(lock, std::chrono::milliseconds(100));
    }
  }
  ~ProjectLock() {
    if (!mine_) return;
    {
      const std::lock_guard lock(shared().mutex);
      shared().held.erase(venv_);
    }
    shared().freed.notify_all();
  }
  ProjectLock(const ProjectLock&) = delete;
  ProjectLock& operator=(const ProjectLock&) = delete;

  [[nodiscard]] Status held() const {
    if (mine_) return {};
    return fail(ErrorCode::kHost, "another operation on this environment is under way", "call again when it is over");
  }

 private:
  struct Shared {
    std::mutex mutex;
    std::condition_variable freed;
    std::set<std::string> held;
  };
  static Shared& shared() {
    static Shared instance;
    return instance;
  }

  std::string venv_;
  bool mine_ = false;
};

}  // namespace wardenv::engine
