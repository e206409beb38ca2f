// SPDX-License-Identifier: Apache-2.0
// Folders of ours in the state folder.
#pragma once

#include <string>

#include "sandbox/base/error.h"

namespace wardenv::engine {

// Makes the folder `name` in the state folder, and that one too, closed to others, where it is missing; answers its path. What is there stays as it
// is: a state folder that is another's, or that others can write, is an error.
Result<std::string> make_state_place(const std::string& name);

}  // namespace wardenv::engine
