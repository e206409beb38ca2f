// SPDX-License-Identifier: Apache-2.0
// The table of presets.
#include "policy/commands/presets.h"

#include <algorithm>
#include <array>

namespace wardenv::policy {
namespace {

constexpr std::array<Preset, 0> kPresets{};

}  // namespace

std::span<const Preset> presets() { return kPresets; }

const Preset* find_preset(std::string_view name) {
  const auto* found = std::find_if(kPresets.begin(), kPresets.end(), [&](const Preset& preset) { return preset.name == name; });
  return found == kPresets.end() ? nullptr : found;
}

}  // namespace wardenv::policy
