// SPDX-License-Identifier: Apache-2.0
// A policy's profile, for people to look at.
#pragma once

#include <string>

#include "policy/core/document.h"

namespace wardenv::engine {

// The most that a call under this profile can have, as one JSON object with the names of the policy: what the profile says, and the default of each
// limit, of `access`, `network` and `stdin` where it says nothing. Of variables and credentials only the names. Values are written as in a policy.
std::string profile_json(const policy::Profile& granted);

}  // namespace wardenv::engine
