// SPDX-License-Identifier: Apache-2.0
// Quotas in an SQLite file.
#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Exception.h>
#include <SQLiteCpp/Transaction.h>

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

// One of the three.
struct Job {
  const std::span<const Reservation>* reserve = nullptr;
  const Receipt* give_back = nullptr;
  const CounterName* look = nullptr;
  Result<Reserved> reserved{};
  std::uint64_t used = 0;
};

class SqliteQuota final : public QuotaStore {
 public:
  SqliteQuota(std::string path, OpenDatabase database, std::shared_ptr<const Clock> clock)
      : path_(std::move(path)), file_(file_id(path_)), database_(std::move(database)), time_(*database_, std::move(clock), SqliteLedger::last_seen()),
        ledger_(*database_) {}

  Result<Reserved> reserve(std::span<const Reservation> wanted) override {
    WARDENV_TRY(check_reservations(wanted));
    if (wanted.empty()) return Reserved{.granted = true};
    Job job{.reserve = &wanted};
    submit(job);
    return std::move(job.reserved);
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
  void submit(Job& job) {
    combiner_.run(job, [this](std::vector<Job*>& jobs) { run(jobs); });
  }

  // A batch that could not be committed counts for none of its callers.
  void run(std::vector<Job*>& jobs) {
    if (const Status status = transact(jobs); !status) {
      time_.forget();
      for (Job* job : jobs) job->reserved = tl::unexpected(status.error());
    }
  }

  Status transact(std::vector<Job*>& jobs) {
    if (file_id(path_) != file_) return tl::unexpected(replaced_error(path_, schema()));
    try {
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
  Combiner<Job> combiner_{};
};

}  // namespace

Result<std::unique_ptr<QuotaStore>> open_sqlite_quota(const std::string& path, Durability durability, std::shared_ptr<const Clock> clock) {
  auto database = open_database(path, schema(), durability);
  if (!database) return tl::unexpected(std::move(database).error());
  return std::make_unique<SqliteQuota>(path, std::move(*database), std::move(clock));
}

}  // namespace wardenv::policy
