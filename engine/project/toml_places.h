// SPDX-License-Identifier: Apache-2.0
// Where things are in the text of a pyproject.toml: the parser's source regions as byte offsets.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sandbox/base/error.h"

namespace wardenv::engine {

// The list of `[project] dependencies`, or of the group `dev` of `[dependency-groups]` (PEP 735).
enum class Section { kMain, kDev };

// A span of bytes: [begin, end).
struct Span {
  std::size_t begin = 0;
  std::size_t end = 0;
};

struct ListItem {
  Span span;
  std::string value{};  // a string's text; empty where the item is no string (an `include-group` table)
};

struct ListPlace {
  Span span;                      // from `[` to after `]`
  std::vector<ListItem> items{};
};

// Where a list that is missing would go.
struct NewListPlace {
  enum class How { kKeyAfterLine, kTableAtEnd } how = How::kTableAtEnd;
  std::size_t after = 0;     // kKeyAfterLine: somewhere in the line after which the new key goes
  std::string prefix{};        // kKeyAfterLine: what stands before the key, such as `project.`
};

struct SectionPlace {
  std::optional<ListPlace> list{};
  NewListPlace new_list;      // where there is no list
};

struct Pyproject {
  std::string name{};
  std::string requires_python{};
  std::vector<std::string> dependencies{};
  std::vector<std::string> dev{};            // with the groups that it includes
};

// A bigger document is refused.
inline constexpr std::size_t kMaxPyprojectBytes = 1 << 20;

// Errors kBadInput: not TOML (with the line), or a document whose list can't be edited by a machine (with what to do).
Result<SectionPlace> find_section(std::string_view text, Section section);

Result<Pyproject> read_pyproject(std::string_view text);

// The document without the list of `section`, in one canonical form: what an edit must leave as it was.
Result<std::string> canonical_without(std::string_view text, Section section);

}  // namespace wardenv::engine
