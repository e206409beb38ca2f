// SPDX-License-Identifier: Apache-2.0
// authorize(): the stages of policy.md in their order. The first no is the decision; an approval is only asked for where nothing said no.
#include "policy/core/authorize.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <span>

#include "policy/commands/commands.h"
#include "policy/core/compiled.h"
#include "policy/core/cursor.h"
#include "policy/core/evaluate.h"
#include "policy/core/text/glob.h"

namespace wardenv::policy {
namespace core {
namespace {

constexpr std::size_t kLongestTool = 256;   // bytes of a tool's name in a call

// The JSON pointer of the entry that matches; nullptr: none does.
const std::string* match(const NameSet& set, std::string_view name) {
  if (const auto found = set.exact.find(name); found != set.exact.end()) return &found->second;
  for (const auto& [glob, pointer] : set.globs) {
    if (name_matches(glob, name)) return &pointer;
  }
  return nullptr;
}

const Plan* find_plan(const Rulebook& book, std::string_view tool) {
  if (const auto found = book.exact.find(tool); found != book.exact.end()) return &book.plans[found->second];
  for (const auto& [glob, plan] : book.globs) {
    if (name_matches(glob, tool)) return &book.plans[plan];
  }
  return nullptr;
}

std::string either(const std::string& words, const char* fallback) { return words.empty() ? fallback : words; }

class Judge {
 public:
  Judge(const Call& call, const Document& document, const QuotaView& quota, Trace trace)
      : call_(call), document_(document), book_(*document.rules), quota_(quota), trace_(trace) {}

  Decision judge() {
    if (!(well_formed() && known_grant() && shown() && listed())) return std::move(decision_);
    collect_rules();
    if (!(actions() && deny_ifs() && requires_() && commands() && older_rules() && workspace() && quotas())) return std::move(decision_);
    conclude();
    return std::move(decision_);
  }

 private:
  // ToolRules that apply besides each other, the tool's own first, each with what it remembers of the arguments.
  struct Applied {
    const ToolRule* rule = nullptr;
    std::optional<Arguments> arguments{};
  };

  bool deny(std::string rule, std::string reason) {
    note(rule, "denies: " + reason);
    decision_.effect = Effect::kDeny;
    decision_.approval.reset();
    decision_.rule = std::move(rule);
    decision_.reason = std::move(reason);
    return false;
  }

  [[nodiscard]] bool traced() const { return trace_ == Trace::kYes; }
  void note(std::string rule, std::string result) {
    if (traced()) decision_.trace.push_back({std::move(rule), std::move(result)});
  }

  bool well_formed() {
    const bool name = !call_.tool.empty() && call_.tool.size() <= kLongestTool &&
                      std::none_of(call_.tool.begin(), call_.tool.end(), [](unsigned char c) { return c < 0x20 || c == 0x7F; });
    if (!name) return deny("(malformed call)", "the call names no tool");
    if (!call_.arguments.is_object()) return deny("(malformed call)", "the arguments of a call must be an object");
    return true;
  }

  // Who calls is the document's to say: a name that it does not declare would be a counter of its own for each that is made up, and a call without
  // a name would leave behind what its grant limits.
  bool known_grant() {
    if (call_.grant.empty()) return document_.grants.empty() || deny("(no grant)", "the policy says who may call: name one with --grant: " + grant_names());
    const auto found = book_.grants.find(call_.grant);
    if (found == book_.grants.end()) return deny("(unknown grant)", "the policy has no such grant");
    grant_ = &found->second;
    return true;
  }

  [[nodiscard]] std::string grant_names() const {
    constexpr std::size_t kShown = 10;
    std::string names;
    for (std::size_t left = kShown; const auto& [name, grant] : document_.grants) {
      if (left-- == 0) return names + ", …";
      names += (names.empty() ? "" : ", ") + name;
    }
    return names;
  }

  bool shown() {
    if (match(book_.hide, call_.tool) != nullptr) return deny("(hidden)", "there is no such tool");
    note("/hide", "does not hide the tool");
    if (grant_ == nullptr || !grant_->tools) return true;
    if (match(*grant_->tools, call_.tool) == nullptr) return deny(grant_->pointer + "/tools", "the grant may not call this tool");
    note(grant_->pointer + "/tools", "lists the tool");
    return true;
  }

  bool listed() {
    plan_ = find_plan(book_, call_.tool);
    if (plan_ == nullptr && document_.default_effect == DefaultEffect::kDeny) return deny("(default deny)", "the policy does not list this tool");
    note("/default", plan_ != nullptr ? "does not matter: the tool is listed at " + plan_->rule.pointer : "allows what is not listed");
    return true;
  }

