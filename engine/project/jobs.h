// SPDX-License-Identifier: Apache-2.0
// Jobs: runs that go on after the call that started them, bounded in number, memory and time.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/engine.h"
#include "sandbox/base/error.h"

namespace wardenv::engine {

struct JobLimits {
  std::size_t running = 32;                            // in all
  std::size_t running_of_payer = 8;
  std::size_t kept = 128;                              // running and ended; the ones that ended first go first
  std::size_t output_bytes = 256 << 10;                // of each stream of each job: the newest
  std::chrono::seconds keep_ended{std::chrono::minutes(30)};
};

enum class JobState { kRunning, kCancelling, kEnded };
std::string_view to_string(JobState state);

// What came on one stream from `from` on, of all that the job wrote.
struct OutputPart {
  std::string bytes{};
  std::uint64_t from = 0;     // more than what was asked for where older output is gone
  std::uint64_t total = 0;    // all bytes so far
  [[nodiscard]] std::uint64_t next() const { return from + bytes.size(); }
};

struct JobSummary {
  std::string id{};
  std::string label{};         // the command, for people
  JobState state = JobState::kRunning;
  std::chrono::milliseconds age{0};   // since it was started
  std::uint64_t stdout_bytes = 0;
  std::uint64_t stderr_bytes = 0;
};

struct JobStatus {
  JobSummary summary;
  OutputPart out;
  OutputPart err;
  std::optional<RunReport> report;   // once it has ended; its output is in the parts
};

struct JobQuery {
  std::uint64_t stdout_from = 0;
  std::uint64_t stderr_from = 0;
  std::size_t max_bytes = 64 << 10;            // of each stream
  std::chrono::milliseconds wait{0};           // for new output or the end
  int cancel_fd = -1;                          // ends the waiting; not owned
};

// Thread-safe. A job is seen by its owner only: to anyone else it does not exist.
class Jobs {
 public:
  using Work = std::function<RunReport(const RunIo& io)>;   // called once, in the job's own thread

  explicit Jobs(const JobLimits& limits = {});
  Jobs(const Jobs&) = delete;
  Jobs& operator=(const Jobs&) = delete;
  ~Jobs();   // cancels all and waits for their ends

  // The new job's id: 128 random bits in hexadecimal. Error kHost: too many are running, with what to do. `payer`: whose places it takes,
  // which many owners may share; none: the owner's own.
  Result<std::string> start(const std::string& owner, const std::string& label, Work work, const std::optional<std::string>& payer = {});

  // Error kNotFound: none of that id, or not yours, or forgotten.
  Result<JobStatus> status(const std::string& owner, std::string_view id, const JobQuery& query);
  // Asks it to end; the sandbox is killed within a moment. One that has ended stays as it is.
  Result<JobSummary> cancel(const std::string& owner, std::string_view id);
  [[nodiscard]] std::vector<JobSummary> list(const std::string& owner);   // newest first
  [[nodiscard]] bool has_running(const std::string& owner) const;
  // Cancels what such owners run, and forgets it once it has ended. Does not wait for that.
  void drop_owners(const std::function<bool(const std::string& owner)>& which);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace wardenv::engine
