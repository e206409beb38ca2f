// SPDX-License-Identifier: Apache-2.0
// ApprovalStore: calls that wait for a person, and what the person said.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/state/clock.h"
#include "sandbox/base/error.h"

namespace wardenv::policy {

enum class ApprovalState { kPending, kApproved, kDenied, kExpired, kConsumed };
std::string_view to_string(ApprovalState state);   // "pending", …

// Exactly what will run. Every field is part of the fingerprint: a call that differs in one of them is another call.
struct ApprovalCall {
  std::string tool;
  std::string arguments_json;     // any JSON text without duplicate keys; kept in canonical form
  std::string grant;
  std::string cwd;                // resolved
  std::string rule;               // JSON pointer of the rule that asks
  std::string profile{};          // the profile it will run under
  std::string policy_digest{};    // of the policy that judged it: another policy asks again
  std::string workspace{};        // resolved: what it sees and may write
  std::string venv{};             // resolved; empty: none
  std::string program{};          // the file that its command is, by its real path; empty: not looked up by name
  std::string program_identity{}; // "device:inode:seconds.nanoseconds" of that file and its last change (st_ctim)
  std::string granted_json{};     // what that profile granted then, a JSON object for the person to see
  bool operator==(const ApprovalCall&) const = default;
};

// SHA-256, 64 hex digits, of the canonical JSON (no blanks, keys sorted at every level) of the call. Refuses what is not JSON or not UTF-8.
Result<std::string> fingerprint_of(const ApprovalCall& call);

struct ApprovalTerms {
  std::chrono::milliseconds timeout{std::chrono::minutes(30)};        // pending and approved both end this long after the call
  std::chrono::milliseconds dedupe_window{std::chrono::minutes(30)};  // the same call this soon after is the same record
  std::string reason{};                                               // the rule's, shown to the person
};

using WallTime = std::chrono::system_clock::time_point;

struct Approval {
  std::string id;                 // what a person types: "k7p2-m9xq-3dfw"
  std::string fingerprint;
  ApprovalCall call;
  std::string reason;             // why it waits
  ApprovalState state = ApprovalState::kPending;
  WallTime created_at{};
  WallTime expires_at{};
  std::optional<WallTime> decided_at{};
  std::string decided_by{};
  std::string note{};             // a denial's reason
  std::uint64_t turn = 0;         // how often it was consumed (more than once only after giving back)
};

struct Asked {
  Approval approval;              // pending, or denied: then the person said no to this very call within the dedupe window
  bool is_new = false;            // made just now: tell the person
};

enum class Which { kOpen /* pending and approved */, kAll };

// Thread-safe, several processes at once, every change atomic and on disk when it returns. Every error means: deny.
class ApprovalStore {
 public:
  virtual ~ApprovalStore() = default;
  // The record of this call: the one that waits (or was denied) within the dedupe window, else a new one. Refuses when too many wait.
  virtual Result<Asked> create_or_find(const ApprovalCall& call, const ApprovalTerms& terms) = 0;
  // An approved, unexpired record of this fingerprint, now consumed; none where there is none. Exactly one caller gets it.
  virtual Result<std::optional<Approval>> consume(std::string_view fingerprint) = 0;
  // Makes a consumed record approved again (it still expires). Only the caller whose consume() answered this `turn`, only if nothing ran.
  virtual Status give_back(const Approval& consumed) = 0;

  virtual Result<std::vector<Approval>> list(Which which) = 0;        // oldest first
  virtual Result<Approval> show(std::string_view id) = 0;             // kNotFound
  // Only what is pending and unexpired; else kBadInput that says what it is.
  virtual Result<Approval> approve(std::string_view id, const std::string& by) = 0;
  virtual Result<Approval> deny(std::string_view id, const std::string& by, const std::string& reason) = 0;
};

// For tests and for `serve` without a state folder.
Result<std::unique_ptr<ApprovalStore>> make_memory_approvals(std::shared_ptr<const Clock> clock = system_clock());

// A file, made with mode 0600 (its folder with 0700) where missing; several processes may have it open.
Result<std::unique_ptr<ApprovalStore>> open_sqlite_approvals(const std::string& path, std::shared_ptr<const Clock> clock = system_clock());

}  // namespace wardenv::policy