  void collect_rules() {
    const ToolRule* own = plan_ != nullptr ? &plan_->rule : nullptr;
    for (const ToolRule* rule : {own, book_.all_tools ? &*book_.all_tools : nullptr, book_.wildcard ? &*book_.wildcard : nullptr}) {
      if (rule == nullptr) continue;
      applied_[count_].rule = rule;
      applied_[count_++].arguments.emplace(call_, *rule);
    }
  }

  std::span<Applied> applied() { return {applied_.data(), count_}; }

  bool actions() {
    for (const Applied& one : applied()) {
      if (one.rule->action == Action::kDeny) return deny(one.rule->pointer + "/action", either(one.rule->reason, "the policy denies this tool"));
      if (traced()) note(one.rule->pointer, one.rule->action == Action::kAllow ? "does not deny" : "asks for an approval, if nothing denies");
    }
    return true;
  }

  // "argument `amount` is no number", with the document's own words first where it has some.
  std::string words(const ToolRule& rule, const Predicate& predicate, const Answer& answer, const std::string& own) const {
    const std::string argument = "argument `" + rule.paths[predicate.path].text + "` ";
    if (answer.outcome == Outcome::kCannot) return (own.empty() ? "" : own + ": ") + "the rule can't be evaluated, so it denies: " + argument + answer.why;
    if (!own.empty()) return own;
    if (answer.outcome == Outcome::kAbsent) return argument + "is absent";
    return argument + (answer.outcome == Outcome::kHolds ? "has a value that the policy denies" : "has a value that the policy does not allow");
  }

  bool deny_ifs() {
    for (Applied& one : applied()) {
      const PredicateList& list = one.rule->deny_if;
      for (std::size_t i = 0; i < list.all.size(); ++i) {
        const Answer answer = one.arguments->ask(list.all[i], Elements::kAny);
        const bool denies = answer.outcome == Outcome::kHolds || answer.outcome == Outcome::kCannot;
        if (denies) return deny(list.pointer + "/" + std::to_string(i), words(*one.rule, list.all[i], answer, list.all[i].reason));
        if (traced()) note(list.pointer + "/" + std::to_string(i), answer.why);
      }
    }
    return true;
  }

  bool requires_() {
    for (Applied& one : applied()) {
      const PredicateList& list = one.rule->require;
      for (std::size_t i = 0; i < list.all.size(); ++i) {
        const Answer answer = one.arguments->ask(list.all[i], Elements::kAll);
        if (answer.outcome != Outcome::kHolds) return deny(list.pointer + "/" + std::to_string(i), words(*one.rule, list.all[i], answer, list.all[i].reason));
        if (traced()) note(list.pointer + "/" + std::to_string(i), answer.why);
      }
    }
    return true;
  }

  bool commands() {
    return std::all_of(applied().begin(), applied().end(), [this](const Applied& one) { return one.rule->commands == nullptr || command(*one.rule); });
  }

  // The arguments `command` and `args` of the call, as argv: strings, nothing is split or joined.
  bool command(const ToolRule& rule) {
    const auto& members = call_.arguments.get_ref<const nlohmann::json::object_t&>();
    const auto name = members.find("command");
    if (name == members.end() || !name->second.is_string()) return deny(rule.pointer + "/commands", "the rule can't be evaluated, so it denies: argument `command` is no string");
    std::vector<std::string_view> args;
    if (const auto list = members.find("args"); list != members.end() && !list->second.is_null()) {
      if (!list->second.is_array()) return deny(rule.pointer + "/commands", "the rule can't be evaluated, so it denies: argument `args` is no list");
      args.reserve(list->second.size());
      for (const nlohmann::json& item : list->second) {
        if (!item.is_string()) return deny(rule.pointer + "/commands", "the rule can't be evaluated, so it denies: argument `args` holds something that is no string");
        args.push_back(item.get_ref<const std::string&>());
      }
    }
    return judge_args(rule, name->second.get_ref<const std::string&>(), args);
  }

  bool judge_args(const ToolRule& rule, std::string_view name, std::span<const std::string_view> args) {
    const CommandContext context{call_.workspace, call_.resolve};
    Verdict verdict = judge_command(*rule.commands, name, args, context);
    if (!verdict.allowed) return deny(rule.pointer + "/commands" + verdict.rule, std::move(verdict.reason));
    if (traced()) note(rule.pointer + "/commands", "allow the command with these arguments");
    return true;
  }

