// SPDX-License-Identifier: Apache-2.0
// Sizes, durations and windows.
#include "policy/core/text/units.h"

#include <array>
#include <charconv>
#include <limits>

namespace wardenv::policy::core {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};
constexpr std::array kSizes = {Unit{"", 1}, Unit{"K", 1ULL << 10}, Unit{"M", 1ULL << 20}, Unit{"G", 1ULL << 30}};
constexpr std::array kTimes = {Unit{"ms", 1}, Unit{"s", 1000}, Unit{"m", 60'000}, Unit{"h", 3'600'000}, Unit{"d", 86'400'000}};
constexpr std::array kWindows = {Unit{"second", 1000}, Unit{"minute", 60'000}, Unit{"hour", 3'600'000}, Unit{"day", 86'400'000}};

template <std::size_t N>
const Unit* find(const std::array<Unit, N>& units, std::string_view name) {
  for (const Unit& unit : units) {
    if (unit.name == name) return &unit;
  }
  return nullptr;
}

template <std::size_t N>
std::optional<std::uint64_t> parse(std::string_view text, const std::array<Unit, N>& units) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end == text.data()) return std::nullopt;
  const Unit* unit = find(units, text.substr(static_cast<std::size_t>(end - text.data())));
  if (unit == nullptr || value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()) / unit->factor) return std::nullopt;
  return value * unit->factor;
}

}  // namespace

std::optional<std::uint64_t> parse_size(std::string_view text) { return parse(text, kSizes); }

std::optional<std::chrono::milliseconds> parse_duration(std::string_view text) {
  const auto value = parse(text, kTimes);
  if (!value || *value == 0 || *value > static_cast<std::uint64_t>(kLongestSpan.count())) return std::nullopt;
  return std::chrono::milliseconds(static_cast<std::int64_t>(*value));
}

std::optional<std::chrono::milliseconds> parse_window_name(std::string_view text) {
  const Unit* unit = find(kWindows, text);
  if (unit == nullptr) return std::nullopt;
  return std::chrono::milliseconds(static_cast<std::int64_t>(unit->factor));
}

}  // namespace wardenv::policy::core
