// SPDX-License-Identifier: Apache-2.0
// An AuditRecord as the JSON members of its line.
#pragma once

#include <string>

#include "engine/audit/crypto.h"
#include "engine/audit/record.h"

namespace wardenv::engine::audit {

// `"event":"admit","run_id":"…",…`: ASCII only, no newline, bounded whatever is in the record. `values` hashes argument values.
// Error kBadInput: no event.
Result<std::string> payload_of(const AuditRecord& record, const Hmac& values);

}  // namespace wardenv::engine::audit
