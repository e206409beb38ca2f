// SPDX-License-Identifier: Apache-2.0
// Reads the `commands` of a policy: every mistake is found, with its place.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "policy/commands/commands.h"
#include "policy/commands/compiler.h"
#include "policy/commands/grammar.h"
#include "policy/commands/presets.h"
#include "policy/commands/text.h"

namespace wardenv::policy {
namespace {

using Json = nlohmann::json;
using Table = std::vector<std::pair<std::string, std::shared_ptr<const Grammar>>>;

constexpr int kDeepest = 16;

template <typename Entries>
auto position(Entries& entries, std::string_view name) {
  return std::lower_bound(entries.begin(), entries.end(), name, [](const auto& entry, std::string_view key) { return entry.first < key; });
}

auto flag_position(std::vector<FlagRule>& flags, std::string_view name) {
  return std::lower_bound(flags.begin(), flags.end(), name, [](const FlagRule& flag, std::string_view key) { return flag.name < key; });
}

void put_flag(std::vector<FlagRule>& flags, FlagRule flag) {
  const auto at = flag_position(flags, flag.name);
  if (at != flags.end() && at->name == flag.name) *at = std::move(flag);
  else flags.insert(at, std::move(flag));
}

void put_grammar(Table& table, const std::string& name, std::shared_ptr<const Grammar> grammar) {
  const auto at = position(table, name);
  if (at != table.end() && at->first == name) at->second = std::move(grammar);
  else table.insert(at, {name, std::move(grammar)});
}

bool has_blank(std::string_view text) { return text.find_first_of(" \t") != std::string_view::npos; }

bool is_flag_name(std::string_view name) {
  return name.size() >= 2 && name[0] == '-' && name != "--" && name.find('=') == std::string_view::npos && !has_blank(name) && oddities_of(name) == kNothingOdd;
}

bool is_subcommand_name(std::string_view name) {
  return !name.empty() && name[0] != '-' && !has_blank(name) && oddities_of(name) == kNothingOdd;
}

bool is_command_name(std::string_view name) {
  return is_subcommand_name(name) && name.find('/') == std::string_view::npos && name != "." && name != "..";
}

bool is_long_with_one_dash(const FlagRule& flag) { return flag.name.size() > 2 && flag.name[1] != '-'; }

// tar(1), "Option styles": "xf" is "-x -f", with the values after all of the letters.
bool reads_first_as_flags(std::string_view name) { return name == "tar" || name == "gtar" || name == "bsdtar"; }

class GrammarReader {
 public:
  GrammarReader(Compiler& compiler, Grammar& grammar, const Place& place) : compiler_(compiler), grammar_(grammar), place_(place) {}

  // Adds what `json` says to the grammar, which may hold a preset's already.
  bool read(const Json& json) {
    bool right = check_keys(compiler_, json, place_,
                            {"preset", "flags", "global_flags", "number_flag", "standalone", "positionals", "after_separator", "subcommands", "after",
                             "end_of_flags", "interspersed", "clusters"});
    if (!json.is_object()) return false;
    for (const Member& member : kMembers) {
      if (!json.contains(member.key)) continue;
      right = (this->*member.read)(json[std::string(member.key)], place_.member(member.key)) && right;
    }
    return right;
  }

 private:
  struct Member {
    std::string_view key;
    bool (GrammarReader::*read)(const Json&, const Place&);
  };

  bool read_preset(const Json& json, const Place& place);
  bool read_after(const Json& json, const Place& place);
  bool read_after_value(const Json& json, const Place& place, FlagRule& flag);
  bool read_subcommands(const Json& json, const Place& place);

  bool read_flags_into(const Json& json, const Place& place, std::vector<FlagRule>& flags) {
    if (!json.is_object()) return compiler_.wrong(place, "must be an object of flags");
    bool right = true;
    for (const auto& [name, value] : json.items()) right = read_flag(name, value, place.member(name), flags) && right;
    return right;
  }

  bool read_flag(const std::string& name, const Json& json, const Place& place, std::vector<FlagRule>& flags) {
    if (!is_flag_name(name)) return compiler_.wrong(place, "is not the name of a flag: it begins with `-` and has no `=` and no blanks");
    auto value = compile_value(compiler_, json, place, Slot::kFlag);
    if (!value) return false;
    put_flag(flags, {name, place.pointer, value->takes, std::move(value->rule), value->times, 0, std::nullopt});
    return true;
  }

