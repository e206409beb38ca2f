// SPDX-License-Identifier: Apache-2.0
// Equal keys.
#include "policy/core/duplicates.h"

#include <algorithm>
#include <span>
#include <vector>

namespace wardenv::policy::core {
namespace {

constexpr std::size_t kFew = 8;   // up to here every key is compared with every other one

void among_few(Notes& notes, const Cursor& at, std::span<const Member> members) {
  for (std::size_t i = 1; i < members.size(); ++i) {
    const auto same = [&](const Member& other) { return other.key == members[i].key; };
    if (std::any_of(members.begin(), members.begin() + static_cast<std::ptrdiff_t>(i), same)) notes.error_at_key(at, members[i], "the key is there twice");
  }
}

void among_many(Notes& notes, const Cursor& at, std::span<const Member> members) {
  std::vector<const Member*> sorted;
  sorted.reserve(members.size());
  for (const Member& member : members) sorted.push_back(&member);
  std::stable_sort(sorted.begin(), sorted.end(), [](const Member* a, const Member* b) { return a->key < b->key; });
  for (std::size_t i = 1; i < sorted.size(); ++i) {
    if (sorted[i]->key == sorted[i - 1]->key) notes.error_at_key(at, *sorted[i], "the key is there twice");
  }
}

bool has_children(const Node& node) { return node.kind == Kind::kArray || node.kind == Kind::kObject; }

}  // namespace

void find_duplicates(Notes& notes, const Cursor& at) {
  if (at.node.kind == Kind::kArray) {
    for (std::size_t i = 0; i < at.node.size; ++i) {
      if (has_children(at.node.items()[i])) find_duplicates(notes, at.to(i));
    }
  }
  if (at.node.kind != Kind::kObject) return;
  const auto members = at.node.members();
  if (members.size() <= kFew) among_few(notes, at, members);
  else among_many(notes, at, members);
  for (const Member& member : members) {
    if (has_children(member.value)) find_duplicates(notes, at.to(member));
  }
}

}  // namespace wardenv::policy::core
