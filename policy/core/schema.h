// SPDX-License-Identifier: Apache-2.0
// The published JSON Schema of the policy document.
#pragma once

#include <string_view>

namespace wardenv::policy {

// JSON Schema 2020-12 as JSON text. It accepts what the loader accepts; what a schema can't say (equal keys, names that must exist elsewhere in
// the document, regular expressions of RE2, globs of equal rank) only the loader refuses.
std::string_view document_schema();

namespace core {

// Its definitions of `commands` and all that stands below, as members of `$defs`, each with a comma behind it.
std::string_view commands_schema();

}  // namespace core
}  // namespace wardenv::policy
