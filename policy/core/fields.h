// SPDX-License-Identifier: Apache-2.0
// Typed reading of a Tree: every function adds an error and answers nothing where the value is not what it must be.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

#include "policy/core/cursor.h"

namespace wardenv::policy::core {

inline constexpr std::size_t kLongestName = 256;   // bytes of a tool's, grant's, profile's or counter's name
inline constexpr std::uint64_t kLargestCount = std::numeric_limits<std::int64_t>::max();

std::string kind_name(const Node& node);                       // "a string", "an object"
bool expect(Notes& notes, const Cursor& at, Kind kind, std::string_view what);

std::optional<std::string> read_text(Notes& notes, const Cursor& at, std::string_view what);   // may hold anything, not empty
std::optional<std::string> read_name(Notes& notes, const Cursor& at, std::string_view what);   // no control characters, at most kLongestName
bool check_name(Notes& notes, const Cursor& object, const Member& member, std::string_view what);  // the same for a key
std::optional<bool> read_truth(Notes& notes, const Cursor& at, std::string_view what);
std::optional<std::uint64_t> read_count(Notes& notes, const Cursor& at, std::uint64_t least, std::uint64_t most);
std::optional<std::chrono::milliseconds> read_duration(Notes& notes, const Cursor& at);
std::optional<std::uint64_t> read_size(Notes& notes, const Cursor& at);
std::optional<std::chrono::milliseconds> read_window(Notes& notes, const Cursor& at);   // name, duration or seconds

// The whole number that a node holds, also where it was written as 10.0; none where it is none or does not fit.
std::optional<std::uint64_t> natural_of(const Node& node);

struct Choice {
  std::string_view name;
  int value;
};
std::optional<int> read_choice(Notes& notes, const Cursor& at, const Choice* choices, std::size_t count);
template <typename T, std::size_t N>
std::optional<T> read_choice(Notes& notes, const Cursor& at, const std::array<Choice, N>& choices) {
  const auto value = read_choice(notes, at, choices.data(), N);
  if (!value) return std::nullopt;
  return static_cast<T>(*value);
}

// "unknown key `limit`: did you mean `limits`?" or, with nothing near, the list of what is known.
void unknown_key(Notes& notes, const Cursor& object, const Member& member, const std::string_view* known, std::size_t count);

// A field of an object: how the value of that key is read into a T. `context` is whatever the reader of the document carries along.
template <typename C, typename T>
struct Field {
  std::string_view key;
  void (*read)(C& context, const Cursor& at, T& to);
};

// Reads every member by the table; unknown keys are errors. Answers false where `at` is no object.
template <typename C, typename T, std::size_t N>
bool read_fields(C& context, const Cursor& at, const std::array<Field<C, T>, N>& table, T& to, std::string_view what) {
  if (!expect(context.notes, at, Kind::kObject, what)) return false;
  for (const Member& member : at.node.members()) {
    const Field<C, T>* found = nullptr;
    for (const Field<C, T>& field : table) {
      if (field.key == member.key) found = &field;
    }
    if (found != nullptr) {
      found->read(context, at.to(member), to);
      continue;
    }
    std::array<std::string_view, N> known;
    for (std::size_t i = 0; i < N; ++i) known[i] = table[i].key;
    unknown_key(context.notes, at, member, known.data(), N);
  }
  return true;
}

// Says which of the keys are missing.
template <std::size_t N>
bool require_keys(Notes& notes, const Cursor& at, const std::array<std::string_view, N>& keys) {
  bool all = true;
  for (const std::string_view key : keys) {
    if (at.node.find(key) != nullptr) continue;
    notes.error(at, "`" + std::string(key) + "` is missing");
    all = false;
  }
  return all;
}

}  // namespace wardenv::policy::core
