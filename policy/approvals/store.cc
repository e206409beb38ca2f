// SPDX-License-Identifier: Apache-2.0
// Approvals in an SQLite file or in memory.
#include "policy/approvals/store.h"

#include <SQLiteCpp/Exception.h>
#include <SQLiteCpp/Transaction.h>
#include <openssl/rand.h>

#include <algorithm>
#include <mutex>

#include "policy/approvals/fingerprint.h"
#include "policy/approvals/rows.h"
#include "policy/state/database.h"
#include "policy/state/stored_time.h"

namespace wardenv::policy {
namespace {

using std::chrono::milliseconds;

// More than a person can look at: a caller that asks for more is flooding.
constexpr std::int64_t kMostWaitingOfGrant = 100;
constexpr std::int64_t kMostWaiting = 1000;
constexpr std::size_t kLongestArguments = 256 << 10;
constexpr std::int64_t kKeptNumber = 1000;   // of those that have ended
constexpr std::int64_t kKeptTime = std::chrono::milliseconds(std::chrono::hours(24 * 30)).count();

const std::string& create_sql() {
  static const std::string sql = std::string(StoredTime::schema()) + ApprovalRows::schema();
  return sql;
}

Schema schema() {
  return {.what = "approvals store", .application_id = 0x57444150 /* "WDAP" */, .version = 3, .create = create_sql().c_str(),
          .if_lost = "calls that wait or were approved must then be asked for again"};
}

// 60 bits, in letters and digits that are not mistaken for each other: "k7p2-m9xq-3dfw".
std::string new_id() {
  unsigned char bytes[12];
  if (RAND_bytes(bytes, sizeof bytes) != 1) throw std::runtime_error("no random bytes");
  std::string id;
  for (std::size_t i = 0; i < sizeof bytes; ++i) {
    if (i > 0 && i % 4 == 0) id += '-';
    id += "0123456789abcdefghjkmnpqrstvwxyz"[bytes[i] % 32];
  }
  return id;
}

bool is_open(const Approval& approval) { return approval.state == ApprovalState::kPending || approval.state == ApprovalState::kApproved; }

tl::unexpected<Error> unknown_id(std::string_view id) {
  return fail(ErrorCode::kNotFound, "there is no approval `" + std::string(id) + "`", "`wardenv approvals list` shows those that wait");
}

tl::unexpected<Error> not_pending(const Approval& approval) {
  std::string message = "the approval `" + approval.id + "` is not pending: it is " + std::string(to_string(approval.state));
  if (!approval.decided_by.empty() && approval.state != ApprovalState::kExpired) message += " (decided by `" + approval.decided_by + "`)";
  return fail(ErrorCode::kBadInput, std::move(message), "the call must be made again to wait anew");
}

class Store final : public ApprovalStore {
 public:
  Store(std::string path, OpenDatabase database, std::shared_ptr<const Clock> clock)
      : path_(std::move(path)), file_(file_id(path_)), database_(std::move(database)), time_(*database_, std::move(clock), ApprovalRows::last_seen()),
        rows_(*database_) {}

  Result<Asked> create_or_find(const ApprovalCall& call, const ApprovalTerms& terms) override {
    if (call.arguments_json.size() > kLongestArguments) return fail(ErrorCode::kBadInput, "the arguments are too long for a person to look at", "256K at most");
    auto form = canonical(call);
    if (!form) return tl::unexpected(std::move(form).error());
    return transact<Asked>([&](Moment now) -> Result<Asked> {
      if (auto known = find_known(form->fingerprint, terms, now)) return Asked{std::move(*known), false};
      const ApprovalRows::Waiting waiting = rows_.count_waiting(call.grant, now);
      if (waiting.of_grant >= kMostWaitingOfGrant || waiting.all >= kMostWaiting) {
        return fail(ErrorCode::kHost, "too many calls wait for a person already", "`wardenv approvals list`, then approve or deny them");
      }
      return Asked{create(call, *form, terms, now), true};
    });
  }

  Result<std::optional<Approval>> consume(std::string_view fingerprint) override {
    return transact<std::optional<Approval>>([&](Moment now) -> Result<std::optional<Approval>> {
      for (Approval& approval : rows_.of_fingerprint(fingerprint, now)) {
        if (approval.state != ApprovalState::kApproved) continue;
        approval.state = ApprovalState::kConsumed;
        ++approval.turn;
        rows_.update(approval, now);
        return std::move(approval);
      }
      return std::nullopt;
    });
  }

  Status give_back(const Approval& consumed) override {
    const auto done = transact<Approval>([&](Moment now) -> Result<Approval> {
      auto approval = rows_.find(consumed.id, now);
      if (!approval) return unknown_id(consumed.id);
      if (approval->state != ApprovalState::kConsumed || approval->turn != consumed.turn) {
        return fail(ErrorCode::kBadInput, "the approval `" + consumed.id + "` is not this call's to give back");
      }
      approval->state = ApprovalState::kApproved;
      rows_.update(*approval, now);
      return *approval;
    });
    return done ? Status() : tl::unexpected(done.error());
  }

