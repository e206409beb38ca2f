// SPDX-License-Identifier: Apache-2.0
// One operation at a time on a virtual environment, in this process.
#pragma once

#include <condition_variable>
#include <mutex>
#include <set>
#include <string>

namespace wardenv::engine {

class ProjectLock {
 public:
  explicit ProjectLock(std::string venv) : venv_(std::move(venv)) {
    std::unique_lock lock(shared().mutex);
    shared().freed.wait(lock, [&] { return shared().held.insert(venv_).second; });
  }
  ~ProjectLock() {
    {
      const std::lock_guard lock(shared().mutex);
      shared().held.erase(venv_);
    }
    shared().freed.notify_all();
  }
  ProjectLock(const ProjectLock&) = delete;
  ProjectLock& operator=(const ProjectLock&) = delete;

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
};

}  // namespace wardenv::engine
