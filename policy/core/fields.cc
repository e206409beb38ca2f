// SPDX-License-Identifier: Apache-2.0
// Typed reading of a Tree.
#include "policy/core/fields.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "policy/core/text/units.h"

namespace wardenv::policy::core {
namespace {

bool has_control(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7F; });
}

std::string name_problem(std::string_view text) {
  if (text.empty()) return "must not be empty";
  if (text.size() > kLongestName) return "must have at most " + std::to_string(kLongestName) + " bytes";
  return has_control(text) ? "must not hold control characters" : "";
}

// Number of insertions, removals and replacements from one to the other.
std::size_t distance(std::string_view one, std::string_view other) {
  std::vector<std::size_t> row(other.size() + 1);
  for (std::size_t j = 0; j <= other.size(); ++j) row[j] = j;
  for (std::size_t i = 0; i < one.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < other.size(); ++j) {
      const std::size_t replaced = diagonal + (one[i] == other[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, diagonal + 1});
    }
  }
  return row.back();
}

std::string quoted_list(const std::string_view* names, std::size_t count) {
  std::string list;
  for (std::size_t i = 0; i < count; ++i) list += (i == 0 ? "`" : ", `") + std::string(names[i]) + "`";
  return list;
}

}  // namespace

std::string kind_name(const Node& node) {
  switch (node.kind) {
    case Kind::kNull: return "null";
    case Kind::kBool: return "a boolean";
    case Kind::kInteger:
    case Kind::kNatural:
    case Kind::kReal: return "a number";
    case Kind::kString: return "a string";
    case Kind::kArray: return "a list";
    case Kind::kObject: return "an object";
  }
  return "nothing";
}

bool expect(Notes& notes, const Cursor& at, Kind kind, std::string_view what) {
  if (at.node.kind == kind) return true;
  notes.error(at, "must be " + std::string(what) + ", not " + kind_name(at.node));
  return false;
}

std::optional<std::string> read_text(Notes& notes, const Cursor& at, std::string_view what) {
  if (!expect(notes, at, Kind::kString, what)) return std::nullopt;
  if (at.node.size == 0) {
    notes.error(at, "must not be empty");
    return std::nullopt;
  }
  return std::string(at.node.text());
}

std::optional<std::string> read_name(Notes& notes, const Cursor& at, std::string_view what) {
  if (!expect(notes, at, Kind::kString, what)) return std::nullopt;
  std::string problem = name_problem(at.node.text());
  if (problem.empty()) return std::string(at.node.text());
  notes.error(at, std::move(problem));
  return std::nullopt;
}

bool check_name(Notes& notes, const Cursor& object, const Member& member, std::string_view what) {
  const std::string problem = name_problem(member.key);
  if (problem.empty()) return true;
  notes.error_at_key(object, member, std::string(what) + " " + problem);
  return false;
}

std::optional<bool> read_truth(Notes& notes, const Cursor& at, std::string_view what) {
  if (!expect(notes, at, Kind::kBool, what)) return std::nullopt;
  return at.node.truth;
}

std::optional<std::uint64_t> natural_of(const Node& node) {
  if (node.kind == Kind::kNatural) return node.natural;
  if (node.kind == Kind::kInteger && node.integer >= 0) return static_cast<std::uint64_t>(node.integer);
  // 2^63 and not 2^64: what lies between can't be counted anyway.
  if (node.kind == Kind::kReal && node.real >= 0 && node.real < 9223372036854775808.0 && std::trunc(node.real) == node.real) {
    return static_cast<std::uint64_t>(node.real);
  }
  return std::nullopt;
}

std::optional<std::uint64_t> read_count(Notes& notes, const Cursor& at, std::uint64_t least, std::uint64_t most) {
  const auto value = natural_of(at.node);
  if (value && *value >= least && *value <= most) return value;
  const std::string range = most == kLargestCount ? std::to_string(least) + " on" : std::to_string(least) + " to " + std::to_string(most);
  notes.error(at, "must be a whole number from " + range);
  return std::nullopt;
}

std::optional<std::chrono::milliseconds> read_duration(Notes& notes, const Cursor& at) {
  const auto span = at.node.kind == Kind::kString ? parse_duration(at.node.text()) : std::nullopt;
  if (!span) notes.error(at, "must be a duration such as \"30s\": digits and ms, s, m, h or d, at most 366d");
  return span;
}

std::optional<std::uint64_t> read_size(Notes& notes, const Cursor& at) {
  const auto text = at.node.kind == Kind::kString ? parse_size(at.node.text()) : natural_of(at.node);
  if (text && *text >= 1 && *text <= kLargestCount) return text;
  notes.error(at, "must be a size such as \"512M\": digits and nothing, K, M or G, or a number of bytes");
  return std::nullopt;
}

std::optional<std::chrono::milliseconds> read_window(Notes& notes, const Cursor& at) {
  std::optional<std::chrono::milliseconds> window;
  if (at.node.kind == Kind::kString) {
    window = parse_window_name(at.node.text());
    if (!window) window = parse_duration(at.node.text());
  } else if (const auto seconds = natural_of(at.node); seconds && *seconds >= 1 && *seconds <= static_cast<std::uint64_t>(kLongestSpan.count()) / 1000) {
    window = std::chrono::seconds(static_cast<std::int64_t>(*seconds));
  }
  if (!window) notes.error(at, "must be second, minute, hour or day, a duration such as \"90s\", or whole seconds, at most 366 days");
  return window;
}

std::optional<int> read_choice(Notes& notes, const Cursor& at, const Choice* choices, std::size_t count) {
  std::vector<std::string_view> names;
  for (std::size_t i = 0; i < count; ++i) {
    if (at.node.kind == Kind::kString && choices[i].name == at.node.text()) return choices[i].value;
    names.push_back(choices[i].name);
  }
  notes.error(at, "must be one of " + quoted_list(names.data(), names.size()));
  return std::nullopt;
}

void unknown_key(Notes& notes, const Cursor& object, const Member& member, const std::string_view* known, std::size_t count) {
  std::string message = "unknown key `" + std::string(member.key.substr(0, kLongestName)) + "`";
  const auto* near = std::min_element(known, known + count, [&](std::string_view a, std::string_view b) {
    return distance(member.key.substr(0, 64), a) < distance(member.key.substr(0, 64), b);
  });
  if (distance(member.key.substr(0, 64), *near) <= 2) message += ": did you mean `" + std::string(*near) + "`?";
  else message += ": known are " + quoted_list(known, count);
  notes.error_at_key(object, member, std::move(message));
}

}  // namespace wardenv::policy::core
