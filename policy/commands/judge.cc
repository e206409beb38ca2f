// SPDX-License-Identifier: Apache-2.0
// Walks the arguments of a call along a grammar, as the command's own parser will read them.
#include <algorithm>
#include <array>

#include "policy/commands/commands.h"
#include "policy/commands/grammar.h"
#include "policy/commands/text.h"
#include "policy/commands/value.h"

namespace wardenv::policy {
namespace {

using Args = std::span<const std::string_view>;

Verdict allowed() { return {true, {}, {}}; }
Verdict denied(const std::string& rule, std::string reason) { return {false, rule, std::move(reason)}; }

// One level of a command: its flags and positionals, up to the end or to where another grammar takes over.
class Level {
 public:
  Level(const Grammar& grammar, Args args, const CommandContext& context) : grammar_(grammar), args_(args), context_(context) {}

  Verdict judge() {
    if (args_.size() == 1 && std::binary_search(grammar_.standalone.begin(), grammar_.standalone.end(), args_[0], std::less<>{})) {
      return allowed();
    }
    if (grammar_.first_is_flags && !args_.empty() && !args_[0].starts_with('-')) {
      return denied(grammar_.pointer, command() + " reads its first argument as flags, also without a dash; begin with a flag");
    }
    while (!args_.empty() && !over_) step(take());
    if (over_) return std::move(verdict_);
    return judge_end();
  }

 private:
  std::string_view take() {
    const std::string_view arg = args_.front();
    args_ = args_.subspan(1);
    return arg;
  }

  void conclude(Verdict verdict) {
    verdict_ = std::move(verdict);
    over_ = true;
  }

  void deny(const std::string& rule, std::string reason) { conclude(denied(rule, std::move(reason))); }

  [[nodiscard]] std::string command() const { return in_backticks(grammar_.name); }

  void step(std::string_view arg) {
    if (separated_ || (!grammar_.interspersed && positionals_ > 0)) return positional(arg);
    if (arg == "--") return separator();
    if (arg.size() > 1 && arg[0] == '-') return flag(arg);
    if (grammar_.has_subcommands) return subcommand(arg);
    positional(arg);
  }

  void separator() {
    if (!grammar_.end_of_flags || grammar_.has_subcommands) {
      return deny(grammar_.pointer, "`--` is not declared for " + command());
    }
    if (grammar_.after_separator && missing_positional()) return;
    separated_ = true;
    if (grammar_.after_separator) positionals_ = 0;
  }

  void subcommand(std::string_view name) {
    const auto* found = find_grammar(grammar_.subcommands, name);
    if (found == nullptr) return deny(grammar_.places.subcommands, in_backticks(name) + " is not a declared subcommand of " + command());
    hand_over(*found->get());
  }

  void hand_over(const Grammar& next) {
    if (missing_flag()) return;
    conclude(Level(next, args_, context_).judge());
  }

  // A flag in any of its forms: as it is, with "=", as a number, in a cluster.
  void flag(std::string_view arg) {
    if (const FlagRule* rule = find_flag(grammar_, arg)) return plain(*rule);
    const std::size_t equals = arg.find('=');
    if (equals > 2 && equals != std::string_view::npos) {
      if (const FlagRule* rule = find_flag(grammar_, arg.substr(0, equals))) return with_equals(*rule, arg.substr(equals + 1));
    }
    if (grammar_.number_flag && arg[1] >= '0' && arg[1] <= '9') return number(arg);
    if (arg[1] == '-' || !grammar_.clusters) return unknown(arg.substr(0, equals));
    cluster(arg.substr(1));
  }

  void unknown(std::string_view name) { deny(grammar_.places.flags, in_backticks(name) + " is not declared for " + command()); }

  // The flag stands alone: its value, where it must have one, is the next argument.
  void plain(const FlagRule& rule) {
    if (rule.takes != Takes::kValue) return without_value(rule);
    if (args_.empty() || args_.front() == "--") {
      return deny(rule.pointer, in_backticks(rule.name) + " of " + command() + " needs a value");
    }
    with_value(rule, take());
  }

  void with_equals(const FlagRule& rule, std::string_view value) {
    if (rule.takes == Takes::kNothing) return deny(rule.pointer, in_backticks(rule.name) + " of " + command() + " takes no value");
    with_value(rule, value);
  }

  void without_value(const FlagRule& rule) {
    if (count(rule) && rule.after) hand_over_after(rule, {});
  }

  void with_value(const FlagRule& rule, std::string_view value) {
    if (!count(rule)) return;
    if (const char* wrong = misfit(rule.value, value, {context_})) {
      return deny(rule.pointer, "value " + in_backticks(value) + " of " + in_backticks(rule.name) + " " + wrong);
    }
    if (rule.after) hand_over_after(rule, value);
  }

  void number(std::string_view arg) {
    if (const char* wrong = misfit(grammar_.number_flag->value, arg.substr(1), {context_})) {
      deny(grammar_.number_flag->pointer, in_backticks(arg) + " " + wrong);
    }
  }

