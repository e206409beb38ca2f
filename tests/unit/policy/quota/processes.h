// SPDX-License-Identifier: Apache-2.0
// Children that tests fork, and a Redis server of their own.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <functional>
#include <string>
#include <thread>

#include "policy/quota/store.h"
#include "tests/support/catch.h"
#include "tests/unit/engine/scratch.h"

namespace wardenv::testing {

// Runs `work` in a child and leaves with what it answers. Killed and reaped at the end of the scope at the latest.
class Child {
 public:
  explicit Child(const std::function<int()>& work) : pid_(::fork()) {
    if (pid_ == 0) ::_exit(work());
  }
  explicit Child(pid_t pid) : pid_(pid) {}
  Child(Child&& other) noexcept : pid_(std::exchange(other.pid_, -1)) {}
  Child& operator=(Child&&) = delete;
  ~Child() { kill(); }

  void kill() {
    if (pid_ > 0) ::kill(pid_, SIGKILL);
    wait();
  }
  // The exit status; -1 where a signal ended it.
  int wait() {
    int status = 0;
    if (pid_ <= 0 || ::waitpid(std::exchange(pid_, -1), &status, 0) < 0) return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  pid_t pid_;
};

// A server on a unix socket in a folder of its own.
class RedisServer {
 public:
  static bool is_installed() { return ::access("/usr/bin/redis-server", X_OK) == 0; }

  explicit RedisServer(std::vector<std::string> more = {}) : more_(std::move(more)) { start(); }

  void start() {
    std::vector<std::string> words{"redis-server", "--port", "0", "--unixsocket", folder_.at("redis.sock"), "--dir", folder_.path(), "--save", "", "--daemonize", "no"};
    words.insert(words.end(), more_.begin(), more_.end());
    const pid_t pid = ::fork();
    if (pid == 0) {
      std::vector<char*> argv;
      for (std::string& word : words) argv.push_back(word.data());
      argv.push_back(nullptr);
      const int null = ::open("/dev/null", O_RDWR);
      ::dup2(null, 0);
      ::dup2(null, 1);
      ::dup2(null, 2);
      ::execv("/usr/bin/redis-server", argv.data());
      ::_exit(127);
    }
    child_ = std::make_unique<Child>(pid);
    for (int i = 0; i < 1000 && !answers(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  void kill() {
    child_->kill();
    ::unlink(folder_.at("redis.sock").c_str());
  }
  [[nodiscard]] std::string url(const std::string& login = "") const { return "unix://" + login + folder_.at("redis.sock"); }

 private:
  // Whatever it says, but that it is still reading its file.
  [[nodiscard]] bool answers() const {
    const auto store = policy::open_redis_quota(url());
    return store || (store.error().message.find("LOADING") == std::string::npos && store.error().message.find("can't be reached") == std::string::npos);
  }

  std::vector<std::string> more_;
  Folder folder_{};
  std::unique_ptr<Child> child_{};
};

// For tests that need the server: says that it is missing, in the form that the runner counts.
inline bool skip_without_redis(const char* name) {
  if (RedisServer::is_installed()) return false;
  std::printf("SKIPPED %s: no redis-server on this host\n", name);
  return true;
}

}  // namespace wardenv::testing
