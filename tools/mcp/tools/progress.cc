// SPDX-License-Identifier: Apache-2.0
// Progress of a run.
#include "tools/mcp/tools/progress.h"

#include <chrono>
#include <system_error>

#include "engine/report_json.h"

namespace wardenv::mcp {
namespace {

constexpr std::chrono::seconds kFirst{2};   // when a call that is still under way can become a task
constexpr std::chrono::seconds kInterval{3};
constexpr std::size_t kMaxLine = 200;

}  // namespace

Progress::Progress(CallContext& context, std::string what, Shown shown) : context_(context), what_(std::move(what)), shown_(shown) {
  if (!context_.wants_progress()) return;
  context_.progress(0, {}, what_);
  try {
    thread_ = std::thread([this] { tell_every_few_seconds(); });
  } catch (const std::system_error&) {
    // Without a thread the client hears nothing more until the end.
  }
}

Progress::~Progress() {
  {
    const std::lock_guard lock(mutex_);
    over_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

engine::RunIo Progress::io() {
  engine::RunIo io;
  io.cancel_fd = context_.cancel_fd();
  if (!thread_.joinable() || shown_ == Shown::kNothing) return io;
  io.on_stdout = [this](std::string_view chunk) { watch(chunk); };
  io.on_stderr = io.on_stdout;
  return io;
}

void Progress::say(std::string_view line) {
  const std::lock_guard lock(mutex_);
  last_line_ = line;
}

void Progress::watch(std::string_view chunk) {
  const std::lock_guard lock(mutex_);
  while (!chunk.empty()) {
    const std::size_t end = std::min(chunk.find_first_of("\r\n"), chunk.size());
    if (line_.size() < kMaxLine) line_ += chunk.substr(0, std::min(end, kMaxLine - line_.size()));
    if (end < chunk.size() && !line_.empty()) last_line_ = std::exchange(line_, {});
    chunk.remove_prefix(std::min(end + 1, chunk.size()));
  }
}

void Progress::tell_every_few_seconds() {
  std::unique_lock lock(mutex_);
  for (double done = 1; !wake_.wait_for(lock, done == 1 ? kFirst : kInterval, [this] { return over_; }); ++done) {
    bool changed = false;
    const std::string line = engine::to_utf8(last_line_.empty() ? line_ : last_line_, changed);
    lock.unlock();
    context_.progress(done, {}, line.empty() ? what_ : line);
    lock.lock();
  }
}

}  // namespace wardenv::mcp
