// SPDX-License-Identifier: Apache-2.0
// The canonical form of a call and its digest.
#pragma once

#include "policy/approvals/store.h"

namespace wardenv::policy {

struct Canonical {
  std::string arguments_json;   // no blanks, keys sorted at every level
  std::string fingerprint;      // SHA-256 of the whole call in that form, hex
};

// Error kBadInput: not JSON, a key twice, nested too deeply, not UTF-8.
Result<Canonical> canonical(const ApprovalCall& call);

}  // namespace wardenv::policy
