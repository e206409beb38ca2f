// SPDX-License-Identifier: Apache-2.0
// Progress of a run: at once, and then every few seconds with the last line of its output. Clients give up after a minute of silence.
#pragma once

#include <condition_variable>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "engine/engine.h"
#include "tools/mcp/handler.h"

namespace wardenv::mcp {

// What may be told of a run while it goes on.
enum class Shown { kNothing, kOutput };

class Progress {
 public:
  // Starts a thread only where the client wants to hear, or the call may become a task. REQUIRES: `context` outlives this.
  Progress(CallContext& context, std::string what, Shown shown);
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress();   // nothing is told after that

  // For a run: watches its output, and carries the call's cancellation. REQUIRES: this outlives the run.
  engine::RunIo io();

  // What is told next in place of a line of output. Empty: nothing any more.
  void say(std::string_view line);

 private:
  void watch(std::string_view chunk);
  void tell_every_few_seconds();

  CallContext& context_;
  const std::string what_;
  const Shown shown_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::string line_;         // the one that is being written
  std::string last_line_;    // the last whole one
  bool over_ = false;
  std::thread thread_;
};

}  // namespace wardenv::mcp
