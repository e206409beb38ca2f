// SPDX-License-Identifier: Apache-2.0
// The arguments of a call, read strictly: nothing is coerced, and what is wrong is told so that the call can be mended.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace wardenv::mcp {

class Arguments {
 public:
  // REQUIRES: `object` outlives this, and is an object.
  explicit Arguments(const nlohmann::json& object) : object_(object) {}

  // Each notes the first thing that is wrong, and then gives a default.
  std::string text(std::string_view name);                                    // required, not empty
  std::optional<std::string> optional_text(std::string_view name);
  std::vector<std::string> list(std::string_view name, std::size_t max);      // of strings; absent: empty
  std::optional<bool> flag(std::string_view name);
  std::optional<std::uint64_t> number(std::string_view name, std::uint64_t min, std::uint64_t max);

  void wrong(std::string message);      // notes something else

  // To be called last: arguments that nobody asked for are wrong too. The first thing that was wrong, in one line.
  [[nodiscard]] std::optional<std::string> problem();

 private:
  const nlohmann::json* find(std::string_view name);

  const nlohmann::json& object_;
  std::vector<std::string_view> known_;
  std::optional<std::string> problem_;
};

}  // namespace wardenv::mcp
