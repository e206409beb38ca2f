// SPDX-License-Identifier: Apache-2.0
// A second judge of commands, slow and simple, written from the contract of `commands` alone: it reads the JSON of the grammar at every
// step and shares no code with the real one. For property tests and the fuzzer.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace wardenv::testing {

struct ReferenceContext {
  std::string workspace{};
  std::function<std::optional<std::string>(std::string_view)> resolve{};
};

// Whether the grammar allows the call. REQUIRES: a grammar without mistakes and without presets, of a command that is not tar.
bool reference_allows(const nlohmann::json& commands, const std::string& command, std::vector<std::string> args, const ReferenceContext& context);

}  // namespace wardenv::testing
