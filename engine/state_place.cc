// SPDX-License-Identifier: Apache-2.0
#include "engine/state_place.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "engine/paths.h"
#include "engine/spec_builder.h"

namespace wardenv::engine {
namespace {

constexpr const char* kHint = "name another state folder with WARDENV_STATE";

Status make_folder(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) == 0 || errno == EEXIST) return {};
  return fail_errno(ErrorCode::kHost, "`" + path + "`", kHint);
}

// Who can write there can take away what we note.
Status check_ours(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) < 0) return fail_errno(ErrorCode::kHost, "the state folder `" + path + "`", kHint);
  if (!S_ISDIR(status.st_mode)) return fail(ErrorCode::kHost, "the state folder `" + path + "` is not a folder", kHint);
  if (status.st_uid != ::geteuid()) return fail(ErrorCode::kHost, "the state folder `" + path + "` belongs to another user", kHint);
  if ((status.st_mode & 0022) != 0) return fail(ErrorCode::kHost, "others can write to the state folder `" + path + "`", kHint);
  return {};
}

}  // namespace

Result<std::string> make_state_place(const std::string& name) {
  const std::string state = state_folder();
  make_folders(parent_of(state));   // where that fails, the next tells
  WARDENV_TRY(make_folder(state));
  WARDENV_TRY(check_ours(state));
  const std::string place = state + "/" + name;
  WARDENV_TRY(make_folder(place));
  return place;
}

}  // namespace wardenv::engine
