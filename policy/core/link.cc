// SPDX-License-Identifier: Apache-2.0
// Links what was read: conditions on counters find their counters, tools their quotas, names what they name.
#include <algorithm>
#include <cmath>
#include <set>
#include <string>

#include "policy/core/reading.h"
#include "policy/core/text/glob.h"

namespace wardenv::policy::core {
namespace {

void complain(Reading& reading, const std::string& pointer, Place place, std::string message) {
  reading.notes.add(pointer, place, std::move(message), Severity::kError);
}

// Whether a call that both apply to would take from one counter.
bool same_counter(const CompiledLimit& one, const CompiledLimit& other) {
  return one.limit.scope == other.limit.scope && one.limit.window == other.limit.window && one.limit.mode == other.limit.mode &&
         one.owner == other.owner && one.limit.counter == other.limit.counter;
}

// "tool.counter": the name of a tool may hold dots itself, so every way to cut it is tried.
std::vector<const DeclaredCounter*> find_counters(const Reading& reading, std::string_view path) {
  std::vector<const DeclaredCounter*> found;
  for (const DeclaredCounter& counter : reading.counters) {
    const std::string& name = reading.entries[counter.entry].rule.limits[counter.limit].limit.counter;
    if (path.size() == counter.tool.size() + 1 + name.size() && path.starts_with(counter.tool) && path[counter.tool.size()] == '.' && path.ends_with(name)) {
      found.push_back(&counter);
    }
  }
  return found;
}

// The largest count that `op value` lets through; none where no maximum says it.
std::optional<std::uint64_t> maximum_of(Op op, const Number& value) {
  const bool less = op == Op::kLt;
  if (op != Op::kLte && !less) return std::nullopt;
  switch (value.kind) {
    case Number::Kind::kInteger:
      if (value.integer < (less ? 1 : 0)) return std::nullopt;
      return static_cast<std::uint64_t>(value.integer) - (less ? 1 : 0);
    case Number::Kind::kNatural: return kLargestCount;
    case Number::Kind::kReal:
      if (value.real < 0) return std::nullopt;
      return value.real >= 9223372036854775808.0 ? kLargestCount : static_cast<std::uint64_t>(std::floor(value.real));
  }
  return std::nullopt;
}

// A maximum for a counter that the very call counts: judged by the reservation itself, so that nothing can come between.
void add_bound(const PendingCondition& condition, const CompiledLimit& counter, std::uint64_t max, ToolRule& rule) {
  CompiledLimit bound = counter;
  bound.bound = true;
  bound.limit.max = max;
  bound.limit.pointer = condition.pointer;
  bound.reason = rule.rules[condition.rule].reason;
  rule.limits.push_back(std::move(bound));
}

void link_condition(Reading& reading, PendingCondition& condition) {
  const auto found = find_counters(reading, condition.path);
  if (found.empty()) return complain(reading, condition.pointer, condition.place, "no rule declares the counter `state." + condition.path + "`");
  if (found.size() > 1) return complain(reading, condition.pointer, condition.place, "`state." + condition.path + "` can be read as two counters");
  const Entry& owner = reading.entries[found[0]->entry];
  CompiledLimit counter = owner.rule.limits[found[0]->limit];
  ToolRule& rule = reading.entries[condition.entry].rule;
  const bool counts = found[0]->entry == condition.entry || owner.wildcard || owner.name.empty();
  const auto max = condition.operand.kind == Operand::Kind::kNumber ? maximum_of(condition.op, condition.operand.number) : std::nullopt;
  if (counts && max) return add_bound(condition, counter, *max, rule);
  if (!counts && is_name_glob(owner.name)) return complain(reading, condition.pointer, condition.place, "a counter of a glob is counted for each tool and can't be read from another");
  if (!counts) counter.owner = owner.name;
  rule.rules[condition.rule].state.push_back({std::move(counter), counts, condition.op, std::move(condition.operand), std::move(condition.members), condition.index});
}

void check_declared_once(Reading& reading) {
  std::set<std::string> known;
  for (const DeclaredCounter& counter : reading.counters) {
    const Entry& entry = reading.entries[counter.entry];
    const CompiledLimit& limit = entry.rule.limits[counter.limit];
    if (!known.insert(std::to_string(counter.entry) + "/" + limit.limit.counter).second) {
      complain(reading, limit.limit.pointer, entry.place, "the counter `" + limit.limit.counter + "` is declared twice for this tool");
    }
  }
}

// Takes one limit into what a call reserves. The same counter twice is an error, unless one of the two only sets a maximum.
void merge(Reading& reading, std::vector<CompiledLimit>& quotas, const CompiledLimit& limit, Place place) {
  if (limit.limit.counter.empty() || limit.limit.window.count() == 0) return;   // it was complained about already
  for (CompiledLimit& other : quotas) {
    if (!same_counter(other, limit)) continue;
    if (!other.bound && !limit.bound) {
      return complain(reading, limit.limit.pointer, place,
                      "the counter `" + limit.limit.counter + "` with this window and scope is counted already by " + other.limit.pointer + ": name it differently");
    }
    const bool tighter = limit.limit.max < other.limit.max;
    if (tighter) other.limit.max = limit.limit.max;
    if (tighter) other.limit.pointer = limit.limit.pointer;
    if (tighter) other.reason = limit.reason;
    other.bound = other.bound && limit.bound;
    return;
  }
  quotas.push_back(limit);
}

void merge_all(Reading& reading, std::vector<CompiledLimit>& quotas, const std::vector<CompiledLimit>& limits, Place place) {
  for (const CompiledLimit& limit : limits) merge(reading, quotas, limit, place);
}

void plan_quotas(Reading& reading, Plan& plan, Place place) {
  merge_all(reading, plan.quotas, plan.rule.limits, place);
  if (reading.book.all_tools) merge_all(reading, plan.quotas, reading.book.all_tools->limits, place);
  if (reading.book.wildcard) merge_all(reading, plan.quotas, reading.book.wildcard->limits, place);
}

void check_grant_quotas(Reading& reading, const Entry& entry, const Plan& plan) {
  for (const auto& [name, grant] : reading.book.grants) {
    for (const CompiledLimit& own : grant.limits) {
      for (const CompiledLimit& other : plan.quotas) {
        if (same_counter(own, other)) {
          complain(reading, own.limit.pointer, entry.place, "the counter `" + own.limit.counter + "` is counted already by " + other.limit.pointer + ": name it differently");
        }
      }
    }
  }
}

void check_grant_own(Reading& reading) {
  for (const auto& [name, grant] : reading.book.grants) {
    std::vector<CompiledLimit> seen;
    merge_all(reading, seen, grant.limits, reading.root.place);
  }
}

// Each call is compared with the globs one by one, and the loader compares every two of a rank.
constexpr std::size_t kMostGlobs = 10'000;
constexpr int kMostOverlaps = 20;

// Most specific first; two of equal rank that some name matches both are an error.
void sort_globs(Reading& reading, std::vector<std::pair<Place, std::string>>& order) {
  auto& globs = reading.book.globs;
  if (globs.size() > kMostGlobs) return complain(reading, "/tools", order[kMostGlobs].first, "has more than " + std::to_string(kMostGlobs) + " globs");
  int overlaps = 0;
  std::stable_sort(globs.begin(), globs.end(), [](const auto& a, const auto& b) { return name_glob_rank(a.first) > name_glob_rank(b.first); });
  for (std::size_t i = 0; i < globs.size(); ++i) {
    for (std::size_t j = i + 1; j < globs.size() && name_glob_rank(globs[j].first) == name_glob_rank(globs[i].first); ++j) {
      if (!name_globs_overlap(globs[i].first, globs[j].first)) continue;
      if (++overlaps > kMostOverlaps) return complain(reading, "/tools", order[0].first, "more globs match the same names: of the others nothing is said until these are mended");
      const auto place = std::find_if(order.begin(), order.end(), [&](const auto& entry) { return entry.second == globs[j].first; });
      complain(reading, "/tools/" + pointer_token(globs[j].first), place->first,
               "`" + globs[j].first + "` and `" + globs[i].first + "` match the same names and neither is more specific");
    }
  }
}

void take_entry(Reading& reading, Entry& entry) {
  if (entry.name.empty()) return;
  const std::size_t index = reading.book.plans.size();
  Plan plan;
  plan.rule = std::move(entry.rule);
  plan_quotas(reading, plan, entry.place);
  check_grant_quotas(reading, entry, plan);
  if (is_name_glob(entry.name)) reading.book.globs.emplace_back(entry.name, index);
  else reading.book.exact.emplace(entry.name, index);
  reading.book.plans.push_back(std::move(plan));
}

void take_entries(Reading& reading) {
  for (Entry& entry : reading.entries) {
    if (entry.name.empty()) reading.book.all_tools = std::move(entry.rule);
    else if (entry.wildcard) reading.book.wildcard = std::move(entry.rule);
  }
  reading.book.plans.reserve(reading.entries.size());
  reading.book.exact.reserve(reading.entries.size());
  std::vector<std::pair<Place, std::string>> order;
  for (Entry& entry : reading.entries) {
    if (entry.wildcard) continue;
    if (is_name_glob(entry.name)) order.emplace_back(entry.place, entry.name);
    take_entry(reading, entry);
  }
  Entry nothing;
  nothing.place = reading.root.place;
  plan_quotas(reading, reading.book.unlisted, nothing.place);
  check_grant_quotas(reading, nothing, reading.book.unlisted);
  sort_globs(reading, order);
}

void check_profiles(Reading& reading) {
  for (const Reference& reference : reading.profiles) {
    if (reading.document.profiles.count(reference.name) == 0) complain(reading, reference.pointer, reference.place, "there is no profile `" + reference.name + "`");
  }
}

// Comparing lists of names with `tools` finds slips, not errors: it ends before it takes long.
constexpr int kMostComparisons = 2'000'000;

void warn(Reading& reading, const std::string& pointer, std::string message) {
  const Node* node = find_by_pointer(reading.root, pointer);
  reading.notes.add(pointer, node != nullptr ? node->place : reading.root.place, std::move(message), Severity::kWarning);
}

// "`a`, `b` and 3 more"
class SomeNames {
 public:
  void add(std::string_view name) {
    if (count_++ < kShown) names_ += (names_.empty() ? "`" : ", `") + std::string(name) + "`";
  }
  [[nodiscard]] bool empty() const { return count_ == 0; }
  [[nodiscard]] std::string text() const { return count_ <= kShown ? names_ : names_ + " and " + std::to_string(count_ - kShown) + " more"; }

