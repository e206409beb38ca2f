// SPDX-License-Identifier: Apache-2.0
// Path tests of a policy, on this file system.
#pragma once

#include <string>

#include "policy/core/authorize.h"

namespace wardenv::engine {

// Resolves paths that are relative to `cwd` (absolute). What exists is followed through every symbolic link; what does not exist yet is
// appended to the folder that does. None: a link that leads nowhere, a loop, `..` behind what does not exist, a NUL byte.
policy::ResolvePath path_resolver(std::string cwd);

}  // namespace wardenv::engine
