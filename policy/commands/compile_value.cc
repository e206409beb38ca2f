// SPDX-License-Identifier: Apache-2.0
// Reads one value of a grammar: what an argument may be.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "policy/commands/compiler.h"
#include "policy/commands/glob.h"
#include "policy/commands/text.h"

namespace wardenv::policy {
namespace {

using Json = nlohmann::json;

constexpr std::int64_t kMostTimes = 65'535;
constexpr int kDeepest = 16;

struct AllowWord {
  std::string_view word;
  Allow bit;
};
constexpr AllowWord kAllowWords[] = {{"at", kAllowAt},           {"colon", kAllowColon}, {"control", kAllowControl},
                                     {"dash", kAllowDash},       {"empty", kAllowEmpty}, {"newline", kAllowNewline},
                                     {"stdin", kAllowStdin}};

// An integer from `low` to `high`; beyond what fits into 64 bits is out of every range.
std::optional<std::int64_t> integer_in(const Json& json, std::int64_t low, std::int64_t high) {
  if (!json.is_number_integer()) return std::nullopt;
  if (json.is_number_unsigned() && json.get<std::uint64_t>() > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) return std::nullopt;
  const auto number = json.get<std::int64_t>();
  return number < low || number > high ? std::nullopt : std::optional(number);
}

bool is_plain_text(const Json& json) {
  return json.is_string() && !json.get_ref<const std::string&>().empty() && oddities_of(json.get_ref<const std::string&>()) == kNothingOdd;
}

bool read_string(Compiler& compiler, const Json& json, const Place& place, ValueRule& rule) {
  rule.kind = ValueKind::kString;
  return json == true || compiler.wrong(place, "must be true");
}

bool read_integer(Compiler& compiler, const Json& json, const Place& place, ValueRule& rule) {
  rule.kind = ValueKind::kInteger;
  if (json == true) return true;
  constexpr auto kLow = std::numeric_limits<std::int64_t>::min();
  constexpr auto kHigh = std::numeric_limits<std::int64_t>::max();
  const bool pair = json.is_array() && json.size() == 2;
  const auto low = pair ? integer_in(json[0], kLow, kHigh) : std::nullopt;
  const auto high = pair ? integer_in(json[1], kLow, kHigh) : std::nullopt;
  if (!low || !high || *low > *high) return compiler.wrong(place, "must be true or [lowest, highest], two integers of 64 bits in order");
  rule.low = *low;
  rule.high = *high;
  return true;
}

bool read_enum(Compiler& compiler, const Json& json, const Place& place, ValueRule& rule) {
  rule.kind = ValueKind::kEnum;
  if (!json.is_array() || json.empty()) return compiler.wrong(place, "must be a list of words, at least one");
  bool right = true;
  for (std::size_t i = 0; i < json.size(); ++i) {
    if (!is_plain_text(json[i])) {
      right = compiler.wrong(place.item(i), "must be a non-empty string without control characters");
    } else {
      rule.words.push_back(json[i].get<std::string>());
    }
  }
  std::sort(rule.words.begin(), rule.words.end());
  const auto twice = std::adjacent_find(rule.words.begin(), rule.words.end());
  if (twice != rule.words.end()) return compiler.wrong(place, in_backticks(*twice) + " stands twice");
  return right;
}

bool compile_pattern(Compiler& compiler, const std::string& pattern, const Place& place, ValueRule& rule) {
  rule.kind = ValueKind::kRegex;
  rule.pattern = std::make_shared<const Pattern>(pattern);
  const std::string error = place.in_preset ? "" : rule.pattern->error();
  return error.empty() || compiler.wrong(place, "is not a regular expression of RE2: " + error);
}

bool read_regex(Compiler& compiler, const Json& json, const Place& place, ValueRule& rule) {
  if (!json.is_string()) return compiler.wrong(place, "must be a string, a regular expression that the whole argument matches");
  return compile_pattern(compiler, json.get<std::string>(), place, rule);
}

bool read_glob(Compiler& compiler, const Json& json, const Place& place, ValueRule& rule) {
  const auto pattern = is_plain_text(json) ? pattern_of_glob(json.get_ref<const std::string&>()) : std::nullopt;
  if (!pattern) return compiler.wrong(place, "must be a glob: * and ? within one folder, ** across folders, [a-z]");
  if (has_braces(json.get_ref<const std::string&>())) compiler.warn(place, kBracesAreText);
  return compile_pattern(compiler, *pattern, place, rule);
}

// "/a/b" or "{workspace}/b", in its shortest form.
bool is_folder_name(const Json& json) {
  if (!is_plain_text(json)) return false;
  std::string_view folder = json.get_ref<const std::string&>();
  if (folder == "{workspace}" || folder == "/") return true;
  if (folder.starts_with("{workspace}")) folder.remove_prefix(11);
  const std::string rounded = std::string(folder) + "/";
  const bool shortest = rounded.find("//") == std::string::npos && rounded.find("/./") == std::string::npos && rounded.find("/../") == std::string::npos;
  return folder.starts_with('/') && shortest && folder.find_first_of("{}") == std::string_view::npos;
}

bool read_path_under(Compiler& compiler, const Json& json, const Place& place, ValueRule& rule) {
  rule.kind = ValueKind::kPathUnder;
  const Json folders = json.is_array() ? json : Json::array({json});
  if (folders.empty()) return compiler.wrong(place, "must name a folder");
  bool right = true;
  for (const Json& folder : folders) {
    if (is_folder_name(folder)) rule.words.push_back(folder.get<std::string>());
    else right = compiler.wrong(place, "must be an absolute folder or `{workspace}`, or one below it, without `.`, `..`, `//` or a slash at the end");
  }
  return right;
}

bool read_part(Compiler& compiler, const Json& json, const Place& place, ValueRule& rule) {
  if (++compiler.depth > kDeepest) return compiler.wrong(place, "is nested too deeply");
  auto part = compile_value(compiler, json, place, Slot::kPart);
  --compiler.depth;
  if (part) rule.parts.push_back(std::move(part->rule));
  return part.has_value();
}

bool read_list(Compiler& compiler, const Json& json, const Place& place, ValueRule& rule) {
  rule.kind = ValueKind::kList;
  rule.mark = ",";
  return read_part(compiler, json, place, rule);
}

bool read_parts(Compiler& compiler, const Json& json, const Place& place, ValueRule& rule, ValueKind kind) {
  rule.kind = kind;
  if (!json.is_array() || json.empty()) return compiler.wrong(place, "must be a list of values, at least one");
  bool right = true;
  for (std::size_t i = 0; i < json.size(); ++i) right = read_part(compiler, json[i], place.item(i), rule) && right;
  return right;
}

bool read_any_of(Compiler& compiler, const Json& json, const Place& place, ValueRule& rule) {
  return read_parts(compiler, json, place, rule, ValueKind::kAnyOf);
}

bool read_all_of(Compiler& compiler, const Json& json, const Place& place, ValueRule& rule) {
  return read_parts(compiler, json, place, rule, ValueKind::kAllOf);
}

// What can't be judged (a path) must not be let through by turning it round: only words and patterns have a "not".
bool read_not(Compiler& compiler, const Json& json, const Place& place, ValueRule& rule) {
  rule.kind = ValueKind::kNot;
  if (!read_part(compiler, json, place, rule)) return false;
  const ValueKind kind = rule.parts[0].kind;
  return kind == ValueKind::kEnum || kind == ValueKind::kRegex || compiler.wrong(place, "must be {\"enum\": ...}, {\"regex\": ...} or {\"glob\": ...}");
}

struct Kind {
  std::string_view key;
  bool (*read)(Compiler&, const Json&, const Place&, ValueRule&);
};
constexpr Kind kKinds[] = {{"all_of", read_all_of}, {"any_of", read_any_of},         {"enum", read_enum},   {"glob", read_glob},    {"integer", read_integer},
                           {"list", read_list},     {"not", read_not},               {"path_under", read_path_under},
                           {"regex", read_regex},   {"string", read_string}};

bool read_allow(Compiler& compiler, const Json& json, const Place& place, ValueRule& rule) {
  if (!json.is_array()) return compiler.wrong(place, "must be a list of words such as \"newline\"");
  for (const Json& entry : json) {
    const auto* word = std::find_if(std::begin(kAllowWords), std::end(kAllowWords), [&](const AllowWord& known) { return entry == known.word; });
    if (word == std::end(kAllowWords)) return compiler.wrong(place, "knows at, colon, control, dash, empty, newline and stdin");
    rule.allow |= word->bit;
  }
  return true;
}

bool read_max_length(Compiler& compiler, const Json& json, const Place& place, ValueRule& rule) {
  const auto length = integer_in(json, 1, 1 << 20);
  if (!length) return compiler.wrong(place, "must be a number of bytes from 1 to 1048576");
  rule.max_length = static_cast<std::size_t>(*length);
  return true;
}

bool read_mark(Compiler& compiler, const Json& json, const Place& place, ValueRule& rule) {
  if (!is_plain_text(json)) return compiler.wrong(place, "must be a non-empty string without control characters");
  rule.mark = json.get<std::string>();
  return true;
}

bool read_modifiers(Compiler& compiler, const Json& json, const Place& place, ValueRule& rule) {
  bool right = true;
  if (json.contains("allow")) right = read_allow(compiler, json["allow"], place.member("allow"), rule) && right;
  if (json.contains("max_length")) right = read_max_length(compiler, json["max_length"], place.member("max_length"), rule) && right;
  if (json.contains("separator")) right = read_mark(compiler, json["separator"], place.member("separator"), rule) && right;
  if (json.contains("until")) right = read_mark(compiler, json["until"], place.member("until"), rule) && right;
  return right;
}

// A word that can never be given is a mistake that nobody would find.
bool check_words(Compiler& compiler, const Place& place, const ValueRule& rule) {
  if (rule.kind != ValueKind::kEnum) return true;
  for (const std::string& word : rule.words) {
    const unsigned needed = word == "-" ? kAllowStdin : word[0] == '-' ? kAllowDash : word[0] == '@' ? kAllowAt : kAllowNone;
    if ((rule.allow & needed) != needed) {
      return compiler.wrong(place, in_backticks(word) + " is refused for how it begins; add \"allow\": [\"dash\"], [\"stdin\"] or [\"at\"]");
    }
  }
  return true;
}

// How often: a flag any number of times, a positional of a list once, where nothing is said.
bool read_times(Compiler& compiler, const Json& json, const Place& place, Slot slot, Times& times) {
  const bool listed = slot == Slot::kListedPositional;
  if (listed) times = {1, 1};
  if (json.contains("min")) {
    const auto least = integer_in(json["min"], 0, kMostTimes);
    if (!least) return compiler.wrong(place.member("min"), "must be an integer from 0 to 65535");
    times.min = static_cast<std::uint32_t>(*least);
    if (listed) times.max = std::max(times.min, 1U);
  }
  if (json.contains("max")) {
    const auto most = integer_in(json["max"], 1, kMostTimes);
    if (!most) return compiler.wrong(place.member("max"), "must be an integer from 1 to 65535");
    times.max = static_cast<std::uint32_t>(*most);
  }
  return times.min <= times.max || compiler.wrong(place, "min is more than max");
}

// The one key that says what kind of value it is.
std::optional<std::string> kind_key(Compiler& compiler, const Json& json, const Place& place, Slot slot) {
  std::string found;
  int count = 0;
  for (const auto& [key, value] : json.items()) {
    const bool kind = std::any_of(std::begin(kKinds), std::end(kKinds), [&name = key](const Kind& known) { return known.key == name; });
    const bool of_flag = slot == Slot::kFlag && (key == "none" || key == "optional");
    if (!kind && !of_flag) continue;
    found = key;
    ++count;
  }
  if (count == 1) return found;
  compiler.wrong(place, count == 0 ? "must say what the value is, e.g. {\"integer\": [1, 9]}, {\"enum\": [...]}, {\"regex\": ...}, {\"path_under\": ...}"
                                   : "says more than one kind of value; any_of and all_of combine them");
  return std::nullopt;
}

std::vector<std::string_view> known_keys(const std::string& kind, Slot slot) {
  std::vector<std::string_view> known{kind};
  if (slot != Slot::kPart) known.insert(known.end(), {"min", "max"});
  if (kind == "none" || kind == "optional") return known;
  known.emplace_back("max_length");
  if (kind != "any_of" && kind != "all_of") known.emplace_back("allow");
  if (kind == "list") known.emplace_back("separator");
  if (kind == "path_under") known.emplace_back("until");
  return known;
}

bool read_kind(Compiler& compiler, const std::string& key, const Json& json, const Place& place, DeclaredValue& value) {
  if (key == "none") {
    value.takes = Takes::kNothing;
    return json == true || compiler.wrong(place, "must be true");
  }
  if (key == "optional") {
    auto inner = compile_value(compiler, json, place, Slot::kPart);
    if (!inner) return false;
    value.takes = Takes::kOptionalValue;
    value.rule = std::move(inner->rule);
    return true;
  }
  for (const Kind& kind : kKinds) {
    if (kind.key == key) return kind.read(compiler, json, place, value.rule);
  }
  return false;
}

std::optional<DeclaredValue> compile_word(Compiler& compiler, const Json& json, const Place& place, Slot slot) {
  DeclaredValue value;
  const auto& word = json.get_ref<const std::string&>();
  if (slot == Slot::kListedPositional) value.times = {1, 1};
  if (word == "string") return value;
  if (word == "integer") {
    value.rule.kind = ValueKind::kInteger;
    return value;
  }
  if (slot == Slot::kFlag && (word == "none" || word == "deny")) {
    value.takes = word == "none" ? Takes::kNothing : Takes::kDenied;
    return value;
  }
  compiler.wrong(place, slot == Slot::kFlag ? "must be \"none\", \"string\", \"integer\", \"deny\" or an object" : "must be \"string\", \"integer\" or an object");
  return std::nullopt;
}

}  // namespace

std::optional<DeclaredValue> compile_value(Compiler& compiler, const Json& json, const Place& place, Slot slot) {
  if (json.is_string()) return compile_word(compiler, json, place, slot);
  if (!json.is_object()) {
    compiler.wrong(place, "must be a word such as \"string\" or an object such as {\"integer\": [1, 9]}");
    return std::nullopt;
  }
  const auto key = kind_key(compiler, json, place, slot);
  if (!key) return std::nullopt;
  DeclaredValue value;
  bool right = check_keys(compiler, json, place, known_keys(*key, slot));
  right = read_kind(compiler, *key, json[*key], place.member(*key), value) && right;
  right = read_modifiers(compiler, json, place, value.rule) && right;
  right = read_times(compiler, json, place, slot, value.times) && right;
  right = check_words(compiler, place.member("enum"), value.rule) && right;
  return right ? std::optional(std::move(value)) : std::nullopt;
}

}  // namespace wardenv::policy