  bool older_rules() {
    for (Applied& one : applied()) {
      for (const OldRule& rule : one.rule->rules) {
        if (rule.action == RuleAction::kDeny) return deny(rule.pointer, either(rule.reason, "the policy denies this tool"));
        bool applies = true;
        const bool good = rule.action == RuleAction::kRequireApproval ? asks_approval(one, rule, applies) : conditions(one, rule);
        if (!good || (applies && rule.spend && !spend(rule))) return false;
      }
    }
    return true;
  }

  bool conditions(Applied& one, const OldRule& rule) {
    for (const auto& [index, predicate] : rule.conditions) {
      const Answer answer = one.arguments->ask(predicate, Elements::kAll);
      if (answer.outcome == Outcome::kHolds) continue;
      return deny(rule.pointer + "/conditions/" + std::to_string(index), words(*one.rule, predicate, answer, rule.reason));
    }
    for (const StateCondition& condition : rule.state) {
      const Outcome outcome = ask_state(condition);
      if (outcome == Outcome::kHolds) continue;
      const char* fallback = outcome == Outcome::kCannot ? "the rule can't be evaluated, so it denies: its counter can't be read" : "a counter has a value that the policy does not allow";
      return deny(rule.pointer + "/conditions/" + std::to_string(condition.index), outcome == Outcome::kCannot ? fallback : either(rule.reason, fallback));
    }
    if (traced()) note(rule.pointer, "holds");
    return true;
  }

  bool spend(const OldRule& rule) {
    return deny(rule.pointer + "/spend", (rule.reason.empty() ? "" : rule.reason + ": ") + "the rule can't be evaluated, so it denies: nothing here knows what a call pays; "
                                             "`limits` with `increment_from` limit an amount");
  }

  // With conditions, an approval is needed where all of them hold.
  bool asks_approval(Applied& one, const OldRule& rule, bool& applies) {
    for (const auto& [index, predicate] : rule.conditions) {
      const Answer answer = one.arguments->ask(predicate, Elements::kAny);
      if (answer.outcome == Outcome::kCannot) return deny(rule.pointer + "/conditions/" + std::to_string(index), words(*one.rule, predicate, answer, rule.reason));
      applies = applies && answer.outcome == Outcome::kHolds;
    }
    for (const StateCondition& condition : rule.state) {
      const Outcome outcome = ask_state(condition);
      if (outcome == Outcome::kCannot) return deny(rule.pointer + "/conditions/" + std::to_string(condition.index), "the rule can't be evaluated, so it denies: its counter can't be read");
      applies = applies && outcome == Outcome::kHolds;
    }
    if (traced()) note(rule.pointer, applies ? "asks for an approval, if nothing denies" : "does not apply");
    if (applies) need_approval(rule.pointer, rule.reason, rule.approval_timeout);
    return true;
  }

  void need_approval(const std::string& rule, const std::string& reason, std::chrono::milliseconds timeout) {
    if (decision_.approval) return;
    decision_.approval = ApprovalNeed{rule, either(reason, "the policy wants a person to agree to this call"), timeout.count() > 0 ? timeout : document_.approvals.timeout};
  }

  Outcome ask_state(const StateCondition& condition) {
    QuotaUse use;
    if (!make_use(condition.counter, use)) return Outcome::kCannot;
    const auto used = quota_.used(use.key, use.window, use.mode);
    if (!used) return Outcome::kCannot;
    const std::uint64_t added = condition.counts ? use.amount : 0;
    if (*used > UINT64_MAX - added) return Outcome::kCannot;
    return ask_count(condition.op, condition.operand, condition.members.get(), *used + added);
  }

  [[nodiscard]] std::string key_of(const CompiledLimit& limit) const {
    switch (limit.limit.scope) {
      case Scope::kGrant: return "grant/" + pointer_token(call_.grant) + limit.key_tail;
      case Scope::kSession: return "session/" + pointer_token(call_.session) + limit.key_tail;
      case Scope::kTool: return "tool/" + pointer_token(limit.owner.empty() ? call_.tool : limit.owner) + limit.key_tail;
      case Scope::kGlobal: return "global" + limit.key_tail;
    }
    return {};
  }