  bool read_flags(const Json& json, const Place& place) {
    grammar_.places.flags = place.pointer;
    return read_flags_into(json, place, grammar_.flags);
  }

  bool read_global_flags(const Json& json, const Place& place) { return read_flags_into(json, place, grammar_.global_flags); }

  bool read_number_flag(const Json& json, const Place& place) {
    auto value = compile_value(compiler_, json, place, Slot::kPart);
    if (!value) return false;
    if (value->rule.kind != ValueKind::kInteger || value->rule.low < 0) return compiler_.wrong(place, "must be {\"integer\": [0 or more, highest]}");
    grammar_.number_flag = PositionalRule{place.pointer, std::move(value->rule), {}};
    return true;
  }

  bool read_standalone(const Json& json, const Place& place) {
    if (!json.is_array()) return compiler_.wrong(place, "must be a list of arguments such as \"--version\"");
    for (const Json& word : json) {
      if (!word.is_string() || !is_flag_name(word.get_ref<const std::string&>())) return compiler_.wrong(place, "must be a list of flags such as \"--version\"");
      grammar_.standalone.push_back(word.get<std::string>());
    }
    std::sort(grammar_.standalone.begin(), grammar_.standalone.end());
    return true;
  }

  bool read_positional(const Json& json, const Place& place, Slot slot, std::vector<PositionalRule>& rules) {
    auto value = compile_value(compiler_, json, place, slot);
    if (!value) return false;
    if (!rules.empty() && rules.back().times.min != rules.back().times.max) {
      return compiler_.wrong(place, "follows one of which the number varies; only the last may");
    }
    rules.push_back({place.pointer, std::move(value->rule), value->times});
    return true;
  }

  bool read_positionals_into(const Json& json, const Place& place, std::vector<PositionalRule>& rules) {
    rules.clear();
    if (!json.is_array()) return read_positional(json, place, Slot::kPositional, rules);
    bool right = true;
    for (std::size_t i = 0; i < json.size(); ++i) right = read_positional(json[i], place.item(i), Slot::kListedPositional, rules) && right;
    return right;
  }

  bool read_positionals(const Json& json, const Place& place) {
    grammar_.places.positionals = place.pointer;
    return read_positionals_into(json, place, grammar_.positionals);
  }

  bool read_after_separator(const Json& json, const Place& place) { return read_positionals_into(json, place, grammar_.after_separator.emplace()); }

  bool read_bool(const Json& json, const Place& place, std::optional<bool>& value) {
    if (!json.is_boolean()) return compiler_.wrong(place, "must be true or false");
    value = json.get<bool>();
    return true;
  }

  bool read_end_of_flags(const Json& json, const Place& place) { return read_bool(json, place, grammar_.end_of_flags_declared); }
  bool read_clusters(const Json& json, const Place& place) { return read_bool(json, place, grammar_.clusters_declared); }

  bool read_interspersed(const Json& json, const Place& place) {
    std::optional<bool> value;
    if (!read_bool(json, place, value)) return false;
    grammar_.interspersed = *value;
    return true;
  }

  // In the order of reading: a preset first, so that the rest adds to it; `after` once its flags are known.
  static const Member kMembers[12];

