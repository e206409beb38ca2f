// SPDX-License-Identifier: Apache-2.0
// Number: exact comparison of integers and doubles.
#include "policy/core/number.h"

#include <cmath>
#include <limits>

namespace wardenv::policy::core {
namespace {

constexpr double kTwo63 = 9223372036854775808.0;
constexpr double kTwo64 = 18446744073709551616.0;

std::strong_ordering compare_reals(double one, double other) {
  return one < other ? std::strong_ordering::less : one > other ? std::strong_ordering::greater : std::strong_ordering::equal;
}

// A kReal is no whole number of 64 bits, so it is either far outside or has a fraction, and then its floor fits an int64.
std::strong_ordering compare_whole_to_real(const Number& whole, double real) {
  if (real >= kTwo63) return real >= kTwo64 || whole.kind == Number::Kind::kInteger ? std::strong_ordering::less : std::strong_ordering::greater;
  if (real < -kTwo63 || whole.kind == Number::Kind::kNatural) return std::strong_ordering::greater;
  return whole.integer <= static_cast<std::int64_t>(std::floor(real)) ? std::strong_ordering::less : std::strong_ordering::greater;
}

std::strong_ordering flipped(std::strong_ordering order) { return 0 <=> order; }

}  // namespace

Number make_number(std::int64_t value) { return {Number::Kind::kInteger, value, 0, 0}; }

Number make_number(std::uint64_t value) {
  if (value <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) return make_number(static_cast<std::int64_t>(value));
  return {Number::Kind::kNatural, 0, value, 0};
}

Number make_number(double value) {
  if (std::trunc(value) == value && value >= -kTwo63 && value < kTwo63) return make_number(static_cast<std::int64_t>(value));
  if (std::trunc(value) == value && value >= kTwo63 && value < kTwo64) return make_number(static_cast<std::uint64_t>(value));
  return {Number::Kind::kReal, 0, 0, value};
}

std::strong_ordering compare(const Number& one, const Number& other) {
  using Kind = Number::Kind;
  if (one.kind == Kind::kReal && other.kind == Kind::kReal) return compare_reals(one.real, other.real);
  if (other.kind == Kind::kReal) return compare_whole_to_real(one, other.real);
  if (one.kind == Kind::kReal) return flipped(compare_whole_to_real(other, one.real));
  if (one.kind != other.kind) return one.kind == Kind::kInteger ? std::strong_ordering::less : std::strong_ordering::greater;
  return one.kind == Kind::kInteger ? one.integer <=> other.integer : one.natural <=> other.natural;
}

}  // namespace wardenv::policy::core
