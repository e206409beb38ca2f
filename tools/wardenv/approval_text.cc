// SPDX-License-Identifier: Apache-2.0
// How a waiting call is shown.
#include "tools/wardenv/approval_text.h"

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <ctime>
#include <nlohmann/json.hpp>

#include "sandbox/base/utf8.h"
#include "tools/options/unicode.h"

namespace wardenv::cli {
namespace {

using nlohmann::json;
using policy::Approval;
using policy::WallTime;

struct Range {
  char32_t first, last;
};

// More than is unseen elsewhere (options/unicode.h). Unicode 15: categories Cc, Cf, Zs, Zl, Zp, Co, combining marks by block, variation selectors, fillers
// that show nothing.
constexpr Range kHidden[] = {
    {0x7f, 0xa0},       {0xad, 0xad},       {0x300, 0x36f},     {0x483, 0x489},     {0x591, 0x5c7},   {0x600, 0x61c},     {0x64b, 0x65f},   {0x670, 0x670},
    {0x6d6, 0x6ed},     {0x70f, 0x70f},     {0x8e2, 0x902},     {0x115f, 0x1160},   {0x1680, 0x1680}, {0x17b4, 0x17b5},   {0x180b, 0x180f}, {0x1ab0, 0x1aff},
    {0x1dc0, 0x1dff},   {0x2000, 0x200f},   {0x2028, 0x202f},   {0x205f, 0x206f},   {0x20d0, 0x20ff}, {0x2800, 0x2800},   {0x3000, 0x3000}, {0x3164, 0x3164},
    {0xd800, 0xf8ff},   {0xfe00, 0xfe0f},   {0xfe20, 0xfe2f},   {0xfeff, 0xfeff},   {0xffa0, 0xffa0}, {0xfff0, 0xffff},   {0x110bd, 0x110cd},
    {0x13430, 0x1345f}, {0x1bca0, 0x1bca3}, {0x1d159, 0x1d182}, {0xe0000, 0x10ffff}};

bool is_hidden(char32_t c) {
  return tools::is_unseen(c) || std::any_of(std::begin(kHidden), std::end(kHidden), [c](const Range& range) { return c >= range.first && c <= range.last; });
}

std::string escape(char32_t c) {
  if (c == '\n') return "\\n";
  if (c == '\t') return "\\t";
  if (c == '\r') return "\\r";
  if (c == '"' || c == '\\') return {'\\', static_cast<char>(c)};
  return tools::escaped(c);
}

std::string stray_byte(char c) {
  char text[8];
  std::snprintf(text, sizeof text, "\\x%02x", static_cast<unsigned char>(c));
  return text;
}

enum class Beyond { kShow, kEscape };   // characters beyond ASCII

std::string quote(std::string_view text, Beyond beyond) {
  std::string shown = "\"";
  for (std::size_t at = 0; at < text.size();) {
    const Utf8 next = decode_utf8(text, at);
    if (next.length == 0) {
      shown += stray_byte(text[at++]);
      continue;
    }
    const char32_t c = next.character;
    const bool as_is = c >= 0x20 && c != '"' && c != '\\' && !is_hidden(c) && (c < 0x80 || beyond == Beyond::kShow);
    if (as_is) shown += text.substr(at, next.length);
    else shown += escape(c);
    at += next.length;
  }
  return shown + "\"";
}

// Letters of other scripts may look like ASCII ones: then both forms are shown.
std::string shown_both_ways(std::string_view text) {
  const std::string plain = in_quotes(text);
  const std::string ascii = in_quotes_ascii(text);
  return plain == ascii ? plain : plain + "   in ASCII: " + ascii;
}

std::string key_text(const std::string& key) {
  const bool plain = !key.empty() && std::all_of(key.begin(), key.end(), [](unsigned char c) { return c < 0x80 && (std::isalnum(c) != 0 || c == '_' || c == '-'); });
  return plain ? key : "[" + in_quotes_ascii(key) + "]";
}

// Every value on a line of its own, with the way to it.
void flatten(const json& value, const std::string& path, std::vector<std::string>& lines) {
  if (value.is_object() && !value.empty()) {
    for (const auto& [key, inner] : value.items()) {
      const std::string name = key_text(key);
      flatten(inner, path + (path.empty() || name.front() == '[' ? "" : ".") + name, lines);
    }
  } else if (value.is_array() && !value.empty()) {
    for (std::size_t i = 0; i < value.size(); ++i) flatten(value[i], path + "[" + std::to_string(i) + "]", lines);
  } else {
    lines.push_back((path.empty() ? "" : path + " = ") + (value.is_string() ? shown_both_ways(value.get_ref<const std::string&>()) : value.dump()));
  }
}

bool is_command(const json& arguments) {
  if (!arguments.is_object() || !arguments.contains("command") || !arguments["command"].is_string()) return false;
  const auto args = arguments.find("args");
  return args == arguments.end() || (args->is_array() && std::all_of(args->begin(), args->end(), [](const json& arg) { return arg.is_string(); }));
}

// "rm" "-r" "build": what of a command is executed, word by word.
std::string argv_text(const json& arguments) {
  std::string line = in_quotes_ascii(arguments["command"].get_ref<const std::string&>());
  if (arguments.contains("args")) {
    for (const json& arg : arguments["args"]) line += " " + in_quotes_ascii(arg.get_ref<const std::string&>());
  }
  return line;
}

// What a call has besides its command, by name: in one line, and cut where it would get long.
std::string more_text(const json& arguments) {
  constexpr std::size_t kWidth = 40;
  std::string more;
  for (const auto& argument : arguments.items()) {
    const std::string& key = argument.key();
    if (key != "command" && key != "args" && key != "current_working_dir") more += " +" + key_text(key);
  }
  return more.size() <= kWidth ? more : more.substr(0, kWidth) + "…";
}

std::string cut(const std::string& text, std::size_t width) { return text.size() <= width ? text : text.substr(0, width) + "… (`show` shows all)"; }

std::string span_text(std::chrono::system_clock::duration span) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(span).count();
  if (seconds < 120) return std::to_string(seconds) + " s";
  if (seconds < 7200) return std::to_string(seconds / 60) + " min";
  return seconds < 172'800 ? std::to_string(seconds / 3600) + " h" : std::to_string(seconds / 86'400) + " days";
}

