// SPDX-License-Identifier: Apache-2.0
// Tree: places, bytes, JSON pointers.
#include "policy/core/text/tree.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <nlohmann/json.hpp>
#include <utility>

#include "sandbox/base/utf8.h"

namespace wardenv::policy::core {
namespace {

// Eight bytes at once where all of them are ASCII and none is NUL.
bool eight_plain(const char* at) {
  std::uint64_t word = 0;
  std::memcpy(&word, at, sizeof word);
  constexpr std::uint64_t kHigh = 0x8080808080808080ULL;
  return ((word | (word - 0x0101010101010101ULL)) & kHigh) == 0;
}

std::string unescape(std::string_view token) {
  std::string text;
  for (std::size_t i = 0; i < token.size(); ++i) {
    const bool escape = token[i] == '~' && i + 1 < token.size();
    if (escape) ++i;
    text += !escape ? token[i] : token[i] == '1' ? '/' : '~';
  }
  return text;
}

const Node* child(const Node& node, const std::string& token) {
  if (node.kind == Kind::kObject) return node.find(token);
  std::size_t index = 0;
  const auto [end, error] = std::from_chars(token.data(), token.data() + token.size(), index);
  if (node.kind != Kind::kArray || error != std::errc() || end != token.data() + token.size() || index >= node.size) return nullptr;
  return &node.items()[index];
}

}  // namespace

const Node* Node::find(std::string_view key) const {
  if (kind != Kind::kObject) return nullptr;
  for (const Member& member : members()) {
    if (member.key == key) return &member.value;
  }
  return nullptr;
}

std::optional<std::size_t> first_bad_byte(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size()) {
    if (at + 8 <= text.size() && eight_plain(text.data() + at)) {
      at += 8;
      continue;
    }
    const auto byte = static_cast<unsigned char>(text[at]);
    const std::size_t length = byte == 0 ? 0 : decode_utf8(text, at).length;
    if (length == 0) return at;
    at += length;
  }
  return std::nullopt;
}

void mask_bytes(Tree& tree, std::vector<std::uint32_t> offsets) {
  tree.bad_bytes = std::move(offsets);
  if (tree.bad_bytes.empty()) return;
  auto* masked = static_cast<char*>(tree.arena.allocate(tree.text.size(), 1));
  std::copy(tree.text.begin(), tree.text.end(), masked);
  for (const std::uint32_t at : tree.bad_bytes) masked[at] = kMask;
  tree.text = {masked, tree.text.size()};
}

void mask_bad_bytes(Tree& tree) {
  std::vector<std::uint32_t> found;
  std::size_t at = 0;
  for (auto bad = first_bad_byte(tree.text); bad; bad = first_bad_byte(tree.text.substr(at))) {
    at += *bad;
    found.push_back(static_cast<std::uint32_t>(at++));
  }
  mask_bytes(tree, std::move(found));
}

Place locate(std::string_view text, Place place) {
  if (place.column != 0) return place;
  const std::string_view before = text.substr(0, place.line_or_offset);
  Place found{1, 1};
  for (const char c : before) {
    if (c == '\n') {
      ++found.line_or_offset;
      found.column = 1;
    } else if ((static_cast<unsigned char>(c) & 0xC0U) != 0x80U) {
      ++found.column;
    }
  }
  return found;
}

nlohmann::json to_json(const Node& node) {
  switch (node.kind) {
    case Kind::kNull: return nullptr;
    case Kind::kBool: return node.truth;
    case Kind::kInteger: return node.integer;
    case Kind::kNatural: return node.natural;
    case Kind::kReal: return node.real;
    case Kind::kString: return std::string(node.text());
    case Kind::kArray: {
      nlohmann::json array = nlohmann::json::array();
      for (const Node& item : node.items()) array.push_back(to_json(item));
      return array;
    }
    case Kind::kObject: {
      nlohmann::json object = nlohmann::json::object();
      for (const Member& member : node.members()) object.emplace(std::string(member.key), to_json(member.value));
      return object;
    }
  }
  return nullptr;
}

const Node* find_by_pointer(const Node& root, std::string_view pointer) {
  const Node* node = &root;
  while (node != nullptr && !pointer.empty()) {
    if (pointer.front() != '/') return nullptr;
    const std::string_view token = pointer.substr(1, pointer.find('/', 1) - 1);
    node = child(*node, unescape(token));
    pointer.remove_prefix(1 + token.size());
  }
  return node;
}

}  // namespace wardenv::policy::core
