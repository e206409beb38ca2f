// SPDX-License-Identifier: Apache-2.0
#include "engine/gate/log_words.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace wardenv::engine {
namespace {

using Json = nlohmann::json;

Json arguments_of(const ToolCall& call) { return Json::parse(call.arguments_json, nullptr, false); }

bool are_all_plain(const Json& arguments, const std::vector<std::string>& plain) {
  return arguments.is_object() && std::all_of(arguments.items().begin(), arguments.items().end(), [&](const auto& item) {
    return std::find(plain.begin(), plain.end(), item.key()) != plain.end();
  });
}

}  // namespace

std::string without_quotes(std::string_view text) {
  const std::size_t first = text.find('`');
  if (first == std::string_view::npos) return std::string(text);
  const std::size_t last = text.rfind('`');
  return std::string(text.substr(0, first)) + "`…`" + std::string(text.substr(last + 1));
}

std::string words_for_log(const policy::Decision& decision, const ToolCall& call, const std::vector<std::string>& plain_arguments) {
  const bool ours = decision.rule.find("/commands/") != std::string::npos || decision.rule.ends_with("/commands") || decision.rule == "(malformed call)";
  return ours && !are_all_plain(arguments_of(call), plain_arguments) ? without_quotes(decision.reason) : decision.reason;
}

std::string words_for_log(const Error& error, const ToolCall& call, const std::vector<std::string>& plain_arguments) {
  return are_all_plain(arguments_of(call), plain_arguments) ? error.message : without_quotes(error.message);
}

}  // namespace wardenv::engine
