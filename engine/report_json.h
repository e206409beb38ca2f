// SPDX-License-Identifier: Apache-2.0
// RunReport as the JSON object of the contract (interfaces.md): one line, keys in that order. Only where a person has to agree there is `approval_id`.
#pragma once

#include <string>

#include "engine/engine.h"

namespace wardenv::engine {

std::string report_to_json(const RunReport& report);

// `bytes` as valid UTF-8: each maximal subpart of an ill-formed sequence becomes U+FFFD (Unicode 15, section 3.9).
// `changed` tells whether there was any.
std::string to_utf8(std::string_view bytes, bool& changed);

std::string base64(std::string_view bytes);

}  // namespace wardenv::engine
