// SPDX-License-Identifier: Apache-2.0
// Head: where the log stood at a time, signed. Whoever keeps one elsewhere can tell later that the log was rewritten.
#pragma once

#include <cstdint>
#include <string>

#include "sandbox/base/error.h"

namespace wardenv::engine {

struct AuditHead {
  std::uint64_t seq = 0;
  std::string hash{};        // of record seq, 64 digits
  std::string time{};        // when it was signed
  std::string public_key{};  // Ed25519, 64 digits
  std::string signature{};   // 128 digits
  bool operator==(const AuditHead&) const = default;
};

// Signs where the log in `folder` stands now, after checking its end. Errors: kNotFound, and as AuditLog::open.
Result<AuditHead> sign_audit_head(const std::string& folder);

std::string audit_head_to_json(const AuditHead& head);                  // one line, no newline
Result<AuditHead> audit_head_from_json(const std::string& text);        // strict; error kBadInput
bool audit_head_holds(const AuditHead& head);                           // its signature is of its own public key

}  // namespace wardenv::engine
