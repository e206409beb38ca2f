// SPDX-License-Identifier: Apache-2.0
// Tree: a document as it was written, JSON or YAML: every value with its place, every key as often as it occurs, integers exact.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace wardenv::policy::core {

// Where in the text: a line and a column (both from 1), or, with column 0, a byte offset that locate() turns into them.
struct Place {
  std::uint32_t line_or_offset = 0;
  std::uint32_t column = 0;
};

enum class Kind : std::uint8_t { kNull, kBool, kInteger, kNatural, kReal, kString, kArray, kObject };

struct Member;

// One value. Refers to the text and the arena of its Tree. kNatural is used for integers that an int64 can't hold, only.
struct Node {
  Place place;
  Kind kind = Kind::kNull;
  std::uint32_t size = 0;   // bytes of a string, elements of an array, members of an object
  union {
    bool truth;
    std::int64_t integer;
    std::uint64_t natural = 0;
    double real;
    const char* chars;
    const Node* first_item;
    const Member* first_member;
  };

  [[nodiscard]] std::string_view text() const { return {chars, size}; }
  [[nodiscard]] std::span<const Node> items() const { return {first_item, size}; }
  [[nodiscard]] std::span<const Member> members() const;
  [[nodiscard]] const Node* find(std::string_view key) const;   // the first member of that name; nullptr also where this is no object
};

struct Member {
  std::string_view key;
  Place place;      // of the key
  Node value;
};

inline std::span<const Member> Node::members() const { return {first_member, size}; }

struct Tree {
  std::string_view text;                          // not owned, or in the arena: see mask_bad_bytes()
  std::vector<std::uint32_t> bad_bytes{};         // offsets, in order, of what was masked in `text`
  std::pmr::monotonic_buffer_resource arena;
  Node root;
};

// Where the text is not JSON, or not the YAML that we take.
struct TextProblem {
  Place place;
  std::string pointer;      // of the innermost value or container that was open there
  std::string message;
  bool stands_in = false;   // what is at the pointer is a stand-in for what could not be read
};

struct TextProblems {
  std::vector<TextProblem> list{};
  bool whole = true;   // false: the reader could not go on behind the last problem; the tree is what it had read by then
};

struct ReadLimits {
  int max_depth = 64;
  std::size_t most_problems = 1;   // with so many the reader stops
};

// RFC 8259, nothing else: no comments, no trailing commas, no byte order mark. Integers beyond 64 bits and reals beyond a double are problems.
// Reads on behind what it can still make out. REQUIRES: tree.text is set, and valid UTF-8 without NUL (mask_bad_bytes).
// nlohmann's reader tells no places and lets the last of equal keys win: hence this one.
TextProblems read_json(Tree& tree, const ReadLimits& limits);

// One YAML document of plain data (core schema of YAML 1.2). Anchors, aliases, tags, merge keys, and what YAML 1.1 and 1.2 read as different
// numbers, are problems, behind which it reads on. REQUIRES: as read_json().
TextProblems read_yaml(Tree& tree, const ReadLimits& limits);

// Byte offset of the first byte that is not UTF-8, or of the first NUL; none where all is well.
std::optional<std::size_t> first_bad_byte(std::string_view text);

// Puts kMask in place of each such byte, or of those at `offsets`; the readers say where they meet one.
inline constexpr char kMask = '\x1A';   // ASCII: SUBSTITUTE
inline constexpr const char* kBadByte = "not UTF-8, or a NUL byte";
void mask_bad_bytes(Tree& tree);
void mask_bytes(Tree& tree, std::vector<std::uint32_t> offsets);

// Line and column, both from 1; columns count characters.
Place locate(std::string_view text, Place place);

nlohmann::json to_json(const Node& node);

// JSON in one line, of which read_json() makes the same values again.
std::string json_text(const Node& node);

// Alike in kind, value and order, all the way down. Places are not looked at.
bool same_values(const Node& a, const Node& b);

// "/a~1b/0" below `root`; nullptr where there is nothing.
const Node* find_by_pointer(const Node& root, std::string_view pointer);

}  // namespace wardenv::policy::core
