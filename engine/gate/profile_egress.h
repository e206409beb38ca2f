// SPDX-License-Identifier: Apache-2.0
// The part of a profile that says what may be reached.
#pragma once

#include <string>

#include "engine/engine.h"
#include "engine/gate/asking.h"
#include "policy/core/document.h"
#include "sandbox/base/error.h"

namespace wardenv::engine {

// The widest network that it grants: to name hosts is to grant egress.
policy::ProfileNetwork network_of(const policy::Profile& granted);
const char* to_text(policy::ProfileNetwork network);

// What a profile lets be reached. Error kBadInput: a rule, preset or header that is none.
Result<EgressSettings> granted_egress(const policy::Profile& granted);

// As apply_profile, for network, hosts, presets and certificates. Hosts that were asked for have to be covered by what is granted.
Status apply_network(const policy::Profile& granted, const Asking& asked, RunRequest& request);

}  // namespace wardenv::engine
