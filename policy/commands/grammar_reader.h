// SPDX-License-Identifier: Apache-2.0
// Reads one grammar, and those within it. Private to this folder.
#pragma once

#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "policy/commands/compiler.h"
#include "policy/commands/grammar.h"

namespace wardenv::policy {

// A grammar that is read when a call first needs it. Only for those that have no mistakes: presets and what is in them.
class LazyGrammar {
 public:
  LazyGrammar(nlohmann::json json, Place place, std::string name);
  void inherit(const std::vector<FlagRule>& flags);  // before anything is judged
  [[nodiscard]] const Grammar& get() const;

 private:
  nlohmann::json json_;
  Place place_;
  std::string name_;
  std::vector<FlagRule> inherited_;
  mutable std::once_flag once_;
  mutable Grammar grammar_;
};

// Adds what `json` says to the grammar, which may hold a preset's already. False where something is wrong; then that is found.
bool read_grammar(Compiler& compiler, const nlohmann::json& json, const Place& place, Grammar& grammar);

// A grammar of its own; nothing where it is wrong.
GrammarRef read_grammar_ref(Compiler& compiler, const nlohmann::json& json, const Place& place, const std::string& name, bool& right);

// What can be told only of the whole: flags from above, defaults that hang on others, numbers for the counters.
bool finish_grammar(Compiler& compiler, Grammar& grammar, const std::vector<FlagRule>& inherited);
bool finish_table(Compiler& compiler, GrammarTable& table, const std::vector<FlagRule>& inherited);

// Inserts, or replaces what has the name already.
void put_flag(std::vector<FlagRule>& flags, FlagRule flag);
void put_grammar(GrammarTable& table, const std::string& name, GrammarRef grammar);
std::vector<FlagRule>::iterator flag_position(std::vector<FlagRule>& flags, std::string_view name);

}  // namespace wardenv::policy
