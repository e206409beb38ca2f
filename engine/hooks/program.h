// SPDX-License-Identifier: Apache-2.0
// Asking a program: started clean, heard until its deadline, ended with its process group.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "sandbox/base/error.h"

namespace wardenv::engine::hooks {

using Deadline = std::chrono::steady_clock::time_point;

// Error kHost: it is not there, or not to be trusted (engine/trusted.h).
Status check_program(const std::string& path);

// What `argv` writes to its standard output, with `input` on its standard input. Its folder is "/", its environment PATH and LANG, its standard
// error /dev/null; nothing else is inherited, and it leads a session of its own. Whatever is left of its process group is killed, also
// after it ended by itself. Errors: it could not be started, ended with another status than 0, wrote more than `max_bytes`, took too long, or had not
// ended when `cancel_fd` (-1: none) became readable.
Result<std::string> ask_program(const std::vector<std::string>& argv, const std::string& input, Deadline deadline, std::size_t max_bytes, int cancel_fd);

}  // namespace wardenv::engine::hooks