  Compiler& compiler_;
  Grammar& grammar_;
  const Place& place_;
};

const GrammarReader::Member GrammarReader::kMembers[12] = {
    {"preset", &GrammarReader::read_preset},           {"flags", &GrammarReader::read_flags},
    {"global_flags", &GrammarReader::read_global_flags}, {"number_flag", &GrammarReader::read_number_flag},
    {"standalone", &GrammarReader::read_standalone},   {"positionals", &GrammarReader::read_positionals},
    {"after_separator", &GrammarReader::read_after_separator}, {"subcommands", &GrammarReader::read_subcommands},
    {"after", &GrammarReader::read_after},             {"end_of_flags", &GrammarReader::read_end_of_flags},
    {"interspersed", &GrammarReader::read_interspersed}, {"clusters", &GrammarReader::read_clusters},
};

// A grammar within another; `grammar` may hold what a preset says already.
bool read_grammar(Compiler& compiler, const Json& json, const Place& place, Grammar& grammar) {
  if (compiler.depth >= kDeepest) return compiler.wrong(place, "is nested too deeply");
  ++compiler.depth;
  grammar.pointer = place.pointer;
  for (std::string* where : {&grammar.places.flags, &grammar.places.positionals, &grammar.places.subcommands}) {
    if (where->empty()) *where = place.pointer;
  }
  const bool right = GrammarReader(compiler, grammar, place).read(json);
  --compiler.depth;
  return right;
}

bool GrammarReader::read_preset(const Json& json, const Place& place) {
  const Preset* preset = json.is_string() ? find_preset(json.get_ref<const std::string&>()) : nullptr;
  if (preset == nullptr) {
    std::string names;
    for (const Preset& known : presets()) names += (names.empty() ? "" : ", ") + std::string(known.name);
    return compiler_.wrong(place, "is no preset; there are " + names);
  }
  const Json grammar = Json::parse(preset->grammar, nullptr, false);
  const Place whole{place.pointer, true};
  const std::string pointer = grammar_.pointer;
  const bool right = read_grammar(compiler_, grammar, whole, grammar_);
  grammar_.pointer = pointer;
  return right;
}

bool GrammarReader::read_subcommands(const Json& json, const Place& place) {
  if (!json.is_object()) return compiler_.wrong(place, "must be an object of subcommands");
  grammar_.has_subcommands = true;
  grammar_.places.subcommands = place.pointer;
  bool right = true;
  for (const auto& [name, value] : json.items()) {
    const Place there = place.member(name);
    if (!is_subcommand_name(name)) {
      right = compiler_.wrong(there, "is not the name of a subcommand");
      continue;
    }
    const auto* known = find_grammar(grammar_.subcommands, name);
    auto inner = known != nullptr ? std::make_shared<Grammar>(**known) : std::make_shared<Grammar>();
    inner->name = grammar_.name + " " + name;
    right = read_grammar(compiler_, value, there, *inner) && right;
    put_grammar(grammar_.subcommands, name, std::move(inner));
  }
  return right;
}

bool GrammarReader::read_after(const Json& json, const Place& place) {
  if (!json.is_object()) return compiler_.wrong(place, "must be an object of flags, e.g. {\"-m\": \"rest\"}");
  bool right = true;
  for (const auto& [name, value] : json.items()) {
    const auto flag = flag_position(grammar_.flags, name);
    if (flag == grammar_.flags.end() || flag->name != name || (flag->takes != Takes::kValue && flag->takes != Takes::kNothing)) {
      right = compiler_.wrong(place.member(name), "is not among the flags here, or its value is optional or denied");
      continue;
    }
    right = read_after_value(value, place.member(name), *flag) && right;
  }
  return right;
}

// "rest", or what follows each value: {"unittest": {...}, "json.tool": "rest"}.
bool GrammarReader::read_after_value(const Json& json, const Place& place, FlagRule& flag) {
  if (json == "rest") {
    flag.after = After{true, {}};
    return true;
  }
  if (!json.is_object() || flag.takes != Takes::kValue) {
    return compiler_.wrong(place, "must be \"rest\", or, for a flag with a value, an object from values to grammars");
  }
  if (!flag.after) flag.after.emplace();
  flag.after->rest = false;
  bool right = true;
  for (const auto& [value, inner] : json.items()) {
    std::shared_ptr<Grammar> grammar;
    if (inner != "rest") {
      grammar = std::make_shared<Grammar>();
      grammar->name = grammar_.name + " " + flag.name + " " + value;
      right = read_grammar(compiler_, inner, place.member(value), *grammar) && right;
    }
    put_grammar(flag.after->by_value, value, std::move(grammar));
  }
  return right;
}

// What can be told only of the whole: inherited flags, defaults that hang on others, numbers for the counters.
class Finisher {
 public:
  explicit Finisher(Compiler& compiler) : compiler_(compiler) {}

  bool finish(Grammar& grammar, const std::vector<FlagRule>& inherited) {
    std::vector<FlagRule> global = inherited;
    for (const FlagRule& flag : grammar.global_flags) put_flag(global, flag);
    for (const FlagRule& flag : global) {
      const auto at = flag_position(grammar.flags, flag.name);
      if (at == grammar.flags.end() || at->name != flag.name) grammar.flags.insert(at, flag);
    }
    const bool getopt = std::none_of(grammar.flags.begin(), grammar.flags.end(), is_long_with_one_dash);
    grammar.clusters = grammar.clusters_declared.value_or(getopt);
    grammar.end_of_flags = grammar.end_of_flags_declared.value_or(getopt);
    return finish_flags(grammar) && check(grammar) && finish_table(grammar.subcommands, global);
  }