  Result<std::vector<Approval>> list(Which which) override {
    return transact<std::vector<Approval>>([&](Moment now) -> Result<std::vector<Approval>> {
      auto found = rows_.all(now);
      if (which == Which::kOpen) std::erase_if(found, [](const Approval& approval) { return !is_open(approval); });
      return found;
    });
  }

  Result<Approval> show(std::string_view id) override {
    return transact<Approval>([&](Moment now) -> Result<Approval> {
      auto approval = rows_.find(id, now);
      if (!approval) return unknown_id(id);
      return std::move(*approval);
    });
  }

  Result<Approval> approve(std::string_view id, const std::string& by) override { return decide(id, ApprovalState::kApproved, by, {}); }
  Result<Approval> deny(std::string_view id, const std::string& by, const std::string& reason) override {
    return decide(id, ApprovalState::kDenied, by, reason);
  }

 private:
  // The newest that still says something about this call.
  std::optional<Approval> find_known(const std::string& fingerprint, const ApprovalTerms& terms, Moment now) {
    std::optional<Approval> known;
    const WallTime since = wall_time(now.at, now) - terms.dedupe_window;
    for (Approval& approval : rows_.of_fingerprint(fingerprint, now)) {
      const bool open = is_open(approval) && approval.created_at > since;
      const bool denied = approval.state == ApprovalState::kDenied && approval.decided_at && *approval.decided_at > since;
      if (open || denied || approval.state == ApprovalState::kApproved) known = std::move(approval);
    }
    return known;
  }

  Approval create(const ApprovalCall& call, const Canonical& form, const ApprovalTerms& terms, Moment now) {
    rows_.forget(now.at - kKeptTime, kKeptNumber, now);
    Approval approval{.id = new_id(), .fingerprint = form.fingerprint, .call = call, .reason = terms.reason, .created_at = wall_time(now.at, now)};
    approval.call.arguments_json = form.arguments_json;
    approval.expires_at = approval.created_at + terms.timeout;
    rows_.insert(approval, now);
    return approval;
  }

  Result<Approval> decide(std::string_view id, ApprovalState state, const std::string& by, const std::string& note) {
    return transact<Approval>([&](Moment now) -> Result<Approval> {
      auto approval = rows_.find(id, now);
      if (!approval) return unknown_id(id);
      if (approval->state != ApprovalState::kPending) return not_pending(*approval);
      approval->state = state;
      approval->decided_at = wall_time(now.at, now);
      approval->decided_by = by;
      approval->note = note;
      rows_.update(*approval, now);
      return std::move(*approval);
    });
  }

  // What the work answers counts only once it is committed; an answered error rolls back.
  template <typename T, typename Work>
  Result<T> transact(const Work& work) {
    const std::scoped_lock lock(mutex_);
    if (file_id(path_) != file_) return tl::unexpected(replaced_error(path_, schema()));
    auto done = commit<T>(work);
    if (!done) time_.forget();
    return done;
  }

  template <typename T, typename Work>
  Result<T> commit(const Work& work) {
    try {
      SQLite::Transaction transaction(*database_, SQLite::TransactionBehavior::IMMEDIATE);
      Result<T> done = work(time_.now());
      if (done) transaction.commit();
      return done;
    } catch (const SQLite::Exception& thrown) {
      return tl::unexpected(database_error(thrown, path_, schema()));
    } catch (const std::exception& thrown) {
      return fail(ErrorCode::kInternal, std::string("the approvals store failed: ") + thrown.what());
    }
  }

  std::string path_;
  FileId file_;
  OpenDatabase database_;
  StoredTime time_;
  ApprovalRows rows_;
  std::mutex mutex_{};
};

}  // namespace

std::string_view to_string(ApprovalState state) {
  switch (state) {
    case ApprovalState::kPending: return "pending";
    case ApprovalState::kApproved: return "approved";
    case ApprovalState::kDenied: return "denied";
    case ApprovalState::kExpired: return "expired";
    case ApprovalState::kConsumed: return "consumed";
  }
  return "expired";
}

Result<std::unique_ptr<ApprovalStore>> open_sqlite_approvals(const std::string& path, std::shared_ptr<const Clock> clock) {
  auto database = open_database(path, schema(), Durability::kPowerLoss);
  if (!database) return tl::unexpected(std::move(database).error());
  return std::make_unique<Store>(path, std::move(*database), std::move(clock));
}

Result<std::unique_ptr<ApprovalStore>> make_memory_approvals(std::shared_ptr<const Clock> clock) { return open_sqlite_approvals("", std::move(clock)); }

}  // namespace wardenv::policy
