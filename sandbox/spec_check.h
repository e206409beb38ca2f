// SPDX-License-Identifier: Apache-2.0
// What no plan can be made of, whatever the host. Pure.
#pragma once

#include "sandbox/base/error.h"
#include "sandbox/spec.h"

namespace wardenv::sandbox {

// Error kBadInput, which says what to ask for instead.
Status check(const SandboxSpec& spec);

}  // namespace wardenv::sandbox
