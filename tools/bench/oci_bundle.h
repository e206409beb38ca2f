// SPDX-License-Identifier: Apache-2.0
// An OCI bundle for crun: a folder with config.json.
#pragma once

#include <string>

#include "sandbox/base/error.h"
#include "sandbox/base/unique_fd.h"
#include "tools/bench/contestant.h"
#include "tools/bench/site.h"

namespace wardenv::bench {

// The folder of the bundle, made below the site's.
Result<std::string> make_oci_bundle(const Site& site, const Payload& payload);

// crun refuses hosts that have control groups of both versions, even where it is to use none. There: a mount namespace
// that shows none, made once. An invalid descriptor where that is not needed or not possible.
UniqueFd namespace_without_cgroups();

}  // namespace wardenv::bench
