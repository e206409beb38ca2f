// SPDX-License-Identifier: Apache-2.0
// Loading a policy as `run` and `serve` do: what the engine and this host have to say about it goes with what the loader says.
#pragma once

#include <string>
#include <string_view>

#include "policy/core/load.h"

namespace wardenv::engine {

// As policy::load_document(). Errors besides: what the engine can't grant (rules of egress, presets, system calls, captured access), and a webhook
// that nothing could be signed for. Warnings besides: what is not on this host and would refuse calls (programs of hooks, certificates, secrets,
// mounts). All with pointer, line and column, in the order of the file.
policy::Loaded load_policy(std::string_view text, policy::Format format, std::string digest = "");

}  // namespace wardenv::engine
