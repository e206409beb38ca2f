// SPDX-License-Identifier: Apache-2.0
// Quotas in an SQLite file. Refuses until it is built.
#include "policy/quota/store.h"

namespace wardenv::policy {

Result<std::unique_ptr<QuotaStore>> open_sqlite_quota(const std::string& path, Durability, std::shared_ptr<const Clock>) {
  return fail(ErrorCode::kHost, "quotas can't be kept in `" + path + "` yet");
}

}  // namespace wardenv::policy
