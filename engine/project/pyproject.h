// SPDX-License-Identifier: Apache-2.0
// Edits of a pyproject.toml that leave everything else, comments and layout included, byte for byte as it was.
#pragma once

#include <string>
#include <string_view>

#include "engine/project/requirement.h"
#include "engine/project/toml_places.h"
#include "sandbox/base/error.h"

namespace wardenv::engine {

enum class Change { kAdded, kReplaced, kRemoved, kUnchanged };
std::string_view to_string(Change change);

struct PyprojectEdit {
  std::string text{};
  Change change = Change::kUnchanged;
};

// Adds to the list of `section`, which is made where it is missing. An entry of the same name (PEP 503) and marker is replaced; a bare name
// that is listed already leaves its entry alone. Errors as find_section(), and where the name is listed several times over.
Result<PyprojectEdit> add_requirement(std::string_view text, Section section, const Requirement& requirement);

// Removes every entry of that name from the list. kUnchanged where it isn't listed.
Result<PyprojectEdit> remove_requirement(std::string_view text, Section section, const std::string& name);

// What `init` writes where there is no pyproject.toml. `folder` is the name of the project's folder.
std::string new_pyproject(std::string_view folder);

}  // namespace wardenv::engine
