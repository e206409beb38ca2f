// SPDX-License-Identifier: Apache-2.0
// authorize(): not built yet; denies.
#include "policy/core/authorize.h"

#include <nlohmann/json.hpp>

namespace wardenv::policy {

Decision authorize(const Call&, const Document&, const QuotaView&, Trace) { return {}; }

bool is_hidden(const Document&, std::string_view, std::string_view) { return true; }

Result<nlohmann::json> parse_arguments(std::string_view) { return fail(ErrorCode::kInternal, "not built yet"); }

std::string fingerprint(const Call&, std::string_view) { return {}; }

}  // namespace wardenv::policy
