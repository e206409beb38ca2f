// SPDX-License-Identifier: Apache-2.0
// Number: JSON numbers compared by their exact values, never through a double.
#pragma once

#include <compare>
#include <cstdint>

namespace wardenv::policy::core {

// One representation for each value: integers that fit an int64 are kInteger, up to 2^64-1 kNatural, everything else kReal.
struct Number {
  enum class Kind : std::uint8_t { kInteger, kNatural, kReal };
  Kind kind = Kind::kInteger;
  std::int64_t integer = 0;
  std::uint64_t natural = 0;
  double real = 0;
};

Number make_number(std::int64_t value);
Number make_number(std::uint64_t value);
Number make_number(double value);   // finite

std::strong_ordering compare(const Number& one, const Number& other);

}  // namespace wardenv::policy::core
