// SPDX-License-Identifier: Apache-2.0
// AuditLog: group commit among the threads of this process.
#include "engine/audit/log.h"

#include <limits.h>
#include <unistd.h>

#include <condition_variable>
#include <exception>
#include <mutex>
#include <optional>
#include <utility>

#include "engine/audit/payload.h"
#include "engine/audit/writer.h"

namespace wardenv::engine {
namespace {

// One caller that waits for its record to be written.
struct Waiting {
  std::string payload{};
  Durable durable = Durable::kYes;
  bool done = false;
  Status status{};
  std::condition_variable wake{};
};

// None where the working folder is gone. A slash at the end would hide the folder that the log's own is made in.
std::optional<std::string> absolute_path(std::string folder) {
  char here[PATH_MAX];
  if (!folder.starts_with('/')) {
    if (folder.empty() || ::getcwd(here, sizeof here) == nullptr) return std::nullopt;
    folder = std::string(here) + "/" + folder;
  }
  while (folder.size() > 1 && folder.ends_with('/')) folder.pop_back();
  return folder;
}

}  // namespace

// Whoever finds nobody writing writes for all that wait, then hands over to one that came meanwhile.
struct AuditLog::Impl {
  explicit Impl(audit::Writer opened) : writer(std::move(opened)), process(::getpid()) {}

  audit::Writer writer;        // used by one thread at a time: who set `writing`
  const pid_t process;
  std::mutex mutex{};
  std::vector<Waiting*> queue{};
  std::vector<std::string> notices{};
  bool writing = false;

  Status append(Waiting& mine);
  void write_all_of(std::unique_lock<std::mutex>& lock);
  Status commit(const std::vector<Waiting*>& batch);
};

// Nothing may leave here but a status: others wait for it.
Status AuditLog::Impl::commit(const std::vector<Waiting*>& batch) try {
  std::vector<const std::string*> payloads;
  Durable durable = Durable::kNo;
  for (const Waiting* one : batch) {
    payloads.push_back(&one->payload);
    if (one->durable == Durable::kYes) durable = Durable::kYes;
  }
  return writer.commit(payloads, durable);
} catch (const std::exception& failure) {
  return fail(ErrorCode::kInternal, std::string("audit log: ") + failure.what());
}

void AuditLog::Impl::write_all_of(std::unique_lock<std::mutex>& lock) {
  writing = true;
  const std::vector<Waiting*> batch = std::exchange(queue, {});
  lock.unlock();
  const Status status = commit(batch);
  lock.lock();
  for (std::string& notice : writer.take_notices()) notices.push_back(std::move(notice));
  for (Waiting* one : batch) {
    one->status = status;
    one->done = true;
    one->wake.notify_one();
  }
  writing = false;
  if (!queue.empty()) queue.front()->wake.notify_one();
}

Status AuditLog::Impl::append(Waiting& mine) {
  std::unique_lock lock(mutex);
  queue.push_back(&mine);
  while (!mine.done) {
    if (writing) {
      mine.wake.wait(lock);
    } else {
      write_all_of(lock);
    }
  }
  return std::move(mine.status);
}

AuditLog::AuditLog(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

AuditLog::~AuditLog() = default;

Result<std::unique_ptr<AuditLog>> AuditLog::open(const std::string& folder, const AuditOptions& options) {
  const auto path = absolute_path(folder);
  if (!path || options.sign_every == 0) return fail(ErrorCode::kBadInput, "audit log: `" + folder + "` can't be opened");
  auto writer = audit::Writer::open(*path, options);
  if (!writer) return tl::unexpected(writer.error());
  std::unique_ptr<AuditLog> log(new AuditLog(std::make_unique<Impl>(std::move(*writer))));
  log->impl_->notices = log->impl_->writer.take_notices();
  return log;
}

Status AuditLog::append(const AuditRecord& record, Durable durable) {
  // A forked child would share the lock of its parent, and so lock out nobody.
  if (impl_->process != ::getpid()) return fail(ErrorCode::kInternal, "audit log: used in a forked child");
  try {
    auto payload = audit::payload_of(record, impl_->writer.value_hasher());
    if (!payload) return tl::unexpected(payload.error());
    Waiting mine;
    mine.payload = std::move(*payload);
    mine.durable = durable;
    return impl_->append(mine);
  } catch (const std::exception& failure) {
    return fail(ErrorCode::kInternal, std::string("audit log: ") + failure.what());
  }
}

std::vector<std::string> AuditLog::take_notices() {
  const std::scoped_lock lock(impl_->mutex);
  return std::exchange(impl_->notices, {});
}

}  // namespace wardenv::engine
