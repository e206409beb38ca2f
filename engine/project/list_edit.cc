// SPDX-License-Identifier: Apache-2.0
// Edits of the text of one TOML array.
#include "engine/project/list_edit.h"

#include <algorithm>
#include <optional>

namespace wardenv::engine {
namespace {

constexpr std::size_t kNone = std::string_view::npos;

bool is_blank(char c) { return c == ' ' || c == '\t'; }

std::string_view line_end_style(std::string_view text) {
  const std::size_t newline = text.find('\n');
  return newline != kNone && newline > 0 && text[newline - 1] == '\r' ? "\r\n" : "\n";
}

std::size_t line_begin(std::string_view text, std::size_t at) {
  const std::size_t newline = at == 0 ? kNone : text.rfind('\n', at - 1);
  return newline == kNone ? 0 : newline + 1;
}

// The place of the line's end: of its \r\n or \n, or of the text's end.
std::size_t line_end(std::string_view text, std::size_t at) {
  const std::size_t newline = std::min(text.find('\n', at), text.size());
  return newline < text.size() && newline > at && text[newline - 1] == '\r' ? newline - 1 : newline;
}

std::size_t after_line_end(std::string_view text, std::size_t at) {
  const std::size_t newline = text.find('\n', at);
  return newline == kNone ? text.size() : newline + 1;
}

std::size_t skip_blank(std::string_view text, std::size_t at) {
  while (at < text.size() && is_blank(text[at])) ++at;
  return at;
}

// The comma that follows an item; white space, line ends and comments may lie between.
std::optional<std::size_t> comma_after(std::string_view text, std::size_t at) {
  while (at < text.size()) {
    if (text[at] == ',') return at;
    if (text[at] == '#') at = line_end(text, at);
    else if (is_blank(text[at]) || text[at] == '\n' || text[at] == '\r') ++at;
    else return {};
  }
  return {};
}

bool begins_its_line(std::string_view text, std::size_t at) {
  const std::size_t begin = line_begin(text, at);
  return skip_blank(text, begin) == at;
}

std::string indentation(std::string_view text, std::size_t at) {
  const std::size_t begin = line_begin(text, at);
  return std::string(text.substr(begin, skip_blank(text, begin) - begin));
}

std::string splice(std::string_view text, std::size_t begin, std::size_t end, std::string_view middle) {
  return std::string(text.substr(0, begin)) + std::string(middle) + std::string(text.substr(end));
}

// `[` … `]` without items: may hold comments and line ends.
std::string fill_empty(std::string_view text, const ListPlace& list, std::string_view item) {
  const std::size_t close = list.span.end - 1;
  const std::string_view inside = text.substr(list.span.begin + 1, close - list.span.begin - 1);
  if (inside.find('\n') == kNone) return splice(text, list.span.begin + 1, close, item);
  const std::string newline(line_end_style(text));
  const std::string margin = indentation(text, list.span.begin);
  if (begins_its_line(text, close)) return splice(text, line_begin(text, close), line_begin(text, close), margin + "    " + std::string(item) + "," + newline);
  return splice(text, close, close, newline + margin + "    " + std::string(item) + "," + newline + margin);
}

std::string append_line(std::string_view text, const ListPlace& list, std::string_view item) {
  const ListItem& last = list.items.back();
  const auto comma = comma_after(text, last.span.end);
  const std::size_t done = comma ? *comma + 1 : last.span.end;
  const std::string newline(line_end_style(text));
  const std::string line = newline + indentation(text, last.span.begin) + std::string(item) + (comma ? "," : "");
  // A comment behind the last item stays behind it.
  const std::size_t next = skip_blank(text, done);
  const std::size_t at = next < text.size() && (text[next] == '#' || text[next] == '\n' || text[next] == '\r') ? line_end(text, done) : done;
  std::string result = splice(text, at, at, line);
  return comma ? result : splice(result, last.span.end, last.span.end, ",");
}

// The span of an item that has its line to itself, with comma and comment.
std::optional<Span> whole_line(std::string_view text, const ListPlace& list, std::size_t index) {
  const ListItem& item = list.items[index];
  if (!begins_its_line(text, item.span.begin)) return {};
  const auto comma = comma_after(text, item.span.end);
  const std::size_t end = line_end(text, item.span.end);
  const std::size_t done = comma && *comma < end ? *comma + 1 : item.span.end;
  const std::size_t next = skip_blank(text, done);
  if (next < end && text[next] != '#') return {};
  if (comma && *comma >= end) return {};
  return Span{line_begin(text, item.span.begin), after_line_end(text, item.span.end)};
}

Span in_line(std::string_view text, const ListPlace& list, std::size_t index) {
  const ListItem& item = list.items[index];
  const auto comma = comma_after(text, item.span.end);
  if (index + 1 < list.items.size()) {
    const std::size_t next = skip_blank(text, *comma + 1);
    return {item.span.begin, next};
  }
  if (index > 0) return {list.items[index - 1].span.end, comma ? *comma : item.span.end};
  return {item.span.begin, comma ? *comma + 1 : item.span.end};
}

}  // namespace

std::string toml_string(std::string_view value) {
  const bool has_double = value.find_first_of("\"\\") != kNone;
  if (has_double && value.find('\'') == kNone) return "'" + std::string(value) + "'";
  std::string text = "\"";
  for (const char c : value) {
    if (c == '"' || c == '\\') text += '\\';
    text += c == '\t' ? ' ' : c;
  }
  return text + "\"";
}

std::string append_item(std::string_view text, const ListPlace& list, std::string_view value) {
  const std::string item = toml_string(value);
  if (list.items.empty()) return fill_empty(text, list, item);
  const ListItem& last = list.items.back();
  if (begins_its_line(text, last.span.begin)) return append_line(text, list, item);
  return splice(text, last.span.end, last.span.end, ", " + item);
}

std::string replace_item(std::string_view text, const ListPlace& list, std::size_t index, std::string_view value) {
  const Span span = list.items[index].span;
  const bool single = text[span.begin] == '\'' && value.find('\'') == kNone;
  return splice(text, span.begin, span.end, single ? "'" + std::string(value) + "'" : toml_string(value));
}

std::string remove_item(std::string_view text, const ListPlace& list, std::size_t index) {
  const auto line = whole_line(text, list, index);
  if (!line) {
    const Span span = in_line(text, list, index);
    return splice(text, span.begin, span.end, "");
  }
  std::string result = splice(text, line->begin, line->end, "");
  const bool last = index + 1 == list.items.size();
  if (!last || index == 0 || comma_after(text, list.items[index].span.end)) return result;
  // No trailing comma before, none after.
  const auto before = comma_after(text, list.items[index - 1].span.end);
  return before ? splice(result, *before, *before + 1, "") : result;
}

std::string insert_list(std::string_view text, const NewListPlace& place, std::string_view table, std::string_view key, std::string_view value) {
  const std::string newline(line_end_style(text));
  const std::string list = std::string(key) + " = [" + newline + "    " + toml_string(value) + "," + newline + "]" + newline;
  if (place.how == NewListPlace::How::kKeyAfterLine) {
    const std::size_t at = after_line_end(text, place.after);
    const bool needs_newline = at == text.size() && (text.empty() || text.back() != '\n');
    return splice(text, at, at, (needs_newline ? newline : "") + place.prefix + list);
  }
  std::string result(text);
  if (!result.empty() && result.back() != '\n') result += newline;
  if (!result.empty()) result += newline;
  return result + "[" + std::string(table) + "]" + newline + list;
}

}  // namespace wardenv::engine
