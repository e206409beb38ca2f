// SPDX-License-Identifier: Apache-2.0
// Where SQLite is wardenv-cli's alone.
#include "policy/quota/store.h"
#include "tools/wardenv/run_here.h"

namespace wardenv::policy {

std::shared_ptr<const Clock> system_clock() { return nullptr; }
Result<std::unique_ptr<QuotaStore>> open_sqlite_quota(const std::string&, Durability, std::shared_ptr<const Clock>) { cli::leave_to_cli(); }

}  // namespace wardenv::policy
