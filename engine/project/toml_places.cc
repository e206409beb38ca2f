// SPDX-License-Identifier: Apache-2.0
// The only file that knows the TOML library.
#include "engine/project/toml_places.h"

#include <algorithm>
#include <set>
#include <sstream>

#include <toml++/toml.h>

#include "engine/project/requirement.h"
#include "engine/project/toml_depth.h"

namespace wardenv::engine {
namespace {

constexpr std::size_t kMaxGroups = 64;

tl::unexpected<Error> bad(std::string message, std::string hint = {}) { return fail(ErrorCode::kBadInput, std::move(message), std::move(hint)); }

Result<toml::table> parse(std::string_view text) try {
  if (text.size() > kMaxPyprojectBytes) return bad("pyproject.toml is larger than 1 MiB");
  if (text.find('\0') != std::string_view::npos) return bad("pyproject.toml contains a NUL byte");
  if (!is_shallow(text)) return bad("pyproject.toml nests its keys too deeply");
  return toml::parse(text);
} catch (const toml::parse_error& error) {
  std::string what(error.description());
  std::replace(what.begin(), what.end(), '\n', ' ');
  return bad("pyproject.toml, line " + std::to_string(error.source().begin.line) + ": " + what, "mend that line, then call again");
}

// The library counts lines from 1 and columns in code points from 1.
class Lines {
 public:
  explicit Lines(std::string_view text) : text_(text) {
    starts_.push_back(text.starts_with("\xef\xbb\xbf") ? 3 : 0);
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (text[i] == '\n') starts_.push_back(i + 1);
    }
  }

  [[nodiscard]] std::size_t offset(const toml::source_position& position) const {
    if (position.line == 0 || position.line > starts_.size()) return text_.size();
    std::size_t at = starts_[position.line - 1];
    for (toml::source_index column = 1; column < position.column && at < text_.size(); ++column) {
      do ++at;
      while (at < text_.size() && (static_cast<unsigned char>(text_[at]) & 0xc0) == 0x80);
    }
    return at;
  }

  [[nodiscard]] Span span(const toml::source_region& region) const { return {offset(region.begin), offset(region.end)}; }