std::string left_text(WallTime until, WallTime now) {
  return until > now ? "in " + span_text(until - now) : span_text(now - until) + " ago";
}

std::string program_text(const policy::ApprovalCall& call) {
  return call.program.empty() ? "-" : shown_both_ways(call.program) + " as " + in_quotes_ascii(call.program_identity);
}

void add_values(const char* title, const json& values, std::string& text) {
  std::vector<std::string> lines;
  flatten(values, "", lines);
  text += std::string("  ") + title + "\n";
  for (const std::string& line : lines) text += "    " + line + "\n";
}

std::string name_or_dash(const std::string& text) { return text.empty() ? "-" : in_quotes_ascii(text); }

}  // namespace

std::string in_quotes(std::string_view text) { return quote(text, Beyond::kShow); }
std::string in_quotes_ascii(std::string_view text) { return quote(text, Beyond::kEscape); }

std::string utc(WallTime time) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(std::chrono::floor<std::chrono::seconds>(time));
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  char text[40];
  return std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts) > 0 ? text : "-";
}

std::string approval_text(const Approval& approval, WallTime now) {
  const json arguments = json::parse(approval.call.arguments_json, nullptr, false);
  std::string text = "approval " + approval.id + ": " + std::string(to_string(approval.state)) + "\n";
  const auto add = [&](const char* name, const std::string& value) { text += std::string("  ") + name + value + "\n"; };
  add("tool         ", shown_both_ways(approval.call.tool));
  if (is_command(arguments)) add("runs         ", argv_text(arguments));
  add("program      ", program_text(approval.call));
  add("in           ", shown_both_ways(approval.call.cwd));
  add("workspace    ", approval.call.workspace.empty() ? "-" : shown_both_ways(approval.call.workspace));
  add("venv         ", approval.call.venv.empty() ? "-" : shown_both_ways(approval.call.venv));
  add("for grant    ", name_or_dash(approval.call.grant));
  add("profile      ", name_or_dash(approval.call.profile));
  add("rule         ", in_quotes_ascii(approval.call.rule));
  if (!approval.reason.empty()) add("reason       ", in_quotes(approval.reason));
  add("asked        ", utc(approval.created_at) + ", " + left_text(approval.created_at, now));
  add("ends         ", utc(approval.expires_at) + ", " + left_text(approval.expires_at, now));
  if (approval.decided_at) add("decided      ", utc(*approval.decided_at) + " by " + in_quotes_ascii(approval.decided_by) + (approval.note.empty() ? "" : ": " + in_quotes(approval.note)));
  add("fingerprint  ", approval.fingerprint);
  add_values("arguments", arguments, text);
  const json granted = json::parse(approval.call.granted_json, nullptr, false);
  if (granted.is_object()) add_values("granted by the profile and the defaults, at most", granted, text);
  return text;
}

std::string approval_line(const Approval& approval, WallTime now) {
  constexpr std::size_t kWidth = 72;
  const json arguments = json::parse(approval.call.arguments_json, nullptr, false);
  const std::string what = is_command(arguments) ? cut(argv_text(arguments), kWidth) + more_text(arguments) : cut(arguments.dump(-1, ' ', true), kWidth);
  std::string head = approval.id + "  " + std::string(to_string(approval.state));
  head.resize(std::max<std::size_t>(head.size(), 26), ' ');
  return head + " " + left_text(approval.expires_at, now) + "  " + in_quotes_ascii(approval.call.tool) + " for " + name_or_dash(approval.call.grant) + "  " + what;
}

std::string approval_json(const Approval& approval) {
  nlohmann::ordered_json object{{"id", approval.id},
                                {"state", to_string(approval.state)},
                                {"tool", approval.call.tool},
                                {"arguments", nlohmann::ordered_json::parse(approval.call.arguments_json, nullptr, false)},
                                {"cwd", approval.call.cwd},
                                {"workspace", approval.call.workspace},
                                {"venv", approval.call.venv},
                                {"program", approval.call.program},
                                {"program_identity", approval.call.program_identity},
                                {"grant", approval.call.grant},
                                {"profile", approval.call.profile},
                                {"granted", nlohmann::ordered_json::parse(approval.call.granted_json.empty() ? "null" : approval.call.granted_json, nullptr, false)},
                                {"rule", approval.call.rule},
                                {"policy_digest", approval.call.policy_digest},
                                {"reason", approval.reason},
                                {"fingerprint", approval.fingerprint},
                                {"created_at", utc(approval.created_at)},
                                {"expires_at", utc(approval.expires_at)},
                                {"decided_at", nullptr},
                                {"decided_by", approval.decided_by},
                                {"note", approval.note}};
  if (approval.decided_at) object["decided_at"] = utc(*approval.decided_at);
  return object.dump(-1, ' ', true, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace wardenv::cli
