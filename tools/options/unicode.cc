// SPDX-License-Identifier: Apache-2.0
#include "tools/options/unicode.h"

#include <algorithm>
#include <cstdio>
#include <iterator>

#include "sandbox/base/utf8.h"

namespace wardenv::tools {
namespace {

struct Range {
  char32_t first, last;
};

constexpr Range kUnseen[] = {{0x80, 0x9f},       {0xad, 0xad},       {0x34f, 0x34f},     {0x600, 0x605},     {0x61c, 0x61c},     {0x6dd, 0x6dd},
                             {0x70f, 0x70f},     {0x890, 0x891},     {0x8e2, 0x8e2},     {0x115f, 0x1160},   {0x17b4, 0x17b5},   {0x180b, 0x180f},
                             {0x200b, 0x200f},   {0x2028, 0x202e},   {0x2060, 0x206f},   {0x3164, 0x3164},   {0xfeff, 0xfeff},   {0xffa0, 0xffa0},
                             {0xfff0, 0xfffb},   {0x110bd, 0x110bd}, {0x110cd, 0x110cd}, {0x13430, 0x1343f}, {0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a},
                             {0xe0000, 0xe0fff}};

bool continues(char byte) { return (static_cast<unsigned char>(byte) & 0xc0) == 0x80; }

}  // namespace

std::size_t whole_characters(std::string_view text) {
  for (std::size_t back = 1; back <= std::min<std::size_t>(3, text.size()); ++back) {
    const char byte = text[text.size() - back];
    if (continues(byte)) continue;
    return utf8_length(byte) > back ? text.size() - back : text.size();
  }
  return text.size();
}

bool is_unseen(char32_t character) {
  return std::any_of(std::begin(kUnseen), std::end(kUnseen), [&](const Range& range) { return character >= range.first && character <= range.last; });
}

std::string escaped(char32_t character) {
  char text[16];
  std::snprintf(text, sizeof text, character > 0xffff ? "\\U%08x" : "\\u%04x", static_cast<unsigned>(character));
  return text;
}

}  // namespace wardenv::tools
