// SPDX-License-Identifier: Apache-2.0
// Files that decide what is allowed: who else may write them decides it, too.
#pragma once

#include <sys/stat.h>
#include <unistd.h>

#include <string>

#include "sandbox/base/error.h"

namespace wardenv::engine {

// Error of `code` where everybody may write it, or it is neither root's nor ours. (A group that may write it, and who may write its folder, are its
// owner's choice.) `what`: the subject of the sentence.
inline Status check_trusted(const struct stat& status, ErrorCode code, const std::string& what, const std::string& path) {
  if ((status.st_mode & S_IWOTH) != 0) return fail(code, what + " can be written by everybody", "chmod o-w " + path);
  if (status.st_uid != 0 && status.st_uid != ::geteuid()) return fail(code, what + " belongs to another user", "chown it to the user that runs wardenv, or to root");
  return {};
}

}  // namespace wardenv::engine