 private:
  bool finish_flags(Grammar& grammar) {
    grammar.counters = 0;
    bool right = true;
    for (FlagRule& flag : grammar.flags) {
      if (flag.times.counted()) flag.counter = grammar.counters++;
      if (flag.after) right = finish_table(flag.after->by_value, {}) && right;
    }
    if (grammar.counters <= kMaxCounters) return right;
    return compiler_.wrong({grammar.places.flags, false}, "has more than 64 flags with min or max");
  }

  bool check(const Grammar& grammar) {
    const bool takes_words = !grammar.positionals.empty() || grammar.after_separator;
    if (!grammar.has_subcommands || !takes_words) return true;
    return compiler_.wrong({grammar.places.positionals, false}, "positionals and subcommands exclude each other");
  }

  bool finish_table(Table& table, const std::vector<FlagRule>& inherited) {
    bool right = true;
    for (auto& [name, grammar] : table) {
      if (grammar == nullptr) continue;
      auto finished = std::make_shared<Grammar>(*grammar);
      right = finish(*finished, inherited) && right;
      grammar = std::move(finished);
    }
    return right;
  }

  Compiler& compiler_;
};

bool read_command(Compiler& compiler, const std::string& name, const Json& json, CommandTable& table) {
  const Place place = Place{}.member(name);
  if (!is_command_name(name)) return compiler.wrong(place, "is not the bare name of a command: no slash, no blanks, no `-` in front");
  auto grammar = std::make_shared<Grammar>();
  grammar->name = name;
  grammar->first_is_flags = reads_first_as_flags(name);
  if (!read_grammar(compiler, json, place, *grammar)) return false;
  if (!Finisher(compiler).finish(*grammar, {})) return false;
  put_grammar(table.commands, name, std::move(grammar));
  return true;
}

}  // namespace

Place Place::member(std::string_view key) const { return in_preset ? *this : Place{pointer + pointer_step(key), false}; }
Place Place::item(std::size_t index) const { return member(std::to_string(index)); }

bool Compiler::wrong(const Place& place, std::string message) {
  findings.push_back({base + place.pointer, std::move(message), 0, 0});
  return false;
}

bool check_keys(Compiler& compiler, const Json& json, const Place& place, const std::vector<std::string_view>& known) {
  if (!json.is_object()) return compiler.wrong(place, "must be an object");
  bool right = true;
  for (const auto& [key, value] : json.items()) {
    if (std::find(known.begin(), known.end(), key) != known.end()) continue;
    std::string names;
    for (const std::string_view name : known) names += (names.empty() ? "" : ", ") + std::string(name);
    right = compiler.wrong(place.member(key), "is not known here; there are " + names);
  }
  return right;
}

const std::shared_ptr<const Grammar>* find_grammar(const Table& table, std::string_view name) {
  const auto at = position(table, name);
  return at != table.end() && at->first == name ? &at->second : nullptr;
}

const FlagRule* find_flag(const Grammar& grammar, std::string_view name) {
  const auto& flags = grammar.flags;
  const auto at = std::lower_bound(flags.begin(), flags.end(), name, [](const FlagRule& flag, std::string_view key) { return flag.name < key; });
  return at != flags.end() && at->name == name ? &*at : nullptr;
}

CommandSet::CommandSet(std::unique_ptr<const CommandTable> table) : table_(std::move(table)) {}
CommandSet::~CommandSet() = default;

std::shared_ptr<const CommandSet> compile_commands(const Json& value, const std::string& pointer, Findings& findings) {
  Compiler compiler{pointer, findings};
  if (!value.is_object() || value.empty()) {
    compiler.wrong({}, "must be an object from the names of commands to what each may be given, at least one");
    return nullptr;
  }
  auto table = std::make_unique<CommandTable>();
  bool right = true;
  for (const auto& [name, grammar] : value.items()) right = read_command(compiler, name, grammar, *table) && right;
  return right ? std::make_shared<const CommandSet>(std::move(table)) : nullptr;
}

}  // namespace wardenv::policy
