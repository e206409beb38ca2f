// SPDX-License-Identifier: Apache-2.0
// Loader: not built yet; nothing loads.
#include "policy/core/load.h"

namespace wardenv::policy {

Loaded load_document(std::string_view, Format) { return {nullptr, {{"", "policies can't be read in this version", 1, 1}}, std::string(64, '0')}; }

std::string to_text(const Finding& finding, std::string_view file) {
  return std::string(file) + ":" + std::to_string(finding.line) + ":" + std::to_string(finding.column) + ": error: " + finding.pointer + ": " + finding.message;
}

}  // namespace wardenv::policy
