// SPDX-License-Identifier: Apache-2.0
// Cursor and Notes: where a reader stands in a document, and what it has to say about it.
#pragma once

#include <cstddef>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "policy/core/text/tree.h"
#include "policy/finding.h"

namespace wardenv::policy::core {

// A value and the way to it from the root: a list on the stack, so that a pointer is only spelled out where it is needed.
struct Cursor {
  const Node& node;
  const Cursor* parent = nullptr;
  std::string_view key{};
  std::size_t index = 0;

  [[nodiscard]] Cursor to(const Member& member) const { return {member.value, this, member.key, 0}; }
  [[nodiscard]] Cursor to(std::size_t item) const { return {node.items()[item], this, {}, item}; }
  [[nodiscard]] std::string pointer() const;   // RFC 6901
};

// One token of a JSON pointer, escaped.
std::string pointer_token(std::string_view key);

void sort_by_place(Findings& findings);

// Findings with places of the tree; finish() turns them into lines and columns, in the order of the file.
class Notes {
 public:
  explicit Notes(std::string_view text) : text_(text) {}

  void error(const Cursor& at, std::string message) { add(at.pointer(), at.node.place, std::move(message), Severity::kError); }
  void error_at_key(const Cursor& object, const Member& member, std::string message);
  void warning(const Cursor& at, std::string message) { add(at.pointer(), at.node.place, std::move(message), Severity::kWarning); }
  void add(std::string pointer, Place place, std::string message, Severity severity);
  // From now on nothing is noted of what is at `pointer` or in it: a stand-in, of which enough was said.
  void leave_alone(std::string pointer) { alone_.insert(std::move(pointer)); }
  [[nodiscard]] bool failed() const { return failed_; }

  Findings finish();

 private:
  [[nodiscard]] bool is_left_alone(std::string_view pointer) const;
  bool drop_warning();
  std::string_view text_;
  Findings findings_;
  std::set<std::string, std::less<>> alone_;
  std::size_t dropped_ = 0;
  std::size_t warnings_ = 0;   // at most: whether it is worth looking for one
  bool failed_ = false;
};

}  // namespace wardenv::policy::core
