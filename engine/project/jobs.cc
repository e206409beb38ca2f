// SPDX-License-Identifier: Apache-2.0
// Jobs: one thread each, as many as the limits allow.
#include "engine/project/jobs.h"

#include <sys/eventfd.h>
#include <sys/random.h>

#include <algorithm>
#include <condition_variable>
#include <cstdio>
#include <list>
#include <mutex>
#include <system_error>
#include <thread>

#include "engine/cancel.h"
#include "sandbox/base/unique_fd.h"

namespace wardenv::engine {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kLookAgain{100};   // how soon a wait hears of its cancellation

// The newest bytes of a stream, and how many there were.
class Tail {
 public:
  explicit Tail(std::size_t limit) : limit_(limit) {}

  void add(std::string_view chunk) {
    total_ += chunk.size();
    if (chunk.size() > limit_) chunk.remove_prefix(chunk.size() - limit_);
    kept_ += chunk;
    // Twice the limit before anything moves: each byte is moved once at most.
    if (kept_.size() > 2 * limit_) kept_.erase(0, kept_.size() - limit_);
  }

  [[nodiscard]] std::uint64_t total() const { return total_; }

  [[nodiscard]] OutputPart part(std::uint64_t from, std::size_t max_bytes) const {
    const std::size_t have = std::min(kept_.size(), limit_);
    OutputPart part{{}, std::clamp<std::uint64_t>(from, total_ - have, total_), total_};
    part.bytes = kept_.substr(kept_.size() - static_cast<std::size_t>(total_ - part.from), max_bytes);
    return part;
  }

 private:
  std::size_t limit_;
  std::uint64_t total_ = 0;
  std::string kept_;
};

Result<std::string> new_id() {
  unsigned char bytes[16];
  if (::getrandom(bytes, sizeof bytes, 0) != static_cast<ssize_t>(sizeof bytes)) return fail_errno(ErrorCode::kHost, "getrandom");
  std::string id;
  for (const unsigned char byte : bytes) {
    char hex[3];
    std::snprintf(hex, sizeof hex, "%02x", byte);
    id += hex;
  }
  return id;
}

struct Job {
  std::string id;
  std::string owner;
  std::string payer;
  std::string label;
  JobState state = JobState::kRunning;
  Clock::time_point started = Clock::now();
  Clock::time_point ended{};
  bool forget = false;     // its owner is gone
  Tail out;
  Tail err;
  std::optional<RunReport> report;
  UniqueFd cancel;         // an eventfd
  std::thread thread;

  explicit Job(std::size_t output_bytes) : out(output_bytes), err(output_bytes) {}
};

using JobPtr = std::shared_ptr<Job>;

JobSummary summary_of(const Job& job) {
  const auto until = job.state == JobState::kEnded ? job.ended : Clock::now();
  return {job.id, job.label, job.state, std::chrono::duration_cast<std::chrono::milliseconds>(until - job.started), job.out.total(), job.err.total()};
}

tl::unexpected<Error> unknown() {
  return fail(ErrorCode::kNotFound, "there is no run of yours with this id", "list_runs names them; ended ones are forgotten after a while");
}

}  // namespace

std::string_view to_string(JobState state) {
  switch (state) {
    case JobState::kRunning: return "running";
    case JobState::kCancelling: return "cancelling";
    case JobState::kEnded: return "ended";
  }
  return "ended";
}

struct Jobs::Impl {
  explicit Impl(const JobLimits& given) : limits(given) {}

  const JobLimits limits;
  std::mutex mutex;
  std::condition_variable changed;
  std::list<JobPtr> jobs;   // in the order of their starts

  JobPtr find(const std::string& owner, std::string_view id) {
    const auto job = std::find_if(jobs.begin(), jobs.end(), [&](const JobPtr& item) { return item->id == id && item->owner == owner && !item->forget; });
    return job == jobs.end() ? nullptr : *job;
  }

  [[nodiscard]] std::size_t running(const std::string* payer) const {
    return static_cast<std::size_t>(std::count_if(jobs.begin(), jobs.end(), [&](const JobPtr& job) {
      return job->state != JobState::kEnded && (payer == nullptr || job->payer == *payer);
    }));
  }

  // Takes out what may go; the caller joins their threads (which are at their last instruction) without the lock.
  std::vector<JobPtr> prune() {
    std::vector<JobPtr> gone;
    const auto old = Clock::now() - limits.keep_ended;
    const auto may_go = [&](const JobPtr& job) { return job->state == JobState::kEnded && (job->forget || job->ended < old); };
    for (auto job = jobs.begin(); job != jobs.end();) {
      if (may_go(*job)) gone.push_back(*job);
      job = may_go(*job) ? jobs.erase(job) : std::next(job);
    }
    while (jobs.size() > limits.kept) {
      auto oldest = jobs.end();
      for (auto job = jobs.begin(); job != jobs.end(); ++job) {
        if ((*job)->state == JobState::kEnded && (oldest == jobs.end() || (*job)->ended < (*oldest)->ended)) oldest = job;
      }
      if (oldest == jobs.end()) break;
      gone.push_back(*oldest);
      jobs.erase(oldest);
    }
    return gone;
  }

  static void join(const std::vector<JobPtr>& gone) {
    for (const JobPtr& job : gone) {
      if (job->thread.joinable()) job->thread.join();
    }
  }

