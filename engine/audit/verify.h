// SPDX-License-Identifier: Apache-2.0
// Verifying a log: every byte of every file, from the first record to the last, in bounded memory.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/audit/head.h"

namespace wardenv::engine {

// The first thing that is wrong.
struct AuditProblem {
  std::string kind{};     // key | anchor | head | start | missing | changed | order | form | torn | cut
  std::string message{};  // one line
  std::string file{};     // name in the folder; may be empty
  std::uint64_t line = 0; // 1-based, 0: no line
  std::uint64_t seq = 0;  // of the record that was expected there, 0: none
};

struct AuditVerdict {
  std::uint64_t records = 0;   // that hold, up to the problem
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;
  std::uint64_t first_seq = 0;
  std::uint64_t last_seq = 0;
  std::string last_hash{};
  std::optional<AuditProblem> problem{};
  std::vector<std::string> notes{};   // what could not be told; calls without an end; what a crash, or a cut that looks like one, took
};

// Checks that nothing was changed, cut, moved or put in; with `held`, also that the log goes on from that head. Where a log begins after its
// first record (older files were taken away) only a held head of the record before can vouch for it. An Error is ours: not readable, not there.
// A cut of records that were not on disk yet (ends of runs, refusals) is a problem until the next record is written; that one says what was gone, and
// from then on it is a note. Can't be told, by anybody: that the newest records were cut off together with an anchor of the same age, or everything rewritten by who has
// the key file, unless a head from after that point is held elsewhere.
Result<AuditVerdict> verify_audit_log(const std::string& folder, const std::optional<AuditHead>& held = std::nullopt);

}  // namespace wardenv::engine
