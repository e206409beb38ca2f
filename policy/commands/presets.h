// SPDX-License-Identifier: Apache-2.0
// Presets: argument allowlists that ship with the product, named by `"preset": "pytest"` in a policy.
#pragma once

#include <span>
#include <string_view>

namespace wardenv::policy {

struct Preset {
  std::string_view name{};     // what a policy says, e.g. "git-readonly"
  std::string_view summary{};  // one line, for `wardenv policy presets`
  std::string_view allows{};   // what it allows, and what it leaves out on purpose; one line
  std::string_view grammar{};  // JSON text, the same grammar as one command of a policy
};

// All of them, sorted by name. The memory is static.
std::span<const Preset> presets();

// nullptr where there is none of that name.
const Preset* find_preset(std::string_view name);

}  // namespace wardenv::policy
