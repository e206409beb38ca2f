// SPDX-License-Identifier: Apache-2.0
// Reads one grammar, and those within it: every mistake is found, with its place.
#include "policy/commands/grammar_reader.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "policy/commands/presets.h"
#include "policy/commands/text.h"

namespace wardenv::policy {
namespace {

using Json = nlohmann::json;

constexpr int kDeepest = 16;

bool has_blank(std::string_view text) { return text.find_first_of(" \t") != std::string_view::npos; }

bool is_flag_name(std::string_view name) {
  return name.size() >= 2 && name[0] == '-' && name != "--" && name.find('=') == std::string_view::npos && !has_blank(name) && oddities_of(name) == kNothingOdd;
}

bool is_subcommand_name(std::string_view name) {
  return !name.empty() && name[0] != '-' && !has_blank(name) && oddities_of(name) == kNothingOdd;
}

bool is_preset_name(const Json& json) { return json.is_string() && find_preset(json.get_ref<const std::string&>()) != nullptr; }

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
  bool read_subcommand(const std::string& name, const Json& json, const Place& place);

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

constinit const GrammarReader::Member GrammarReader::kMembers[12] = {
    {"preset", &GrammarReader::read_preset},           {"flags", &GrammarReader::read_flags},
    {"global_flags", &GrammarReader::read_global_flags}, {"number_flag", &GrammarReader::read_number_flag},
    {"standalone", &GrammarReader::read_standalone},   {"positionals", &GrammarReader::read_positionals},
    {"after_separator", &GrammarReader::read_after_separator}, {"subcommands", &GrammarReader::read_subcommands},
    {"after", &GrammarReader::read_after},             {"end_of_flags", &GrammarReader::read_end_of_flags},
    {"interspersed", &GrammarReader::read_interspersed}, {"clusters", &GrammarReader::read_clusters},
};

bool GrammarReader::read_preset(const Json& json, const Place& place) {
  const Preset* preset = json.is_string() ? find_preset(json.get_ref<const std::string&>()) : nullptr;
  if (preset == nullptr) {
    std::string names;
    for (const Preset& known : presets()) names += (names.empty() ? "" : ", ") + std::string(known.name);
    return compiler_.wrong(place, "is no preset; there are " + names);
  }
  grammar_.names_preset = true;
  const Json grammar = Json::parse(preset->grammar, nullptr, false);  // whether it parses is tested
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
    if (is_subcommand_name(name)) right = read_subcommand(name, value, place.member(name)) && right;
    else right = compiler_.wrong(place.member(name), "is not the name of a subcommand");
  }
  return right;
}

// Laid over what a preset says of the subcommand, where it does.
bool GrammarReader::read_subcommand(const std::string& name, const Json& json, const Place& place) {
  const std::string full_name = grammar_.name + " " + name;
  const GrammarRef* known = find_grammar(grammar_.subcommands, name);
  bool right = true;
  if (known == nullptr) {
    put_grammar(grammar_.subcommands, name, read_grammar_ref(compiler_, json, place, full_name, right));
    return right;
  }
  auto inner = std::make_shared<Grammar>(*known->get());
  right = read_grammar(compiler_, json, place, *inner);
  put_grammar(grammar_.subcommands, name, GrammarRef(std::move(inner)));
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
    const std::string name = grammar_.name + " " + flag.name + " " + value;
    put_grammar(flag.after->by_value, value, inner == "rest" ? GrammarRef() : read_grammar_ref(compiler_, inner, place.member(value), name, right));
  }
  return right;
}

}  // namespace

LazyGrammar::LazyGrammar(Json json, Place place, std::string name) : json_(std::move(json)), place_(std::move(place)), name_(std::move(name)) {}

void LazyGrammar::inherit(const std::vector<FlagRule>& flags) {
  if (!json_.contains("preset")) inherited_ = flags;
}

const Grammar& LazyGrammar::get() const {
  std::call_once(once_, [this] {
    const std::string nowhere;
    Findings findings;
    Compiler compiler{nowhere, findings};
    grammar_.name = name_;
    if (read_grammar(compiler, json_, place_, grammar_) && finish_grammar(compiler, grammar_, inherited_)) return;
    grammar_ = Grammar{};  // can't be, as presets are tested; then it denies everything
    grammar_.has_subcommands = true;
  });
  return grammar_;
}

const Grammar* GrammarRef::get() const { return lazy_ ? &lazy_->get() : grammar_.get(); }

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

// Whatever is a preset's, or nothing but a preset, is read when it is needed: its mistakes are found by the tests.
GrammarRef read_grammar_ref(Compiler& compiler, const Json& json, const Place& place, const std::string& name, bool& right) {
  const bool only_preset = json.is_object() && json.size() == 1 && json.contains("preset") && is_preset_name(json["preset"]);
  if (place.in_preset || only_preset) return GrammarRef(std::make_shared<LazyGrammar>(json, place, name));
  auto grammar = std::make_shared<Grammar>();
  grammar->name = name;
  right = read_grammar(compiler, json, place, *grammar) && right;
  return GrammarRef(std::move(grammar));
}

}  // namespace wardenv::policy
