// SPDX-License-Identifier: Apache-2.0
// Decision: what a policy says about one call, and what an allowed call is obliged to.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/core/document.h"

namespace wardenv::policy {

enum class Effect { kAllow, kDeny, kRequireApproval };
std::string_view to_string(Effect effect);   // "allow", "deny", "require_approval"

// One rule that was looked at, in the order of judging; only where a trace was asked for.
struct TraceEntry {
  std::string rule{};     // JSON pointer, or a name in parentheses
  std::string result{};   // one line
};

// One counter that the call takes from. All of a decision's are reserved together or none is.
struct QuotaUse {
  std::string key{};                       // scope, whose, counter and window in one; no two different counters share one
  std::chrono::milliseconds window{0};
  LimitMode mode = LimitMode::kSliding;
  std::uint64_t amount = 1;                // may be 0: nothing is counted, but more than `max` refuses
  std::uint64_t max = 0;
  std::string rule{};                      // JSON pointer of the limit
  std::string counter{};                   // its name, for messages
  std::string reason{};                    // the document's own words for a refusal; may be empty
};

struct ApprovalNeed {
  std::string rule{};                      // who asks for it; part of the fingerprint of the pending record
  std::string reason{};
  std::chrono::milliseconds timeout{0};
};

// `rule` is the JSON pointer of what decided, or "(hidden)", "(default deny)", "(default allow)", "(no grant)", "(unknown grant)",
// "(no policy)", "(malformed call)". A front end must answer a call with the rule "(hidden)" exactly as one of a tool that does not exist.
// The fields after `trace` are set where the effect is not kDeny.
struct Decision {
  Effect effect = Effect::kDeny;
  std::string rule = "(no policy)";
  std::string reason = "no policy was loaded";
  std::vector<TraceEntry> trace{};
  std::string profile{};                   // name in Document::profiles; empty: none is asked for
  std::vector<QuotaUse> quotas{};          // to reserve, in the order of the document
  std::optional<ApprovalNeed> approval;    // set with kRequireApproval
};

// The JSON form of the contract: {"effect", "rule", "reason", "trace": [{"rule", "result"}]}. `trace` is left out of a report.
std::string decision_to_json(const Decision& decision);

// The length of a window, exactly: "1 day", "90 seconds", "1500 ms".
std::string window_text(std::chrono::milliseconds window);

// Why a call that takes more than `max` can never be allowed, however long it waits.
std::string never_fits(const QuotaUse& use);

// The decision after the store refused `quotas[refused]`: a denial by that limit. `free_in`: when it would pass; none: not known (or never).
Decision refuse_by_quota(const Decision& decision, std::size_t refused, std::optional<std::chrono::milliseconds> free_in);

// The decision after another judge (a hook, an approval, a store that can't be reached) said no.
Decision refuse(const Decision& decision, std::string rule, std::string reason);

}  // namespace wardenv::policy
