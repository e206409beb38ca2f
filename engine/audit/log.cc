// SPDX-License-Identifier: Apache-2.0
// AuditLog: group commit among the threads of this process.
#include "engine/audit/log.h"

namespace wardenv::engine {

struct AuditLog::Impl {};

AuditLog::AuditLog(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
AuditLog::~AuditLog() = default;

Result<std::unique_ptr<AuditLog>> AuditLog::open(const std::string&, const AuditOptions&) { return fail(ErrorCode::kInternal, "no audit log yet"); }
Status AuditLog::append(const AuditRecord&, Durable) { return fail(ErrorCode::kInternal, "no audit log yet"); }
std::vector<std::string> AuditLog::take_notices() { return {}; }

}  // namespace wardenv::engine
