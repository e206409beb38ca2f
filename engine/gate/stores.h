// SPDX-License-Identifier: Apache-2.0
// Stores: quotas, approvals and the audit log of one state folder, each opened when it is first needed.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "engine/audit/log.h"
#include "policy/approvals/store.h"
#include "policy/quota/store.h"
#include "sandbox/base/error.h"

namespace wardenv::engine {

// Thread-safe. What could not be opened is tried again at the next call; every error means: deny.
class Stores {
 public:
  Stores(std::string state_dir, std::string quota_store) : state_dir_(std::move(state_dir)), quota_store_(std::move(quota_store)) {}

  Status prepare() const;   // the state folder alone
  Result<policy::QuotaStore*> quota();
  Result<policy::ApprovalStore*> approvals();
  Result<AuditLog*> audit();

 private:
  // Each with a lock of its own: a slow one keeps nobody from the others.
  template <typename T>
  struct Place {
    std::mutex mutex{};
    std::unique_ptr<T> store{};
  };
  template <typename T>
  Result<T*> open_once(Place<T>& place, const std::function<Result<std::unique_ptr<T>>()>& open);

  std::string state_dir_;
  std::string quota_store_;
  Place<policy::QuotaStore> quota_;
  Place<policy::ApprovalStore> approvals_;
  Place<AuditLog> audit_;
};

// Where the parts of the state folder are; the command line reads the same places.
std::string audit_folder(const std::string& state_dir);
std::string approvals_file(const std::string& state_dir);
std::string quota_file(const std::string& state_dir);

// The state folder itself, made with mode 0700 where it is missing. Error kHost: it can't be made, is not ours, or others can enter it.
Status prepare_state_dir(const std::string& state_dir);

}  // namespace wardenv::engine
