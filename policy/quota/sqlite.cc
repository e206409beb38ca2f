// SPDX-License-Identifier: Apache-2.0
// Quotas in an SQLite file.
#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Exception.h>
#include <SQLiteCpp/Transaction.h>
#include <sqlite3.h>

#include <algorithm>

#include "policy/quota/combiner.h"
#include "policy/quota/sqlite_ledger.h"
#include "policy/state/database.h"
#include "policy/state/stored_time.h"

namespace wardenv::policy {
namespace {

const std::string& create_sql() {
  static const std::string sql = std::string(StoredTime::schema()) + SqliteLedger::schema();
  return sql;
}

Schema schema() {
  return {.what = "quota store", .application_id = 0x57445155 /* "WDQU" */, .version = 1, .create = create_sql().c_str(),
          .if_lost = "every quota then begins at zero"};
}

// What a transaction is synced with: its own commit, or settle().
enum class Sync { kCommit, kLater };

// One of the four.
struct Job {
  const std::span<const Reservation>* reserve = nullptr;
  Sync sync = Sync::kCommit;     // of a reservation
  bool settle = false;
  const Receipt* give_back = nullptr;
  const CounterName* look = nullptr;
  Result<Reserved> reserved{};
  std::uint64_t used = 0;
};

class SqliteQuota final : public QuotaStore {
 public:
  SqliteQuota(std::string path, OpenDatabase database, std::shared_ptr<const Clock> clock, Durability durability)
      : path_(std::move(path)), file_(file_id(path_)), database_(std::move(database)), time_(*database_, std::move(clock), SqliteLedger::last_seen()),
        ledger_(*database_), durability_(durability) {}

  Result<Reserved> reserve(std::span<const Reservation> wanted) override { return reserve(wanted, Sync::kCommit); }

  Result<Reserved> reserve_ahead(std::span<const Reservation> wanted) override {
    auto reserved = reserve(wanted, durability_ == Durability::kPowerLoss ? Sync::kLater : Sync::kCommit);
    if (!reserved || durability_ != Durability::kPowerLoss) return reserved;
    if (reserved->receipt.entries.empty()) WARDENV_TRY(settle());   // what the clock has shown is written down all the same
    else reserved->on_disk = false;
    return reserved;
  }

  Status settle() override {
    Job job{.settle = true};
    submit(job);
    return job.reserved ? Status() : tl::unexpected(job.reserved.error());
  }

  Status give_back(const Receipt& receipt) override {
    if (receipt.entries.empty()) return {};
    Job job{.give_back = &receipt};
    submit(job);
    return job.reserved ? Status() : tl::unexpected(job.reserved.error());
  }

  Result<std::uint64_t> used(std::string_view key, std::chrono::milliseconds window, WindowMode mode) override {
    WARDENV_TRY(check_window(window));
    const CounterName name{key, window.count(), mode};
    Job job{.look = &name};
    submit(job);
    if (!job.reserved) return tl::unexpected(job.reserved.error());
    return job.used;
  }

 private:
  Result<Reserved> reserve(std::span<const Reservation> wanted, Sync sync) {
    WARDENV_TRY(check_reservations(wanted));
    if (wanted.empty()) return Reserved{.granted = true};
    Job job{.reserve = &wanted, .sync = sync};
    submit(job);
    return std::move(job.reserved);
  }

  void submit(Job& job) {
    combiner_.run(job, [this](std::vector<Job*>& jobs) { run(jobs); });
  }

  void run(std::vector<Job*>& jobs) {
    const auto settles = std::stable_partition(jobs.begin(), jobs.end(), [](const Job* job) { return !job->settle; });
    if (settles != jobs.begin()) count({jobs.begin(), settles});
    if (settles == jobs.end()) return;
    const Status synced = sync_log();
    for (auto job = settles; !synced && job != jobs.end(); ++job) (*job)->reserved = tl::unexpected(synced.error());
  }

  // A batch that could not be committed counts for none of its callers.
  void count(std::span<Job* const> jobs) {
    if (const Status status = transact(jobs); !status) {
      time_.forget();
      for (Job* job : jobs) job->reserved = tl::unexpected(status.error());
    }
  }

  // PRAGMA synchronous: with NORMAL a commit is in the log, for every process to see, and the log is not synced.
  void choose_sync(std::span<Job* const> jobs) {
    if (durability_ != Durability::kPowerLoss) return;
    const Sync wanted = std::all_of(jobs.begin(), jobs.end(), [](const Job* job) { return job->sync == Sync::kLater; }) ? Sync::kLater : Sync::kCommit;
    if (wanted != sync_) database_->exec(wanted == Sync::kCommit ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL");
    sync_ = wanted;
  }

  // All that was committed before: what is not in the log any more was synced when it was moved into the file.
  Status sync_log() {
    sqlite3_file* log = nullptr;
    sqlite3_file_control(database_->getHandle(), "main", SQLITE_FCNTL_JOURNAL_POINTER, static_cast<void*>(&log));
    if (log == nullptr || log->pMethods == nullptr) return fail(ErrorCode::kInternal, "the quota store has no log");
    const int synced = log->pMethods->xSync(log, SQLITE_SYNC_NORMAL);
    if (synced == SQLITE_OK) return {};
    return tl::unexpected(database_error(SQLite::Exception("its log could not be put on disk", synced), path_, schema()));
  }

  Status transact(std::span<Job* const> jobs) {
    if (file_id(path_) != file_) return tl::unexpected(replaced_error(path_, schema()));
    try {
      choose_sync(jobs);
      SQLite::Transaction transaction(*database_, SQLite::TransactionBehavior::IMMEDIATE);
      const Moment now = time_.now();   // under the writer's lock: later transactions have later times
      ledger_.begin(now);
      for (Job* job : jobs) judge(*job, now);
      ledger_.flush();
      transaction.commit();
      return {};
    } catch (const SQLite::Exception& thrown) {
      return tl::unexpected(database_error(thrown, path_, schema()));
    } catch (const std::exception& thrown) {
      return fail(ErrorCode::kInternal, std::string("the quota store failed: ") + thrown.what());
    }
  }

  void judge(Job& job, Moment now) {
    if (job.reserve != nullptr) job.reserved = reserve_in(ledger_, *job.reserve, now);
    if (job.give_back != nullptr) give_back_to(ledger_, *job.give_back);
    if (job.look != nullptr) job.used = ledger_.open(*job.look, now).used;
  }

  std::string path_;
  FileId file_;
  OpenDatabase database_;
  StoredTime time_;
  SqliteLedger ledger_;
  Durability durability_;
  Sync sync_ = Sync::kCommit;   // of the connection, where it is durable at all
  Combiner<Job> combiner_{};
};

}  // namespace

Result<std::unique_ptr<QuotaStore>> open_sqlite_quota(const std::string& path, Durability durability, std::shared_ptr<const Clock> clock) {
  auto database = open_database(path, schema(), durability);
  if (!database) return tl::unexpected(std::move(database).error());
  return std::make_unique<SqliteQuota>(path, std::move(*database), std::move(clock), durability);
}

}  // namespace wardenv::policy