  Status check_room(const std::string& payer) const {
    const auto refuse = [](const std::string& what) {
      return fail(ErrorCode::kHost, what + " are under way already", "wait for one to end (run_status), or end one (cancel_run)");
    };
    if (running(&payer) >= limits.running_of_payer) return refuse(std::to_string(limits.running_of_payer) + " runs of yours");
    if (running(nullptr) >= limits.running) return refuse(std::to_string(limits.running) + " runs in the background");
    return {};
  }

  void keep_output(const JobPtr& job, Tail Job::* stream, std::string_view chunk) {
    const std::lock_guard lock(mutex);
    ((*job).*stream).add(chunk);
    changed.notify_all();
  }

  void work(const JobPtr& job, const Work& work) {
    RunIo io;
    io.on_stdout = [&](std::string_view chunk) { keep_output(job, &Job::out, chunk); };
    io.on_stderr = [&](std::string_view chunk) { keep_output(job, &Job::err, chunk); };
    io.cancel_fd = job->cancel.get();
    RunReport report = work(io);
    report.out.text = {};   // it is in the tails
    report.err.text = {};
    const std::lock_guard lock(mutex);
    job->report = std::move(report);
    job->state = JobState::kEnded;
    job->ended = Clock::now();
    changed.notify_all();
  }

  void cancel(Job& job) {
    if (job.state != JobState::kRunning) return;
    job.state = JobState::kCancelling;
    (void)::eventfd_write(job.cancel.get(), 1);
  }
};

Jobs::Jobs(const JobLimits& limits) : impl_(std::make_unique<Impl>(limits)) {}

Jobs::~Jobs() {
  std::vector<JobPtr> all;
  {
    const std::lock_guard lock(impl_->mutex);
    for (const JobPtr& job : impl_->jobs) impl_->cancel(*job);
    all.assign(impl_->jobs.begin(), impl_->jobs.end());
  }
  Impl::join(all);
}

Result<std::string> Jobs::start(const std::string& owner, const std::string& label, Work work, const std::optional<std::string>& payer) {
  auto id = new_id();
  if (!id) return id;
  auto job = std::make_shared<Job>(impl_->limits.output_bytes);
  job->id = *id;
  job->owner = owner;
  job->payer = payer.value_or(owner);
  job->label = label.substr(0, 400);
  job->cancel.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!job->cancel.valid()) return fail_errno(ErrorCode::kHost, "eventfd");
  std::vector<JobPtr> gone;
  Status started;
  {
    const std::lock_guard lock(impl_->mutex);
    gone = impl_->prune();
    started = impl_->check_room(job->payer);
    if (started) {
      try {
        job->thread = std::thread([impl = impl_.get(), job, work = std::move(work)] { impl->work(job, work); });
        impl_->jobs.push_back(job);
      } catch (const std::system_error& error) {
        started = fail(ErrorCode::kHost, std::string("cannot start a thread: ") + error.what());
      }
    }
  }
  Impl::join(gone);
  if (!started) return tl::unexpected(started.error());
  return id;
}

Result<JobStatus> Jobs::status(const std::string& owner, std::string_view id, const JobQuery& query) {
  std::unique_lock lock(impl_->mutex);
  const JobPtr job = impl_->find(owner, id);
  if (job == nullptr) return unknown();
  const auto deadline = Clock::now() + query.wait;
  const auto has_news = [&] { return job->state == JobState::kEnded || job->out.total() > query.stdout_from || job->err.total() > query.stderr_from; };
  while (!has_news() && Clock::now() < deadline && !is_cancelled(query.cancel_fd)) {
    impl_->changed.wait_until(lock, std::min(deadline, Clock::now() + kLookAgain));
  }
  return JobStatus{summary_of(*job), job->out.part(query.stdout_from, query.max_bytes), job->err.part(query.stderr_from, query.max_bytes), job->report};
}

Result<JobSummary> Jobs::cancel(const std::string& owner, std::string_view id) {
  const std::lock_guard lock(impl_->mutex);
  const JobPtr job = impl_->find(owner, id);
  if (job == nullptr) return unknown();
  impl_->cancel(*job);
  return summary_of(*job);
}

std::vector<JobSummary> Jobs::list(const std::string& owner) {
  std::vector<JobPtr> gone;
  std::vector<JobSummary> found;
  {
    const std::lock_guard lock(impl_->mutex);
    gone = impl_->prune();
    for (auto job = impl_->jobs.rbegin(); job != impl_->jobs.rend(); ++job) {
      if ((*job)->owner == owner && !(*job)->forget) found.push_back(summary_of(**job));
    }
  }
  Impl::join(gone);
  return found;
}

bool Jobs::has_running(const std::string& owner) const {
  const std::lock_guard lock(impl_->mutex);
  return std::any_of(impl_->jobs.begin(), impl_->jobs.end(), [&](const JobPtr& job) { return job->state != JobState::kEnded && job->owner == owner; });
}

void Jobs::drop_owners(const std::function<bool(const std::string& owner)>& which) {
  const std::lock_guard lock(impl_->mutex);
  for (const JobPtr& job : impl_->jobs) {
    if (!which(job->owner)) continue;
    impl_->cancel(*job);
    job->forget = true;
  }
}

}  // namespace wardenv::engine
