// SPDX-License-Identifier: Apache-2.0
// A Node as JSON that the reader makes the very same node of: members in their order, every integer whole, every real a real.
#include <algorithm>
#include <array>
#include <charconv>

#include "policy/core/text/tree.h"

namespace wardenv::policy::core {
namespace {

template <typename Number>
void write_number(Number number, std::string& out) {
  std::array<char, 40> text;
  const auto written = std::to_chars(text.data(), text.data() + text.size(), number);
  out.append(text.data(), written.ptr);
}

// Shortest form that reads back as the same double; without a point it would be read as an integer.
void write_real(double number, std::string& out) {
  const std::size_t begin = out.size();
  write_number(number, out);
  if (out.find_first_of(".e", begin) == std::string::npos) out += ".0";
}

void write_string(std::string_view text, std::string& out) {
  constexpr char kDigits[] = "0123456789abcdef";
  out += '"';
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') out += '\\';
    if (byte >= 0x20) out += c;
    else out.append("\\u00").append({kDigits[byte >> 4U], kDigits[byte & 15U]});
  }
  out += '"';
}

void write(const Node& node, std::string& out);

void write_array(const Node& node, std::string& out) {
  out += '[';
  for (const Node& item : node.items()) {
    if (&item != node.first_item) out += ',';
    write(item, out);
  }
  out += ']';
}

void write_object(const Node& node, std::string& out) {
  out += '{';
  for (const Member& member : node.members()) {
    if (&member != node.first_member) out += ',';
    write_string(member.key, out);
    out += ':';
    write(member.value, out);
  }
  out += '}';
}

void write(const Node& node, std::string& out) {
  switch (node.kind) {
    case Kind::kNull: out += "null"; return;
    case Kind::kBool: out += node.truth ? "true" : "false"; return;
    case Kind::kInteger: return write_number(node.integer, out);
    case Kind::kNatural: return write_number(node.natural, out);
    case Kind::kReal: return write_real(node.real, out);
    case Kind::kString: return write_string(node.text(), out);
    case Kind::kArray: return write_array(node, out);
    case Kind::kObject: return write_object(node, out);
  }
}

bool same_members(const Member& a, const Member& b) { return a.key == b.key && same_values(a.value, b.value); }

}  // namespace

std::string json_text(const Node& node) {
  std::string text;
  write(node, text);
  return text;
}

bool same_values(const Node& a, const Node& b) {
  if (a.kind != b.kind) return false;
  switch (a.kind) {
    case Kind::kNull: return true;
    case Kind::kBool: return a.truth == b.truth;
    case Kind::kInteger: return a.integer == b.integer;
    case Kind::kNatural: return a.natural == b.natural;
    case Kind::kReal: return a.real == b.real;
    case Kind::kString: return a.text() == b.text();
    case Kind::kArray: return std::equal(a.items().begin(), a.items().end(), b.items().begin(), b.items().end(), same_values);
    case Kind::kObject: return std::equal(a.members().begin(), a.members().end(), b.members().begin(), b.members().end(), same_members);
  }
  return false;
}

}  // namespace wardenv::policy::core
