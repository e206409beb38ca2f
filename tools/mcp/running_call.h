// SPDX-License-Identifier: Apache-2.0
// A call under way: what its handler sees (CallContext), and what can cancel it.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "sandbox/base/unique_fd.h"
#include "tools/mcp/core.h"

namespace wardenv::mcp {

class RunningCall : public CallContext, public Cancellable, public std::enable_shared_from_this<RunningCall> {
 public:
  RunningCall(Core& core, ExchangePtr exchange);

  // Reads what the request carries besides its arguments. Answers what is malformed.
  std::optional<std::string> prepare();
  // Enters it where it can be found and cancelled. False: refused, and said so.
  bool begin();

  // Each ends the call; the first one stands.
  void done(std::string members, std::string_view ending);
  void refuse(int code, std::string_view text, std::string_view data);
  void need_input();                                  // the questions of the last ask()
  void cancel() override;

  // CallContext
  [[nodiscard]] const Caller& caller() const override { return exchange_->caller; }
  int cancel_fd() override;
  [[nodiscard]] bool cancelled() const override { return cancelled_.load(); }
  // Where there is no token, progress() can still make it a task.
  [[nodiscard]] bool wants_progress() const override { return !token_.empty() || (long_running_ == LongRunning::kYes && can_be_task()); }
  void progress(double done, std::optional<double> total, std::string_view message) override;
  void log(LogLevel level, std::string_view logger, std::string_view data) override;
  Answers ask(std::span<const InputRequest> requests, std::string_view state) override;
  [[nodiscard]] std::optional<std::string> resumed_state() const override { return resumed_; }
  [[nodiscard]] bool client_can(std::string_view capability) const override { return exchange_->client_can(capability); }
  bool become_task() override;
  void close_stream() override;

  [[nodiscard]] const Exchange& exchange() const { return *exchange_; }
  void set_long_running(LongRunning value) { long_running_ = value; }
  // Whether its thread may wait for a person: never one that others need soon.
  void set_may_wait(bool value) { may_wait_ = value; }

 private:
  bool end(std::string_view ending);
  void leave();
  [[nodiscard]] std::shared_ptr<Task> task() const;
  [[nodiscard]] bool can_be_task() const;
  [[nodiscard]] StateBinding binding() const;
  std::optional<std::string> take_responses();
  Answers ask_legacy(std::span<const InputRequest> requests);
  Answers ask_modern(std::span<const InputRequest> requests, std::string_view state);

  Core& core_;
  const ExchangePtr exchange_;
  const std::chrono::steady_clock::time_point since_ = std::chrono::steady_clock::now();
  LongRunning long_running_ = LongRunning::kNo;
  bool may_wait_ = false;
  std::string name_;
  std::string arguments_;                      // JSON text; made where a state is bound to it
  std::string token_;                          // progress token, JSON text
  std::optional<std::string> resumed_;
  std::map<std::string, std::string> responses_;
  std::string wanted_;                         // members of the input_required result
  std::atomic<bool> cancelled_{false};
  mutable std::mutex mutex_;
  bool over_ = false;
  std::optional<double> progressed_;
  UniqueFd cancel_fd_;
  std::mutex becoming_;                        // a task, from whichever thread: once
  std::shared_ptr<Task> task_;
};

}  // namespace wardenv::mcp
