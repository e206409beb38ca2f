// SPDX-License-Identifier: Apache-2.0
// What a terminal is shown.
#include "tools/options/text.h"

#include "tests/support/catch.h"

using wardenv::tools::one_line;
using wardenv::tools::visible;

TEST_CASE("text stays as it is") {
  CHECK(visible("plain\ttext\r\n") == "plain\ttext\r\n");
  CHECK(visible("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80") == "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80");
}

TEST_CASE("nothing that drives a terminal gets through") {
  CHECK(visible("\x1b]0;title\x07") == "^[]0;title^G");
  CHECK(visible("\x1b[2J\x1b[31m") == "^[[2J^[[31m");
  CHECK(visible("\x9b" "2J") == "\\x9b2J");
  CHECK(visible("\xc2\x9b" "2J") == "\\xc2\\x9b2J");
  CHECK(visible("\x7f") == "\\x7f");
  CHECK(visible(std::string("\0", 1)) == "^@");
  for (int c = 0; c < 256; ++c) {
    const std::string shown = visible(std::string(1, static_cast<char>(c)));
    for (char out : shown) CHECK((out == '\n' || out == '\r' || out == '\t' || (static_cast<unsigned char>(out) >= 0x20 && static_cast<unsigned char>(out) != 0x7f)));
    if (c >= 0x80 && c < 0xa0) CHECK(shown.size() == 4);
  }
}

TEST_CASE("an error is one line, whatever is in it") {
  CHECK(one_line("a\nb\rc\td\x1b[31m") == "a^Jb^Mc^Id^[[31m");
  CHECK(one_line({wardenv::ErrorCode::kBadInput, "`x\nwardenv: all is well` is bad", "do better", 0}) == "`x^Jwardenv: all is well` is bad \xe2\x80\x94 do better");
  CHECK(one_line({wardenv::ErrorCode::kBadInput, "no hint", "", 0}) == "no hint");
}
