// SPDX-License-Identifier: Apache-2.0
// Stores: the state folder and what lies in it.
#include "engine/gate/stores.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace wardenv::engine {

std::string audit_folder(const std::string& state_dir) { return state_dir + "/audit"; }
std::string approvals_file(const std::string& state_dir) { return state_dir + "/approvals.db"; }
std::string quota_file(const std::string& state_dir) { return state_dir + "/quota.db"; }

// What can't be made is said of the folder itself.
static void make_parents(const std::string& path) {
  for (std::size_t slash = path.find('/', 1); slash != std::string::npos; slash = path.find('/', slash + 1)) ::mkdir(path.substr(0, slash).c_str(), 0777);
}

Status prepare_state_dir(const std::string& state_dir) {
  constexpr const char* kHint = "name another one with WARDENV_STATE";
  if (state_dir.empty()) return fail(ErrorCode::kHost, "there is no state folder: HOME is not set", kHint);
  struct stat status {};
  if (::stat(state_dir.c_str(), &status) < 0) {
    make_parents(state_dir);
    if (::mkdir(state_dir.c_str(), 0700) < 0 && errno != EEXIST) return fail_errno(ErrorCode::kHost, "the state folder `" + state_dir + "`", kHint);
    if (::stat(state_dir.c_str(), &status) < 0) return fail_errno(ErrorCode::kHost, "the state folder `" + state_dir + "`", kHint);
  }
  if (!S_ISDIR(status.st_mode)) return fail(ErrorCode::kHost, "the state folder `" + state_dir + "` is not a folder", kHint);
  if (status.st_uid != ::geteuid()) return fail(ErrorCode::kHost, "the state folder `" + state_dir + "` belongs to another user", kHint);
  if ((status.st_mode & 0077) != 0) return fail(ErrorCode::kHost, "others can enter the state folder `" + state_dir + "`", "chmod 700 " + state_dir);
  return {};
}

template <typename T>
Result<T*> Stores::open_once(Place<T>& place, const std::function<Result<std::unique_ptr<T>>()>& open) {
  const std::lock_guard lock(place.mutex);
  if (place.store == nullptr) {
    WARDENV_TRY(prepare_state_dir(state_dir_));
    auto opened = open();
    if (!opened) return tl::unexpected(opened.error());
    place.store = std::move(*opened);
  }
  return place.store.get();
}

Status Stores::prepare() const { return prepare_state_dir(state_dir_); }

Result<policy::QuotaStore*> Stores::quota() {
  return open_once<policy::QuotaStore>(quota_, [this]() -> Result<std::unique_ptr<policy::QuotaStore>> {
    if (quota_store_ == "memory") return policy::make_memory_quota();
    return quota_store_.empty() ? policy::open_sqlite_quota(quota_file(state_dir_)) : policy::open_redis_quota(quota_store_);
  });
}

Result<policy::ApprovalStore*> Stores::approvals() {
  return open_once<policy::ApprovalStore>(approvals_, [this] { return policy::open_sqlite_approvals(approvals_file(state_dir_)); });
}

Result<AuditLog*> Stores::audit() {
  return open_once<AuditLog>(audit_, [this] { return AuditLog::open(audit_folder(state_dir_)); });
}

}  // namespace wardenv::engine
