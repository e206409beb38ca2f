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

// What is no string is found as it is written.
bool quotes_any(std::string_view text, const Json& value) {
  if (value.is_structured()) return std::any_of(value.begin(), value.end(), [&](const Json& item) { return quotes_any(text, item); });
  const std::string written = value.is_string() ? value.get<std::string>() : value.dump();
  return !written.empty() && text.find(written) != std::string_view::npos;
}

// The folder stands in records as it is, as `cwd`. What can't be read as JSON may be quoted in any form.
bool may_quote(std::string_view text, Json arguments) {
  if (!arguments.is_object()) return true;
  arguments.erase("current_working_dir");
  return quotes_any(text, arguments);
}

}  // namespace

std::string without_quotes(std::string_view text) {
  const std::size_t first = text.find('`');
  if (first == std::string_view::npos) return std::string(text);
  const std::size_t last = text.rfind('`');
  return std::string(text.substr(0, first)) + "`…`" + std::string(text.substr(last + 1));
}

std::string words_for_log(const policy::Decision& decision, const ToolCall& call, const std::vector<std::string>& plain_arguments) {
  const bool by_grammar = decision.rule.find("/commands/") != std::string::npos || decision.rule.ends_with("/commands");
  if (!by_grammar && decision.rule != "(malformed call)") return decision.reason;
  const Json arguments = arguments_of(call);
  if (are_all_plain(arguments, plain_arguments) || (!by_grammar && !may_quote(decision.reason, arguments))) return decision.reason;
  return without_quotes(decision.reason);
}

std::string words_for_log(const Error& error, const ToolCall& call, const std::vector<std::string>& plain_arguments) {
  const Json arguments = arguments_of(call);
  const bool whole = are_all_plain(arguments, plain_arguments) || (error.code == ErrorCode::kHost && !may_quote(error.message, arguments));
  return whole ? error.message : without_quotes(error.message);
}

}  // namespace wardenv::engine
