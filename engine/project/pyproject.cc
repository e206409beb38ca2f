// SPDX-License-Identifier: Apache-2.0
// Edits of a pyproject.toml.
#include "engine/project/pyproject.h"

#include <algorithm>

#include "engine/project/list_edit.h"

namespace wardenv::engine {
namespace {

// The new text must be TOML still, and the same but for the list: else the edit is ours to blame, and is not made.
Result<PyprojectEdit> checked(std::string_view before, std::string after, Section section, Change change) {
  auto old_rest = canonical_without(before, section);
  auto new_rest = canonical_without(after, section);
  if (!old_rest) return tl::unexpected(old_rest.error());
  if (!new_rest || *old_rest != *new_rest) {
    return fail(ErrorCode::kInternal, "pyproject.toml can't be edited without changing something else in it", "edit the list by hand");
  }
  return PyprojectEdit{std::move(after), change};
}

// Entries that can't be read are nobody's.
bool has_name(const ListItem& item, const std::string& normalized) {
  auto entry = parse_requirement(item.value, DirectReference::kAllow);
  return entry && normalized_name(entry->name) == normalized;
}

std::vector<std::size_t> entries_of(const ListPlace& list, const std::string& normalized) {
  std::vector<std::size_t> found;
  for (std::size_t i = 0; i < list.items.size(); ++i) {
    if (has_name(list.items[i], normalized)) found.push_back(i);
  }
  return found;
}

bool is_bare(const Requirement& requirement) {
  return requirement.extras.empty() && requirement.versions.empty() && !requirement.url && requirement.marker.empty();
}

Result<PyprojectEdit> replace(std::string_view text, Section section, const ListPlace& list, std::vector<std::size_t> entries, const Requirement& wanted) {
  if (is_bare(wanted)) return PyprojectEdit{std::string(text), Change::kUnchanged};
  if (entries.size() > 1) {
    std::erase_if(entries, [&](std::size_t i) { return parse_requirement(list.items[i].value, DirectReference::kAllow)->marker != wanted.marker; });
  }
  if (entries.size() != 1) {
    return fail(ErrorCode::kBadInput, "pyproject.toml lists `" + wanted.name + "` several times, with different markers", "edit that list by hand");
  }
  const std::string value = to_string(wanted);
  if (list.items[entries[0]].value == value) return PyprojectEdit{std::string(text), Change::kUnchanged};
  return checked(text, replace_item(text, list, entries[0], value), section, Change::kReplaced);
}

}  // namespace

std::string_view to_string(Change change) {
  switch (change) {
    case Change::kAdded: return "added";
    case Change::kReplaced: return "replaced";
    case Change::kRemoved: return "removed";
    case Change::kUnchanged: return "unchanged";
  }
  return "unchanged";
}

Result<PyprojectEdit> add_requirement(std::string_view text, Section section, const Requirement& requirement) {
  auto place = find_section(text, section);
  if (!place) return tl::unexpected(place.error());
  const std::string value = to_string(requirement);
  if (!place->list) {
    const bool main = section == Section::kMain;
    std::string after = insert_list(text, place->new_list, main ? "project" : "dependency-groups", main ? "dependencies" : "dev", value);
    return checked(text, std::move(after), section, Change::kAdded);
  }
  auto entries = entries_of(*place->list, normalized_name(requirement.name));
  if (!entries.empty()) return replace(text, section, *place->list, std::move(entries), requirement);
  return checked(text, append_item(text, *place->list, value), section, Change::kAdded);
}

Result<PyprojectEdit> remove_requirement(std::string_view text, Section section, const std::string& name) {
  std::string current(text);
  Change change = Change::kUnchanged;
  // One at a time, as each moves the places of the rest.
  while (true) {
    auto place = find_section(current, section);
    if (!place && change == Change::kUnchanged && read_pyproject(text)) return PyprojectEdit{current, change};  // a list that is missing lists nothing
    if (!place) return tl::unexpected(place.error());
    const auto entries = place->list ? entries_of(*place->list, normalized_name(name)) : std::vector<std::size_t>();
    if (entries.empty()) break;
    current = remove_item(current, *place->list, entries[0]);
    change = Change::kRemoved;
  }
  if (change == Change::kUnchanged) return PyprojectEdit{std::move(current), change};
  return checked(text, std::move(current), section, change);
}

std::string new_pyproject(std::string_view folder) {
  std::string name;
  for (const char c : folder) {
    const bool good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (good) name += c;
    else if (!name.empty() && name.back() != '-') name += '-';
  }
  while (!name.empty() && name.back() == '-') name.pop_back();
  return "[project]\nname = \"" + (name.empty() ? "project" : name) + "\"\nversion = \"0.1.0\"\ndependencies = []\n";
}

}  // namespace wardenv::engine
