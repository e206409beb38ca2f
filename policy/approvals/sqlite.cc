// SPDX-License-Identifier: Apache-2.0
// Approvals in an SQLite file. Refuses until it is built.
#include "policy/approvals/store.h"

namespace wardenv::policy {

Result<std::string> fingerprint_of(const ApprovalCall&) { return fail(ErrorCode::kInternal, "fingerprints are not built yet"); }

Result<std::unique_ptr<ApprovalStore>> make_memory_approvals(std::shared_ptr<const Clock>) {
  return fail(ErrorCode::kHost, "approvals can't be kept yet");
}

Result<std::unique_ptr<ApprovalStore>> open_sqlite_approvals(const std::string& path, std::shared_ptr<const Clock>) {
  return fail(ErrorCode::kHost, "approvals can't be kept in `" + path + "` yet");
}

}  // namespace wardenv::policy