  // Letters of one argument: each must be declared; what follows one that takes a value is the value.
  void cluster(std::string_view letters) {
    while (!letters.empty() && !over_) {
      const std::array<char, 2> name{'-', letters[0]};
      const FlagRule* rule = find_flag(grammar_, {name.data(), name.size()});
      letters.remove_prefix(1);
      if (rule == nullptr) return unknown({name.data(), name.size()});
      if (rule->takes == Takes::kNothing || rule->takes == Takes::kDenied || letters.empty()) {
        plain(*rule);
        if (over_ && verdict_.allowed && !letters.empty()) deny(rule->pointer, in_backticks(rule->name) + " must be the last of its argument");
      } else {
        return attached(*rule, letters);
      }
    }
  }

  // "-n=5" is 5 to some parsers and "=5" to others.
  void attached(const FlagRule& rule, std::string_view value) {
    if (value[0] == '=') return deny(rule.pointer, "`=` after the short flag " + in_backticks(rule.name) + " means different things to different programs");
    with_value(rule, value);
  }

  // False where the flag is denied, or stands too often.
  bool count(const FlagRule& rule) {
    if (rule.takes == Takes::kDenied) {
      deny(rule.pointer, in_backticks(rule.name) + " is denied for " + command());
    } else if (rule.times.counted() && ++counts_[rule.counter] > rule.times.max) {
      deny(rule.pointer, in_backticks(rule.name) + " stands more often than declared for " + command());
    }
    return !over_;
  }

  void hand_over_after(const FlagRule& rule, std::string_view value) {
    if (rule.after->rest) return rest(rule);
    const auto* found = find_grammar(rule.after->by_value, value);
    if (found == nullptr) return deny(rule.pointer, "value " + in_backticks(value) + " of " + in_backticks(rule.name) + " is none of the declared ones");
    const Grammar* next = found->get();
    if (next == nullptr) return rest(rule);
    hand_over(*next);
  }

  void rest(const FlagRule& rule) {
    if (missing_flag()) return;
    for (const std::string_view arg : args_) {
      if (const char* wrong = misfit_of_rest(arg)) return deny(rule.pointer, "argument " + in_backticks(arg) + " " + wrong);
    }
    conclude(allowed());
  }

  [[nodiscard]] const std::vector<PositionalRule>& positional_rules() const {
    return separated_ && grammar_.after_separator ? *grammar_.after_separator : grammar_.positionals;
  }

  // The rule for the next positional: all but the last of them take exactly as many as they must.
  [[nodiscard]] const PositionalRule* next_rule() const {
    std::size_t before = positionals_;
    for (const PositionalRule& rule : positional_rules()) {
      if (before < rule.times.max) return &rule;
      before -= rule.times.max;
    }
    return nullptr;
  }

  void positional(std::string_view arg) {
    const PositionalRule* rule = next_rule();
    if (rule == nullptr) return deny(grammar_.places.positionals, in_backticks(arg) + " is more than " + command() + " may be given");
    const unsigned also = separated_ ? kAllowDash : kAllowNone;
    if (const char* wrong = misfit(rule->value, arg, {context_, also})) return deny(rule->pointer, "argument " + in_backticks(arg) + " " + wrong);
    ++positionals_;
  }

  // True where a flag that must stand does not; then that is the verdict.
  bool missing_flag() {
    if (grammar_.counters == 0) return false;
    for (const FlagRule& rule : grammar_.flags) {
      if (rule.times.counted() && counts_[rule.counter] < rule.times.min) {
        deny(rule.pointer, command() + " must be given " + in_backticks(rule.name));
        return true;
      }
    }
    return false;
  }

  bool missing_positional() {
    std::size_t given = positionals_;
    for (const PositionalRule& rule : positional_rules()) {
      if (given < rule.times.min) {
        deny(rule.pointer, command() + " needs more arguments");
        return true;
      }
      given -= std::min<std::size_t>(given, rule.times.max);
    }
    return false;
  }

  Verdict judge_end() {
    if (missing_flag()) return std::move(verdict_);
    if (grammar_.has_subcommands) return denied(grammar_.places.subcommands, command() + " needs one of the declared subcommands");
    return missing_positional() ? std::move(verdict_) : allowed();
  }

  const Grammar& grammar_;
  Args args_;
  const CommandContext& context_;
  bool separated_ = false;
  std::size_t positionals_ = 0;
  std::array<std::uint32_t, kMaxCounters> counts_{};
  bool over_ = false;
  Verdict verdict_;
};

}  // namespace

Verdict judge_command(const CommandSet& set, std::string_view command, std::span<const std::string_view> args, const CommandContext& context) {
  if (command.empty()) return denied("", "no command is named");
  if (command.find('/') != std::string_view::npos) return denied("", in_backticks(command) + " is a path; give the bare name of a command");
  const auto* grammar = find_grammar(set.table().commands, command);
  if (grammar == nullptr) return denied("", in_backticks(command) + " is not a declared command");
  return Level(*grammar->get(), args, context).judge();
}

}  // namespace wardenv::policy