 private:
  std::string_view text_;
  std::vector<std::size_t> starts_;
};

// The headers (`[a]`, `[[b]]`) and the ends of the values of a document: where a table's own keys end.
struct Outline {
  std::vector<std::size_t> headers;
  std::vector<std::size_t> ends;
};

void outline(const toml::node& node, const Lines& lines, std::string_view text, Outline& to) {
  const Span span = lines.span(node.source());
  const toml::table* table = node.as_table();
  const toml::array* array = node.as_array();
  const bool header = table != nullptr && !table->is_inline() && span.begin < text.size() && text[span.begin] == '[';
  if (header) to.headers.push_back(span.begin);
  if (table != nullptr && !table->is_inline()) {
    for (const auto& [key, value] : *table) outline(value, lines, text, to);
  } else if (array != nullptr && !array->empty() && array->is_array_of_tables() && !array->front().as_table()->is_inline()) {
    for (const toml::node& item : *array) outline(item, lines, text, to);
  } else {
    to.ends.push_back(span.end);
  }
}

// A place in the last line of a table's own keys; the header's where it has none.
std::size_t last_line_of(std::size_t header, const Outline& all) {
  std::size_t next = std::string_view::npos;
  for (const std::size_t other : all.headers) {
    if (other > header) next = std::min(next, other);
  }
  std::size_t last = header;
  for (const std::size_t end : all.ends) {
    if (end > header && end <= next) last = std::max(last, end);
  }
  return last;
}

const char* table_name(Section section) { return section == Section::kMain ? "project" : "dependency-groups"; }

std::string list_name(Section section) { return section == Section::kMain ? "[project] dependencies" : "[dependency-groups] dev"; }

// Group names are compared as package names are (PEP 735).
const toml::node* find_list(const toml::table& table, Section section) {
  if (section == Section::kMain) return table.get("dependencies");
  for (const auto& [key, value] : table) {
    if (normalized_name(key.str()) == "dev") return &value;
  }
  return nullptr;
}

Result<ListPlace> place_list(const toml::node& node, Section section, const Lines& lines, std::string_view text) {
  const toml::array* array = node.as_array();
  if (array == nullptr) return bad("pyproject.toml: " + list_name(section) + " is not a list", "make it a list of strings");
  ListPlace place{lines.span(node.source()), {}};
  for (const toml::node& item : *array) {
    const bool group = section == Section::kDev && item.is_table();
    if (!item.is_string() && !group) return bad("pyproject.toml: " + list_name(section) + " holds something that is no string", "make it a list of strings");
    place.items.push_back({lines.span(item.source()), item.value_or(std::string())});
  }
  if (place.span.end > text.size() || place.span.begin >= place.span.end || text[place.span.begin] != '[' || text[place.span.end - 1] != ']') {
    return fail(ErrorCode::kInternal, "the place of " + list_name(section) + " in pyproject.toml was not found");
  }
  return place;
}

bool is_dynamic(const toml::table& project) {
  const toml::array* dynamic = project["dynamic"].as_array();
  if (dynamic == nullptr) return false;
  return std::any_of(dynamic->begin(), dynamic->end(), [](const toml::node& item) { return item.value_or(std::string()) == "dependencies"; });
}

Result<NewListPlace> place_new_list(const toml::table& document, Section section, const Lines& lines, std::string_view text) {
  const std::string name = table_name(section);
  const toml::node* node = document.get(name);
  if (node == nullptr && section == Section::kDev) return NewListPlace{};
  if (node == nullptr) return bad("pyproject.toml has no [project] table", "add one first: `[project]`, `name = \"…\"`, `version = \"0.1.0\"`");
  const toml::table* table = node->as_table();
  if (table == nullptr || table->is_inline()) return bad("pyproject.toml: `" + name + "` is not written as a table", "write it as `[" + name + "]`");
  if (section == Section::kMain && is_dynamic(*table)) {
    return bad("pyproject.toml says that the dependencies are dynamic: its build backend sets them", "edit what the build backend reads");
  }
  Outline all;
  outline(document, lines, text, all);
  const std::size_t begin = lines.span(node->source()).begin;
  const auto own_header = [&] { return text.compare(begin, 1, "[") == 0; };
  if (own_header()) {
    const std::size_t close = text.find(']', begin);
    const std::string inside(text.substr(begin + 1, close - begin - 1));
    if (inside.find('.') == std::string::npos) return NewListPlace{NewListPlace::How::kKeyAfterLine, last_line_of(begin, all), ""};
    return bad("pyproject.toml has sub-tables of `" + name + "`, but no [" + name + "]", "add the table first");
  }
  // `project.name = "…"`, a dotted key at the top.
  Outline own;
  for (const auto& [key, value] : *table) outline(value, lines, text, own);
  if (own.ends.empty()) return bad("pyproject.toml: `" + name + "` is empty", "write it as `[" + name + "]`");
  return NewListPlace{NewListPlace::How::kKeyAfterLine, *std::max_element(own.ends.begin(), own.ends.end()), name + "."};
}

// The strings of a dependency group and of those that it includes.
Status collect_group(const toml::table& groups, const std::string& name, std::set<std::string>& seen, std::vector<std::string>& to) {
  if (!seen.insert(name).second) return {};
  if (seen.size() > kMaxGroups) return bad("pyproject.toml: too many dependency groups include each other");
  const toml::array* list = nullptr;
  for (const auto& [key, value] : groups) {
    if (normalized_name(key.str()) == name) list = value.as_array();
  }
  if (list == nullptr) return bad("pyproject.toml: the dependency group `" + name + "` is included and does not exist");
  for (const toml::node& item : *list) {
    if (auto text = item.value<std::string>()) {
      to.push_back(*text);
    } else if (const toml::table* table = item.as_table(); table != nullptr && table->contains("include-group")) {
      WARDENV_TRY(collect_group(groups, normalized_name((*table)["include-group"].value_or(std::string())), seen, to));
    } else {
      return bad("pyproject.toml: the dependency group `" + name + "` holds something that is no string");
    }
  }
  return {};
}

Status collect_main(const toml::table& document, Pyproject& to) {
  const auto list = document["project"]["dependencies"];
  if (!list) return {};
  if (!list.is_array()) return bad("pyproject.toml: [project] dependencies is not a list", "make it a list of strings");
  for (const toml::node& item : *list.as_array()) {
    auto text = item.value<std::string>();
    if (!text) return bad("pyproject.toml: [project] dependencies holds something that is no string", "make it a list of strings");
    to.dependencies.push_back(*text);
  }
  return {};
}

}  // namespace

Result<SectionPlace> find_section(std::string_view text, Section section) {
  auto document = parse(text);
  if (!document) return tl::unexpected(document.error());
  const Lines lines(text);
  SectionPlace place;
  const toml::table* table = (*document)[table_name(section)].as_table();
  if (const toml::node* node = table != nullptr ? find_list(*table, section) : nullptr) {
    auto list = place_list(*node, section, lines, text);
    if (!list) return tl::unexpected(list.error());
    place.list = std::move(*list);
    return place;
  }
  auto fresh = place_new_list(*document, section, lines, text);
  if (!fresh) return tl::unexpected(fresh.error());
  place.new_list = std::move(*fresh);
  return place;
}

Result<Pyproject> read_pyproject(std::string_view text) {
  auto document = parse(text);
  if (!document) return tl::unexpected(document.error());
  Pyproject result;
  const auto project = (*document)["project"];
  result.name = project["name"].value_or(std::string());
  result.requires_python = project["requires-python"].value_or(std::string());
  WARDENV_TRY(collect_main(*document, result));
  const toml::table* groups = (*document)["dependency-groups"].as_table();
  if (groups != nullptr && find_list(*groups, Section::kDev) != nullptr) {
    std::set<std::string> seen;
    WARDENV_TRY(collect_group(*groups, "dev", seen, result.dev));
  }
  return result;
}

Result<std::string> canonical_without(std::string_view text, Section section) {
  auto document = parse(text);
  if (!document) return tl::unexpected(document.error());
  if (toml::table* table = (*document)[table_name(section)].as_table()) {
    const auto wanted = [&](const toml::key& key) { return section == Section::kMain ? key.str() == "dependencies" : normalized_name(key.str()) == "dev"; };
    for (auto item = table->begin(); item != table->end();) item = wanted(item->first) ? table->erase(item) : std::next(item);
    if (section == Section::kDev && table->empty()) document->erase(table_name(section));
  }
  std::ostringstream out;
  out << toml::toml_formatter(*document, toml::format_flags::none);
  return out.str();
}

}  // namespace wardenv::engine
