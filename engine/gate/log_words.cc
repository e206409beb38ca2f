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

// In a grammar's words values are escaped, so that a backtick ends one (policy/commands/text.h).
std::string without_each_quote(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t begin = text.find('`');
    out += text.substr(0, begin);
    if (begin == std::string_view::npos) return out;
    out += "`…`";
    const std::size_t end = text.find('`', begin + 1);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  }
  return out;
}

// Where they are not: from the first backtick to the last.
std::string without_quotes(std::string_view text) {
  const std::size_t first = text.find('`');
  if (first == std::string_view::npos) return std::string(text);
  const std::size_t last = text.rfind('`');
  return std::string(text.substr(0, first)) + "`…`" + std::string(text.substr(last + 1));
}

}  // namespace

std::string words_for_log(const policy::Decision& decision, const ToolCall& call, const std::vector<std::string>& plain_arguments) {
  const bool by_grammar = decision.rule.find("/commands/") != std::string::npos || decision.rule.ends_with("/commands");
  const bool quotes = by_grammar || decision.rule == "(malformed call)";
  if (!quotes || are_all_plain(arguments_of(call), plain_arguments)) return decision.reason;
  return by_grammar ? without_each_quote(decision.reason) : without_quotes(decision.reason);
}

std::string words_for_log(const Error& error, const ToolCall& call, const std::vector<std::string>& plain_arguments) {
  return are_all_plain(arguments_of(call), plain_arguments) ? error.message : without_quotes(error.message);
}

}  // namespace wardenv::engine
