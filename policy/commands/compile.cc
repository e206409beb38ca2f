// SPDX-License-Identifier: Apache-2.0
// Compiles the `commands` of a policy: reads the grammars, then finishes what can be told only of the whole.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "policy/commands/commands.h"
#include "policy/commands/grammar_reader.h"
#include "policy/commands/text.h"

namespace wardenv::policy {
namespace {

using Json = nlohmann::json;

bool is_command_name(std::string_view name) {
  const bool plain = !name.empty() && name[0] != '-' && name.find_first_of("/ \t") == std::string_view::npos && oddities_of(name) == kNothingOdd;
  return plain && name != "." && name != "..";
}

bool is_long_with_one_dash(const FlagRule& flag) { return flag.name.size() > 2 && flag.name[1] != '-'; }

// tar(1), "Option styles": "xf" is "-x -f", with the values after all of the letters.
bool reads_first_as_flags(std::string_view name) { return name == "tar" || name == "gtar" || name == "bsdtar"; }

template <typename Table>
auto position(Table& table, std::string_view name) {
  return std::lower_bound(table.begin(), table.end(), name, [](const auto& entry, std::string_view key) { return entry.first < key; });
}

void inherit_flags(Grammar& grammar, const std::vector<FlagRule>& global) {
  for (const FlagRule& flag : global) {
    const auto at = flag_position(grammar.flags, flag.name);
    if (at == grammar.flags.end() || at->name != flag.name) grammar.flags.insert(at, flag);
  }
}

bool finish_flags(Compiler& compiler, Grammar& grammar) {
  grammar.counters = 0;
  bool right = true;
  for (FlagRule& flag : grammar.flags) {
    if (flag.times.counted()) flag.counter = grammar.counters++;
    if (flag.after) right = finish_table(compiler, flag.after->by_value, {}) && right;
  }
  return grammar.counters <= kMaxCounters ? right : compiler.wrong({grammar.places.flags, false}, "has more than 64 flags with min or max");
}

bool check_whole(Compiler& compiler, const Grammar& grammar) {
  const bool takes_words = !grammar.positionals.empty() || grammar.after_separator;
  if (!grammar.has_subcommands || !takes_words) return true;
  return compiler.wrong({grammar.places.positionals, false}, "positionals and subcommands exclude each other");
}

bool read_command(Compiler& compiler, const std::string& name, const Json& json, CommandTable& table) {
  const Place place = Place{}.member(name);
  if (!is_command_name(name)) return compiler.wrong(place, "is not the bare name of a command: no slash, no blanks, no `-` in front");
  bool right = true;
  GrammarRef grammar = read_grammar_ref(compiler, json, place, name, right);
  if (grammar.compiled() != nullptr) {
    grammar.compiled()->first_is_flags = reads_first_as_flags(name);
    right = right && finish_grammar(compiler, *grammar.compiled(), {});
  }
  put_grammar(table.commands, name, std::move(grammar));
  return right;
}

}  // namespace

bool finish_grammar(Compiler& compiler, Grammar& grammar, const std::vector<FlagRule>& inherited) {
  std::vector<FlagRule> global = inherited;
  for (const FlagRule& flag : grammar.global_flags) put_flag(global, flag);
  inherit_flags(grammar, global);
  const bool getopt = std::none_of(grammar.flags.begin(), grammar.flags.end(), is_long_with_one_dash);
  grammar.clusters = grammar.clusters_declared.value_or(getopt);
  grammar.end_of_flags = grammar.end_of_flags_declared.value_or(getopt);
  return finish_flags(compiler, grammar) && check_whole(compiler, grammar) && finish_table(compiler, grammar.subcommands, global);
}

bool finish_table(Compiler& compiler, GrammarTable& table, const std::vector<FlagRule>& inherited) {
  bool right = true;
  for (auto& [name, entry] : table) {
    if (entry.lazy() != nullptr) entry.lazy()->inherit(inherited);
    if (entry.compiled() == nullptr) continue;
    const bool apart = entry.compiled()->names_preset;
    right = finish_grammar(compiler, *entry.compiled(), apart ? std::vector<FlagRule>{} : inherited) && right;
  }
  return right;
}

std::vector<FlagRule>::iterator flag_position(std::vector<FlagRule>& flags, std::string_view name) {
  return std::lower_bound(flags.begin(), flags.end(), name, [](const FlagRule& flag, std::string_view key) { return flag.name < key; });
}

void put_flag(std::vector<FlagRule>& flags, FlagRule flag) {
  const auto at = flag_position(flags, flag.name);
  if (at != flags.end() && at->name == flag.name) *at = std::move(flag);
  else flags.insert(at, std::move(flag));
}

void put_grammar(GrammarTable& table, const std::string& name, GrammarRef grammar) {
  const auto at = position(table, name);
  if (at != table.end() && at->first == name) at->second = std::move(grammar);
  else table.insert(at, {name, std::move(grammar)});
}

Place Place::member(std::string_view key) const { return in_preset ? *this : Place{pointer + pointer_step(key), false}; }
Place Place::item(std::size_t index) const { return member(std::to_string(index)); }

bool Compiler::wrong(const Place& place, std::string message) {
  findings.push_back({base + place.pointer, std::move(message), 0, 0});
  return false;
}

void Compiler::warn(const Place& place, std::string message) { findings.push_back({base + place.pointer, std::move(message), 0, 0, Severity::kWarning}); }

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

const GrammarRef* find_grammar(const GrammarTable& table, std::string_view name) {
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
