// SPDX-License-Identifier: Apache-2.0
// The way back of one request. A transport makes one for each message; the protocol writes to it, from any thread.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

namespace wardenv::mcp {

// Something that can be told to stop.
class Cancellable {
 public:
  virtual ~Cancellable() = default;
  virtual void cancel() = 0;
};

class Sink {
 public:
  Sink() = default;
  Sink(const Sink&) = delete;
  Sink& operator=(const Sink&) = delete;
  virtual ~Sink() = default;

  // A message before the answer: a notification, or (legacy) a request to the client. False: nobody can get it.
  virtual bool send(std::string message) = 0;
  // The answer; nothing comes after it. `http_status` is for HTTP, and used only where nothing was sent before.
  virtual void finish(std::string message, int http_status) = 0;
  // There will be no answer: the request was a notification, or was cancelled.
  virtual void abandon() = 0;
  // HTTP, legacy: the id of a new session, before finish().
  virtual void set_session(const std::string&) {}
  // Whether a client listens at this moment. To be asked on the I/O thread.
  [[nodiscard]] virtual bool heard() const { return true; }
  // HTTP, legacy: ends the response; the client comes back for the rest (SEP-1699).
  virtual void suspend() {}

  // What stands for the request, to be cancelled where its client goes away. Set while the message is handled.
  void bind(std::weak_ptr<Cancellable> call) {
    std::lock_guard lock(mutex_);
    bound_ = std::move(call);
  }
  void cancel_bound() {
    std::shared_ptr<Cancellable> call;
    {
      std::lock_guard lock(mutex_);
      call = bound_.lock();
    }
    if (call) call->cancel();
  }

 private:
  std::mutex mutex_;
  std::weak_ptr<Cancellable> bound_;
};

// The head of an HTTP request, as far as the protocol looks at it.
class Headers {
 public:
  virtual ~Headers() = default;
  // Names are compared without regard to case. Empty: not there.
  [[nodiscard]] virtual std::string_view find(std::string_view name) const = 0;
};

}  // namespace wardenv::mcp
