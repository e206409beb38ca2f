// SPDX-License-Identifier: Apache-2.0
// Files that decide what is allowed.
#pragma once

#include <cstddef>
#include <string>

#include "sandbox/base/error.h"

namespace wardenv::engine {

// The whole of a regular file. Error kBadInput where it is missing, larger than `max_bytes`, no regular file, or writable by anybody but
// root, ourselves and a group of the owner's choice: who can write it decides what we allow.
Result<std::string> read_trusted_file(const std::string& path, std::size_t max_bytes);

}  // namespace wardenv::engine
