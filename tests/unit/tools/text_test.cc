// SPDX-License-Identifier: Apache-2.0
// What a terminal is shown.
#include "tools/options/text.h"

#include "tests/support/catch.h"
#include "tools/options/unicode.h"

using wardenv::tools::escaped;
using wardenv::tools::one_line;
using wardenv::tools::visible;
using wardenv::tools::whole_characters;

namespace {

std::string utf8(char32_t c) {
  const auto tail = [&](int shift) { return static_cast<char>(0x80 | ((c >> shift) & 0x3f)); };
  if (c < 0x800) return {static_cast<char>(0xc0 | c >> 6), tail(0)};
  if (c < 0x10000) return {static_cast<char>(0xe0 | c >> 12), tail(6), tail(0)};
  return {static_cast<char>(0xf0 | c >> 18), tail(12), tail(6), tail(0)};
}

}  // namespace

TEST_CASE("text stays as it is") {
  CHECK(visible("plain\ttext\r\n") == "plain\ttext\r\n");
  CHECK(visible("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80") == "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80");
}

TEST_CASE("nothing that drives a terminal gets through") {
  CHECK(visible("\x1b]0;title\x07") == "^[]0;title^G");
  CHECK(visible("\x1b[2J\x1b[31m") == "^[[2J^[[31m");
  CHECK(visible("\x9b" "2J") == "\\x9b2J");
  CHECK(visible("\xc2\x9b" "2J") == "\\u009b2J");
  CHECK(visible("\x7f") == "\\x7f");
  CHECK(visible(std::string("\0", 1)) == "^@");
  for (int c = 0; c < 256; ++c) {
    const std::string shown = visible(std::string(1, static_cast<char>(c)));
    for (char out : shown) CHECK((out == '\n' || out == '\r' || out == '\t' || (static_cast<unsigned char>(out) >= 0x20 && static_cast<unsigned char>(out) != 0x7f)));
    if (c >= 0x80 && c < 0xa0) CHECK(shown.size() == 4);
  }
}

// U+202E turns what follows it around: `gnp.exe` would be read as a picture.
TEST_CASE("nothing that hides or turns text around gets through") {
  CHECK(visible("a\u202egnp.exe") == "a\\u202egnp.exe");
  CHECK(one_line("`pass\u200bwd` was not found") == "`pass\\u200bwd` was not found");
  CHECK(visible("\U000E0041") == "\\U000e0041");
  struct Range {
    char32_t first, last;
  };
  for (const Range range : {Range{0x80, 0x9f}, {0x200b, 0x200f}, {0x2028, 0x202e}, {0x2060, 0x2069}, {0xfeff, 0xfeff}, {0xad, 0xad}, {0x61c, 0x61c}}) {
    for (char32_t c = range.first; c <= range.last; ++c) CHECK(visible(utf8(c)) == escaped(c));
  }
  for (char32_t c : {U'\u00a0', U'\u00e9', U'\u05d0', U'\u0301', U'\u2026', U'\u4e00', U'\U0001f600'}) CHECK(visible(utf8(c)) == utf8(c));
}

TEST_CASE("what is no character is shown byte by byte") {
  CHECK(visible("\xc0\xaf") == "\\xc0\\xaf");
  CHECK(visible("\xed\xa0\x80") == "\\xed\\xa0\\x80");
  CHECK(visible("\xe2\x80x") == "\\xe2\\x80x");
  CHECK(visible("\xf4\x90\x80\x80") == "\\xf4\\x90\\x80\\x80");
}

TEST_CASE("a text that ends in the middle of a character") {
  CHECK(whole_characters("") == 0);
  CHECK(whole_characters("ab") == 2);
  CHECK(whole_characters("a\xe2\x82\xac") == 4);
  CHECK(whole_characters("a\xe2\x82") == 1);
  CHECK(whole_characters("a\xf0") == 1);
  CHECK(whole_characters("\xf0\x9f\x98") == 0);
  CHECK(whole_characters("a\x80") == 2);                 // begins nothing: it will not become one
  CHECK(whole_characters("\x80\x80\x80\x80") == 4);
}

TEST_CASE("an error is one line, whatever is in it") {
  CHECK(one_line("a\nb\rc\td\x1b[31m") == "a^Jb^Mc^Id^[[31m");
  CHECK(one_line({wardenv::ErrorCode::kBadInput, "`x\nwardenv: all is well` is bad", "do better", 0}) == "`x^Jwardenv: all is well` is bad \xe2\x80\x94 do better");
  CHECK(one_line({wardenv::ErrorCode::kBadInput, "no hint", "", 0}) == "no hint");
}