  // False: the amount that the call counts can't be told.
  bool make_use(const CompiledLimit& limit, QuotaUse& use) {
    use.key = key_of(limit);
    use.window = limit.limit.window;
    use.mode = limit.limit.mode;
    use.amount = limit.limit.increment;
    use.max = limit.limit.max;
    use.rule = limit.limit.pointer;
    use.counter = limit.limit.counter;
    use.reason = limit.reason;
    if (limit.from.segments.empty()) return true;
    const nlohmann::json* value = walk(call_.arguments, limit.from);
    const auto amount = value != nullptr ? count_of(*value) : std::nullopt;
    use.amount = amount.value_or(0);
    return amount.has_value();
  }

  bool quota(const CompiledLimit& limit) {
    QuotaUse use;
    if (!make_use(limit, use)) {
      return deny(limit.limit.pointer, "the rule can't be evaluated, so it denies: argument `" + limit.from.text + "` must be a whole number from 0 on");
    }
    if (use.amount > use.max) return deny(use.rule, never_fits(use));
    if (traced()) note(use.rule, "takes " + std::to_string(use.amount) + " of at most " + std::to_string(use.max));
    decision_.quotas.push_back(std::move(use));
    return true;
  }

  bool quotas() {
    const std::vector<CompiledLimit>& own = plan_ != nullptr ? plan_->quotas : book_.unlisted.quotas;
    decision_.quotas.reserve(own.size() + (grant_ != nullptr ? grant_->limits.size() : 0));
    const auto take = [this](const CompiledLimit& limit) { return quota(limit); };
    const bool good = std::all_of(own.begin(), own.end(), take) && (grant_ == nullptr || std::all_of(grant_->limits.begin(), grant_->limits.end(), take));
    if (!good) decision_.quotas.clear();
    return good;
  }

  // What "{workspace}" stands for is the caller's choice, but where the profile says for which folders it is.
  bool workspace() {
    const auto found = document_.profiles.find(profile());
    if (found == document_.profiles.end() || found->second.workspaces.empty()) return true;
    const std::string rule = "/profiles/" + pointer_token(found->first) + "/workspaces";
    const std::vector<std::string>& all = found->second.workspaces;
    if (std::none_of(all.begin(), all.end(), [this](const std::string& folder) { return is_in(folder); })) return deny(rule, "the profile is not for this workspace");
    note(rule, "lists the workspace");
    return true;
  }

  [[nodiscard]] bool is_in(const std::string& folder) const {
    const auto resolved = call_.resolve != nullptr ? (*call_.resolve)(folder) : std::nullopt;
    return resolved && !call_.workspace.empty() && is_below(call_.workspace, *resolved);
  }

  [[nodiscard]] std::string profile() const {
    if (!call_.grant.empty()) {
      const auto grant = document_.grants.find(call_.grant);
      if (grant != document_.grants.end() && !grant->second.profile.empty()) return grant->second.profile;
    }
    for (std::size_t i = 0; i < count_; ++i) {
      if (!applied_[i].rule->profile.empty()) return applied_[i].rule->profile;
    }
    return {};
  }

  void conclude() {
    for (const Applied& one : applied()) {
      if (one.rule->action == Action::kRequireApproval) need_approval(one.rule->pointer + "/action", one.rule->reason, one.rule->approval_timeout);
    }
    decision_.profile = profile();
    decision_.effect = decision_.approval ? Effect::kRequireApproval : Effect::kAllow;
    decision_.rule = decision_.approval ? decision_.approval->rule : plan_ != nullptr ? plan_->rule.pointer : "(default allow)";
    decision_.reason = decision_.approval ? decision_.approval->reason : "no rule denies the call";
  }

  const Call& call_;
  const Document& document_;
  const Rulebook& book_;
  const QuotaView& quota_;
  Trace trace_;
  const CompiledGrant* grant_ = nullptr;
  const Plan* plan_ = nullptr;
  std::array<Applied, 3> applied_{};
  std::size_t count_ = 0;
  Decision decision_{};
};

}  // namespace
}  // namespace core

Decision authorize(const Call& call, const Document& document, const QuotaView& quota, Trace trace) {
  if (document.rules == nullptr) return {};
  return core::Judge(call, document, quota, trace).judge();
}

bool is_hidden(const Document& document, std::string_view tool, std::string_view grant) {
  if (document.rules == nullptr || core::match(document.rules->hide, tool) != nullptr) return true;
  if (grant.empty()) return !document.grants.empty();
  const auto found = document.rules->grants.find(grant);
  if (found == document.rules->grants.end()) return true;
  return found->second.tools && core::match(*found->second.tools, tool) == nullptr;
}

}  // namespace wardenv::policy
