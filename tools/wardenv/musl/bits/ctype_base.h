// SPDX-License-Identifier: Apache-2.0
// In the place of the header that knows glibc's tables: <locale> can be parsed with it, and nothing of ours uses it.
#pragma once

namespace std {

struct ctype_base {
  using __to_type = const int*;
  using mask = unsigned short;
  static constexpr mask upper = 1 << 0, lower = 1 << 1, digit = 1 << 2, xdigit = 1 << 3, space = 1 << 4, print = 1 << 5, cntrl = 1 << 6, punct = 1 << 7, blank = 1 << 8;
  static constexpr mask alpha = upper | lower, alnum = alpha | digit, graph = alnum | punct;
};

}  // namespace std
