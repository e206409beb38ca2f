// SPDX-License-Identifier: Apache-2.0
// Records for people; times as people write them.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "engine/audit/folder.h"
#include "engine/audit/read.h"
#include "engine/units.h"

namespace wardenv::engine {
namespace {

using Json = nlohmann::ordered_json;

// The members that have a place of their own, and those that say nothing to people.
constexpr std::string_view kPlaced[] = {"seq", "time", "event", "decision", "outcome", "exit_code", "tool", "prev", "hash", "mac", "policy_digest"};

// Strings bare where nothing in them could be taken for something else, else as JSON; other values as JSON. ASCII only.
std::string word(const Json& value) {
  if (value.is_string()) {
    const auto& text = value.get_ref<const std::string&>();
    const bool bare = !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 127 && c != '"' && c != '=' && c != '\\'; });
    if (bare) return text;
  }
  return value.dump(-1, ' ', true, Json::error_handler_t::replace);
}

std::string member(const Json& record, const char* name) {
  const auto found = record.find(name);
  return found == record.end() ? "" : word(*found);
}

// Everything but printable ASCII as \xNN.
std::string made_visible(std::string_view text) {
  std::string out;
  for (const char c : text) {
    char escape[8];
    if (c >= ' ' && c < 127) {
      out += c;
    } else {
      std::snprintf(escape, sizeof escape, "\\x%02x", static_cast<unsigned>(static_cast<unsigned char>(c)));
      out += escape;
    }
  }
  return out;
}

bool is_date(std::string_view text) {
  constexpr std::string_view kForm = "0000-00-00T00:00:00";
  if (text.ends_with('Z')) text.remove_suffix(1);
  if (text.size() != 10 && text.size() != 16 && text.size() != 19) return false;
  return std::equal(text.begin(), text.end(), kForm.begin(), [](char c, char form) { return form == '0' ? c >= '0' && c <= '9' : c == form; });
}

}  // namespace

std::string audit_line_text(std::string_view line) {
  const Json record = line.size() < audit::kMaxLineBytes ? Json::parse(line, nullptr, false) : Json();
  if (!record.is_object()) return "(no record) " + made_visible(line);
  std::string text = member(record, "time") + "  " + member(record, "seq") + "  " + member(record, "event");
  for (const std::string& part : {member(record, "decision"), member(record, "outcome"), member(record, "exit_code"), member(record, "tool")}) text += part.empty() ? "" : "  " + part;
  text += " ";
  for (const auto& [name, value] : record.items()) {
    if (std::find(std::begin(kPlaced), std::end(kPlaced), name) == std::end(kPlaced)) text += " " + word(Json(name)) + "=" + word(value);
  }
  return text.ends_with(' ') ? text.substr(0, text.size() - 1) : text;
}

Result<std::string> parse_audit_time(std::string_view text) {
  if (is_date(text)) return std::string(text.ends_with('Z') ? text.substr(0, text.size() - 1) : text);
  if (text.ends_with('d')) {
    const auto days = parse_duration(std::string(text.substr(0, text.size() - 1)) + "h");
    if (days) return audit::time_text(audit::now_microseconds() - std::chrono::microseconds(*days * 24).count());
  } else if (const auto before = parse_duration(text); before) {
    return audit::time_text(audit::now_microseconds() - std::chrono::microseconds(*before).count());
  }
  return fail(ErrorCode::kBadInput, "`" + made_visible(text) + "` is no time", "for example 90m, 2d, 2026-01-31 or 2026-01-31T12:00:00Z");
}

}  // namespace wardenv::engine
