// SPDX-License-Identifier: Apache-2.0
// Quotas in Redis. Refuses until it is built.
#include "policy/quota/store.h"

namespace wardenv::policy {

Result<std::unique_ptr<QuotaStore>> open_redis_quota(const std::string&) { return fail(ErrorCode::kHost, "quotas can't be kept in Redis yet"); }

}  // namespace wardenv::policy