 private:
  static constexpr std::size_t kShown = 3;
  std::string names_{};
  std::size_t count_ = 0;
};

std::string_view listed_name(const Entry& entry) { return entry.wildcard ? std::string_view() : std::string_view(entry.name); }

void warn_of_hidden(Reading& reading, int& left) {
  const NameSet& hide = reading.book.hide;
  const auto say = [&](const std::string& pointer, const std::string& names) { warn(reading, pointer, "hides " + names + ", which `tools` lists: what is hidden can't be called"); };
  for (const Entry& entry : reading.entries) {
    const auto hidden = hide.exact.find(listed_name(entry));
    if (hidden != hide.exact.end()) say(hidden->second, "`" + entry.name + "`");
  }
  for (const auto& [glob, pointer] : hide.globs) {
    SomeNames names;
    for (const Entry& entry : reading.entries) {
      if (--left < 0) return;
      if (!listed_name(entry).empty() && name_glob_covers(glob, entry.name)) names.add(entry.name);
    }
    if (!names.empty()) say(pointer, names.text());
  }
}

// Whether an entry lists a tool that the name or glob means.
bool is_listed(const Reading& reading, std::string_view name, int& left) {
  if (reading.book.exact.contains(name)) return true;
  const bool glob = is_name_glob(name);
  return std::any_of(reading.entries.begin(), reading.entries.end(), [&](const Entry& entry) {
    const std::string_view listed = listed_name(entry);
    if (listed.empty() || --left < 0) return left < 0;
    if (is_name_glob(listed)) return glob ? name_globs_overlap(listed, name) : name_matches(listed, name);
    return glob && name_matches(name, listed);
  });
}

void warn_of_grants(Reading& reading, int& left) {
  if (reading.document.default_effect != DefaultEffect::kDeny) return;
  const auto check = [&](const std::string& name, const std::string& pointer) {
    if (!is_listed(reading, name, left)) warn(reading, pointer, "no entry of `tools` matches `" + name + "`: what is not listed is denied");
  };
  for (const auto& [grant, compiled] : reading.book.grants) {
    if (!compiled.tools) continue;
    for (const auto& [name, pointer] : compiled.tools->exact) check(name, pointer);
    for (const auto& [name, pointer] : compiled.tools->globs) check(name, pointer);
  }
}

void warn_of_names(Reading& reading) {
  int left = kMostComparisons;
  warn_of_hidden(reading, left);
  warn_of_grants(reading, left);
  if (left < 0) reading.notes.warning(Cursor{reading.root}, "there are so many globs that not all of `hide` and of the grants' `tools` was compared with `tools`");
}

bool names_workspace(const PredicateList& list) {
  return std::any_of(list.all.begin(), list.all.end(), [](const Predicate& one) { return one.op == Op::kUnder && one.operand.text.starts_with("{workspace}"); });
}

bool leans_on_places(const ToolRule& rule) { return rule.commands != nullptr || names_workspace(rule.require) || names_workspace(rule.deny_if); }

// Names of commands lead into the venv, and {workspace} to the workspace: with both left to the caller, a rule on them holds back only those who
// are given a workspace, as a server's callers are.
void warn_of_places(Reading& reading) {
  const Document& document = reading.document;
  const Rulebook& book = reading.book;
  if (document.default_effect != DefaultEffect::kDeny) return;
  const auto limits = [](const auto& item) { return !item.second.workspaces.empty() || item.second.venv; };
  if (std::any_of(document.profiles.begin(), document.profiles.end(), limits)) return;
  const bool leans = std::any_of(book.plans.begin(), book.plans.end(), [](const Plan& plan) { return leans_on_places(plan.rule); }) ||
                     (book.all_tools && leans_on_places(*book.all_tools));
  if (leans) {
    reading.notes.warning(Cursor{reading.root}, "no profile names its `workspaces` or its `venv`: who calls `wardenv run` chooses both, and with them what commands and {workspace} lead to");
  }
}

}  // namespace

void link(Reading& reading) {
  check_declared_once(reading);
  for (PendingCondition& condition : reading.conditions) link_condition(reading, condition);
  take_entries(reading);
  check_grant_own(reading);
  check_profiles(reading);
  warn_of_places(reading);
  warn_of_names(reading);
}

}  // namespace wardenv::policy::core
