// SPDX-License-Identifier: Apache-2.0
// Sizes and durations.
#include "engine/units.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <optional>

#include "sandbox/base/text.h"

namespace wardenv::engine {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};
constexpr std::array kSizes = {Unit{"", 1}, Unit{"K", 1ULL << 10}, Unit{"M", 1ULL << 20}, Unit{"G", 1ULL << 30}};
constexpr std::array kTimes = {Unit{"ms", 1}, Unit{"s", 1000}, Unit{"m", 60'000}, Unit{"h", 3'600'000}};

tl::unexpected<Error> bad(std::string_view text, const char* what, const char* example) {
  return fail(ErrorCode::kBadInput, "`" + std::string(text) + "` is not " + what, "for example " + std::string(example));
}

// Digits and one of `units`; no value where there is anything else, or where it does not fit 63 bits.
template <std::size_t N>
bool parse_with_unit(std::string_view text, const std::array<Unit, N>& units, std::uint64_t& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end == text.data()) return false;
  const std::string_view rest(end, static_cast<std::size_t>(text.data() + text.size() - end));
  for (const Unit& unit : units) {
    if (unit.name != rest) continue;
    if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()) / unit.factor) return false;
    value *= unit.factor;
    return true;
  }
  return false;
}

// In the largest unit that tells it exactly.
template <std::size_t N>
std::string with_unit(std::uint64_t value, const std::array<Unit, N>& units) {
  const Unit* best = units.data();
  for (const Unit& unit : units) {
    if (value != 0 && value % unit.factor == 0) best = &unit;
  }
  return std::to_string(value / best->factor) + std::string(best->name);
}

// The digits behind a decimal point.
std::optional<std::uint32_t> billionths_in(std::string_view digits) {
  constexpr std::size_t kDigits = 9;
  if (digits.empty() || digits.size() > kDigits) return std::nullopt;
  return number_in<std::uint32_t>(std::string(digits) + std::string(kDigits - digits.size(), '0'));
}

}  // namespace

Result<std::uint64_t> parse_size(std::string_view text) {
  std::uint64_t value = 0;
  if (!parse_with_unit(text, kSizes, value)) return bad(text, "a size", "512M");
  return value;
}

Result<std::chrono::milliseconds> parse_duration(std::string_view text) {
  std::uint64_t value = 0;
  if (!parse_with_unit(text, kTimes, value) || value == 0) return bad(text, "a duration", "30s");
  return std::chrono::milliseconds(static_cast<std::int64_t>(value));
}

Result<double> parse_cores(std::string_view text) {
  const std::size_t point = std::min(text.find('.'), text.size());
  const auto whole = point == 0 ? std::optional(0U) : number_in<std::uint32_t>(text.substr(0, point));
  const auto billionths = point == text.size() ? std::optional(0U) : billionths_in(text.substr(point + 1));
  const double value = whole && billionths ? *whole + *billionths * 1e-9 : 0.0;
  if (!(value > 0.0) || value > 4096.0) return bad(text, "a number of cores", "1.5");
  return value;
}

Result<std::uint32_t> parse_count(std::string_view text) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value == 0 || value > 1'000'000) return bad(text, "a number of processes", "64");
  return value;
}

std::string size_text(std::uint64_t bytes) { return with_unit(bytes, kSizes); }
std::string duration_text(std::chrono::milliseconds time) { return with_unit(static_cast<std::uint64_t>(time.count()), kTimes); }

std::string cores_text(double cores) {
  const auto billionths = static_cast<std::uint64_t>(cores * 1e9 + 0.5);
  std::string text = std::to_string(billionths / 1'000'000'000);
  std::string behind = std::to_string(billionths % 1'000'000'000);
  behind.insert(0, 9 - behind.size(), '0');
  behind.erase(behind.find_last_not_of('0') + 1);
  return behind.empty() ? text : text + "." + behind;
}

}  // namespace wardenv::engine
