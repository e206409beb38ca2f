// SPDX-License-Identifier: Apache-2.0
// The compiled form of `commands`: sorted tables, ready to be walked. Private to this folder.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace re2 {
class RE2;
}

namespace wardenv::policy {

// A regular expression of RE2 that the whole argument must match; "." also matches a line break. Compiled when it is first asked for: the
// presets have hundreds of them, of which one call needs two.
class Pattern {
 public:
  explicit Pattern(std::string text);
  ~Pattern();
  Pattern(const Pattern&) = delete;
  Pattern& operator=(const Pattern&) = delete;
  [[nodiscard]] std::string error() const;  // empty where it is right
  [[nodiscard]] bool matches(std::string_view value) const;  // false where it is wrong

 private:
  [[nodiscard]] const re2::RE2& compiled() const;
  std::string text_;
  mutable std::once_flag once_;
  mutable std::unique_ptr<const re2::RE2> compiled_;
};

// What an argument may hold or begin with only where its rule says so. A set of bits: `"allow": [...]`.
enum Allow : unsigned {
  kAllowNone = 0,
  kAllowNewline = 1U << 0,
  kAllowControl = 1U << 1,
  kAllowEmpty = 1U << 3,
  kAllowDash = 1U << 4,   // begins with "-": a flag to a parser that reads it otherwise than we do
  kAllowStdin = 1U << 5,  // is "-"
  kAllowAt = 1U << 6,     // begins with "@": a response file to many parsers
  kAllowColon = 1U << 7,  // path_under: "host:path" is a remote place to many tools
};
// What the arguments that a grammar hands on unread ("rest") may be.
constexpr unsigned kAllowInRest = kAllowEmpty | kAllowDash | kAllowStdin | kAllowAt;

enum class ValueKind { kString, kInteger, kEnum, kRegex, kPathUnder, kList, kAnyOf, kAllOf, kNot };

// One value: of a flag or of a positional.
struct ValueRule {
  ValueKind kind = ValueKind::kString;
  unsigned allow = kAllowNone;
  std::size_t max_length = std::numeric_limits<std::size_t>::max();       // bytes
  std::int64_t low = std::numeric_limits<std::int64_t>::min();            // integer
  std::int64_t high = std::numeric_limits<std::int64_t>::max();
  std::vector<std::string> words{};                                         // enum: sorted; path_under: folders
  std::shared_ptr<const Pattern> pattern{};                                 // regex and glob
  std::string mark{};                                                       // list: separator; path_under: where the path ends ("until")
  std::vector<ValueRule> parts{};                                           // list: the one of each element; any_of, all_of, not
};

struct Grammar;
class LazyGrammar;

// One entry of a table of grammars: compiled, or to be compiled when it is first asked for; or nothing, which stands for "rest".
class GrammarRef {
 public:
  GrammarRef() = default;
  explicit GrammarRef(std::shared_ptr<Grammar> grammar) : grammar_(std::move(grammar)) {}
  explicit GrammarRef(std::shared_ptr<LazyGrammar> lazy) : lazy_(std::move(lazy)) {}
  [[nodiscard]] const Grammar* get() const;  // nullptr for "rest"
  [[nodiscard]] Grammar* compiled() const { return grammar_.get(); }
  [[nodiscard]] LazyGrammar* lazy() const { return lazy_.get(); }

 private:
  std::shared_ptr<Grammar> grammar_;
  std::shared_ptr<LazyGrammar> lazy_;
};
using GrammarTable = std::vector<std::pair<std::string, GrammarRef>>;  // sorted by name

// What follows a flag that ends the command's own arguments (python -m MODULE ...).
struct After {
  bool rest = false;                                                        // anything
  GrammarTable by_value{};
};

enum class Takes { kNothing, kValue, kOptionalValue, kDenied };

// How often something may occur.
struct Times {
  std::uint32_t min = 0;
  std::uint32_t max = std::numeric_limits<std::uint32_t>::max();
  [[nodiscard]] bool counted() const { return min > 0 || max != std::numeric_limits<std::uint32_t>::max(); }
};

struct FlagRule {
  std::string name{};     // "-x", "--name", "-name"
  std::string pointer{};  // below `commands`
  Takes takes = Takes::kNothing;
  ValueRule value;
  Times times;
  std::size_t counter = 0;  // which counter of its grammar, where times.counted()
  std::optional<After> after;
};

struct PositionalRule {
  std::string pointer{};
  ValueRule value;
  Times times;
};

// Where to point for what is not declared: the member, where the policy has it, or the grammar that lacks it.
struct Places {
  std::string flags{};
  std::string positionals{};
  std::string subcommands{};
};

// One command, or one subcommand of one.
struct Grammar {
  std::string name{};     // for people: "pip install"
  std::string pointer{};  // below `commands`
  Places places;
  std::vector<FlagRule> flags{};                 // sorted by name
  std::vector<std::string> standalone{};         // sorted: arguments that are allowed when they are the only one
  std::vector<PositionalRule> positionals{};     // in order; only the last may vary in number
  std::optional<std::vector<PositionalRule>> after_separator;  // positionals after "--", where they are others
  GrammarTable subcommands{};
  std::optional<PositionalRule> number_flag;     // -5
  std::size_t counters = 0;                      // how many flags are counted
  std::vector<FlagRule> global_flags{};          // also flags of every subcommand
  std::optional<bool> end_of_flags_declared;
  std::optional<bool> clusters_declared;
  bool has_subcommands = false;
  bool names_preset = false;                     // another program, maybe: no flags from above
  bool first_is_flags = false;                   // the first argument is read as flags even without a dash (tar xf)
  bool interspersed = true;                      // flags may follow positionals
  bool end_of_flags = true;                      // "--" is known to the command
  bool clusters = true;                          // -xq is -x -q, -kfoo is -k foo
};

constexpr std::size_t kMaxCounters = 64;

struct CommandTable {
  GrammarTable commands{};
};

// The entry of that name, or nullptr.
const GrammarRef* find_grammar(const GrammarTable& table, std::string_view name);
const FlagRule* find_flag(const Grammar& grammar, std::string_view name);

}  // namespace wardenv::policy
