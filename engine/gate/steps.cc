// SPDX-License-Identifier: Apache-2.0
// The steps of a call through the gate.
#include "engine/gate/steps.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "engine/gate/aside.h"
#include "engine/gate/log_words.h"
#include "engine/gate/profile_text.h"
#include "engine/gate/resolve.h"
#include "engine/hooks/hooks.h"
#include "policy/core/authorize.h"

namespace wardenv::engine {

using policy::Decision;
using policy::Effect;

namespace {

// Counts are read from the store only where a rule asks for one.
class StoreView final : public policy::QuotaView {
 public:
  using Tell = std::function<void(const Error&)>;
  StoreView(Stores& stores, Tell tell) : stores_(stores), tell_(std::move(tell)) {}
  [[nodiscard]] std::optional<std::uint64_t> used(const std::string& key, std::chrono::milliseconds window, policy::LimitMode mode) const override {
    auto store = stores_.quota();
    if (!store) return tell_(store.error()), std::nullopt;
    auto count = (*store)->used(key, window, mode == policy::LimitMode::kFixed ? policy::WindowMode::kFixed : policy::WindowMode::kSliding);
    if (!count) return tell_(count.error()), std::nullopt;
    return *count;
  }

 private:
  Stores& stores_;
  Tell tell_;
};

std::vector<policy::Reservation> reservations(const Decision& decision) {
  std::vector<policy::Reservation> wanted;
  wanted.reserve(decision.quotas.size());
  for (const policy::QuotaUse& use : decision.quotas) {
    const auto mode = use.mode == policy::LimitMode::kFixed ? policy::WindowMode::kFixed : policy::WindowMode::kSliding;
    wanted.push_back({.key = use.key, .window = use.window, .mode = mode, .amount = use.amount, .max = use.max, .rule = use.rule});
  }
  return wanted;
}

Hook to_hook(const policy::HookSpec& spec) {
  Hook hook{.name = spec.name, .run = spec.run, .http = spec.http, .timeout = spec.timeout};
  if (!hook.run.empty()) hook.run[0] = hook_program(hook.run[0]);
  return hook;
}

HookEvent event_of(const ToolCall& call, const std::string& run_id, const std::string& profile) {
  return {.event = "before_run", .tool = call.tool, .arguments_json = call.arguments_json, .grant = call.grant, .run_id = run_id, .profile = profile};
}

void require_approval(Judging& judging, const std::string& rule, const std::string& reason) {
  Decision& decision = judging.admission.decision;
  if (decision.effect == Effect::kRequireApproval) return;
  decision.effect = Effect::kRequireApproval;
  decision.rule = rule;
  decision.reason = reason;
  decision.approval = policy::ApprovalNeed{rule, reason, judging.edition->document->approvals.timeout};
}

// "device:inode:seconds.nanoseconds"; empty where the command was not looked up by its name.
std::string identity_of(const std::optional<sandbox::Program>& program) {
  if (!program) return "";
  std::string nanoseconds = std::to_string(program->changed_ns);
  nanoseconds.insert(0, 9 - std::min<std::size_t>(9, nanoseconds.size()), '0');
  return std::to_string(program->device) + ":" + std::to_string(program->inode) + ":" + std::to_string(program->changed_s) + "." + nanoseconds;
}

policy::ApprovalCall approval_call(const Judging& judging) {
  const ToolCall& call = judging.call;
  const auto& profiles = judging.edition->document->profiles;
  const auto found = profiles.find(judging.profile);
  return {.tool = call.tool, .arguments_json = call.arguments_json, .grant = call.grant, .cwd = call.cwd, .rule = judging.admission.decision.approval->rule,
          .profile = judging.profile, .policy_digest = judging.edition->digest_sha256, .workspace = call.workspace, .venv = call.venv,
          .program = call.program ? call.program->path : "", .program_identity = identity_of(call.program),
          .granted_json = profile_json(found == profiles.end() ? policy::Profile() : found->second)};
}

AuditRecord record_of(const ToolCall& call, const Edition& edition, const std::string& run_id, const Decision& decision) {
  AuditRecord record;
  record.event = "admit";
  record.run_id = run_id;
  record.grant = call.grant;
  record.session = call.session;
  record.tool = call.tool;
  record.arguments_json = call.arguments_json;
  record.plain_arguments = edition.document->plain_arguments;
  record.decision = to_string(decision.effect);
  record.rule = decision.rule;
  record.reason = words_for_log(decision, call, edition.document->plain_arguments);
  record.policy_digest = edition.digest_sha256;
  record.profile = decision.profile;
  record.workspace = call.workspace;
  record.cwd = call.cwd;
  record.venv = call.venv;
  record.program = call.program ? call.program->path : "";
  record.program_identity = identity_of(call.program);
  return record;
}

}  // namespace

bool Judging::no(std::string rule, std::string reason) {
  admission.decision = policy::refuse(admission.decision, std::move(rule), std::move(reason));
  return false;
}

bool Judging::broken(const char* what) { return no("(unavailable)", std::string(what) + ", so nothing can be allowed; the operator's log says why"); }

void Steps::notice(const char* what, const Error& error) const {
  notice_(std::string(what) + ": " + error.message + (error.hint.empty() ? "" : " — " + error.hint));
}

Decision Steps::ask_document(const Judging& judging, std::string_view tool, const nlohmann::json& arguments) const {
  const policy::ResolvePath resolve = path_resolver(judging.call.cwd);
  const policy::Call call{.tool = tool, .arguments = arguments, .grant = judging.call.grant, .session = judging.call.session,
                          .cwd = judging.call.cwd, .workspace = judging.call.workspace, .resolve = &resolve};
  return policy::authorize(call, *judging.edition->document, StoreView(stores_, [this](const Error& error) { notice("quotas", error); }));
}

// Known before all tools were asked: an approval of one of them is for what the call will run under.
std::string Steps::profile_of(const Judging& judging, const nlohmann::json& arguments) const {
  const Decision& decision = judging.admission.decision;
  for (const std::string& tool : judging.call.profile_of) {
    std::string profile = tool == judging.call.tool ? decision.profile : ask_document(judging, tool, arguments).profile;
    if (!profile.empty()) return profile;
  }
  return decision.profile;
}

bool Steps::judge(Judging& judging) const {
  if (!judging.call.unjudgeable.empty()) return judging.no("(malformed call)", judging.call.unjudgeable);
  auto arguments = policy::parse_arguments(judging.call.arguments_json);
  if (!arguments) return judging.no("(malformed call)", arguments.error().message);
  judging.admission.decision = ask_document(judging, judging.call.tool, *arguments);
  judging.profile = profile_of(judging, *arguments);
  return judging.admission.decision.effect != Effect::kDeny;
}

bool Steps::ask_hooks(Judging& judging) {
  const policy::Document& document = *judging.edition->document;
  std::string event;
  for (const policy::HookSpec& spec : document.hooks) {
    if (spec.event != policy::HookEvent::kBeforeRun) continue;
    if (event.empty()) event = hook_event_json(event_of(judging.call, judging.admission.run_id, judging.admission.decision.profile));
    const HookAnswer answer = ask(to_hook(spec), event, judging.cancel_fd);
    judging.admission.cancelled = answer.cancelled;
    if (answer.cancelled) return judging.no("(cancelled)", answer.reason);
    if (answer.decision == HookDecision::kDeny) return judging.no(spec.pointer, answer.reason);
    if (answer.decision == HookDecision::kRequireApproval) require_approval(judging, spec.pointer, answer.reason);
  }
  return true;
}

bool Steps::take_approval(Judging& judging) {
  Decision& decision = judging.admission.decision;
  if (decision.effect != Effect::kRequireApproval) return true;
  if (!decision.approval) return judging.no(decision.rule, "the rule asks for an approval without saying which");
  if (!judging.call.unaskable.empty()) return judging.no(decision.rule, "a person would have to agree to it, and can't be asked: " + judging.call.unaskable);
  auto store = stores_.approvals();
  if (!store) return notice("approvals", store.error()), judging.broken("approvals can't be read");
  const policy::ApprovalCall call = approval_call(judging);
  auto fingerprint = policy::fingerprint_of(call);
  if (!fingerprint) return judging.no("(malformed call)", fingerprint.error().message);
  auto taken = (*store)->consume(*fingerprint);
  if (!taken) return notice("approvals", taken.error()), judging.broken("approvals can't be read");
  if (*taken) {
    decision.effect = Effect::kAllow;
    decision.reason = "approved by " + (*taken)->decided_by + " (" + (*taken)->id + ")";
    judging.pending->approval = std::move(**taken);
    return true;
  }
  return await_approval(judging, **store, call);
}

bool Steps::await_approval(Judging& judging, policy::ApprovalStore& store, const policy::ApprovalCall& call) {
  Decision& decision = judging.admission.decision;
  const policy::ApprovalTerms terms{decision.approval->timeout, judging.edition->document->approvals.dedupe_window, decision.approval->reason};
  auto asked = store.create_or_find(call, terms);
  if (!asked) return notice("approvals", asked.error()), judging.broken("approvals can't be written");
  const policy::Approval& approval = asked->approval;
  if (approval.state == policy::ApprovalState::kDenied) {
    return judging.no(decision.rule, "a person said no to this call" + (approval.note.empty() ? "" : ": " + approval.note));
  }
  if (asked->is_new) announcer_.announce(judging.edition->document->approvals, approval);
  judging.admission.approval_id = approval.id;
  decision.reason += (decision.reason.empty() ? "" : "; ") + std::string("it waits for a person: `wardenv approvals approve ") + approval.id + "`, then make the same call again";
  return false;
}

bool Steps::reserve(Judging& judging) {
  Admission& admission = judging.admission;
  if (admission.decision.quotas.empty()) return true;
  auto store = stores_.quota();
  if (!store) return notice("quotas", store.error()), judging.broken("quotas can't be counted");
  const std::vector<policy::Reservation> wanted = reservations(admission.decision);
  auto reserved = syncing_ == Syncing::kSideBySide ? (*store)->reserve_ahead(wanted) : (*store)->reserve(wanted);
  if (!reserved) return notice("quotas", reserved.error()), judging.broken("quotas can't be counted");
  if (reserved->granted) {
    judging.pending->receipt = std::move(reserved->receipt);
    judging.pending->unsettled = !reserved->on_disk;
    return true;
  }
  if (reserved->free_at) {
    const auto wait = std::chrono::ceil<std::chrono::milliseconds>(*reserved->free_at - std::chrono::system_clock::now());
    admission.retry_after = std::max(wait, std::chrono::milliseconds(1));
  }
  admission.decision = policy::refuse_by_quota(admission.decision, reserved->refused, admission.retry_after);
  return false;
}

Status Steps::write(const AuditRecord& record, Durable durable) {
  auto log = stores_.audit();
  if (!log) return tl::unexpected(log.error());
  Status written = (*log)->append(record, durable);
  for (const std::string& line : (*log)->take_notices()) notice_(line);
  return written;
}

Status Steps::settle() {
  auto store = stores_.quota();
  return store ? (*store)->settle() : Status(tl::unexpected(store.error()));
}

// Where the reservation can't be put on disk, undo() writes down that the call was refused after all.
bool Steps::write_down(Judging& judging) {
  const AuditRecord record = record_of(judging.call, *judging.edition, judging.admission.run_id, judging.admission.decision);
  const bool unsettled = std::exchange(judging.pending->unsettled, false);
  Status settled;
  Aside settling(unsettled ? Worth::kThread : Worth::kNothing, [&] { settled = unsettled ? settle() : Status(); });
  const Status written = write(record, Durable::kYes);
  settling.finish();
  judging.pending->recorded = written.has_value();
  if (!settled) return notice("quotas", settled.error()), judging.broken("quotas can't be counted");
  if (written) return true;
  notice("audit", written.error());
  return judging.broken("the audit log can't be written");
}

void Steps::undo(const Judging& judging) {
  give_back(*judging.pending);
  const AuditRecord record = record_of(judging.call, *judging.edition, judging.admission.run_id, judging.admission.decision);
  const Durable durable = judging.pending->recorded ? Durable::kYes : Durable::kNo;   // an allowance on disk is corrected there
  if (const Status written = write(record, durable); !written) notice("audit", written.error());
}

void Steps::give_back(Admission::Pending& pending) {
  if (pending.receipt) {
    auto store = stores_.quota();
    const Status given = store ? (*store)->give_back(*pending.receipt) : Status(tl::unexpected(store.error()));
    if (!given) notice("quotas", given.error());
  }
  if (!pending.approval) return;
  auto store = stores_.approvals();
  const Status given = store ? (*store)->give_back(*pending.approval) : Status(tl::unexpected(store.error()));
  if (!given) notice("approvals", given.error());
}

std::optional<Withholding> Steps::ask_after(const Admission& admission, std::string_view outcome) {
  const Admission::Pending& pending = *admission.pending;
  for (const policy::HookSpec& spec : pending.edition->document->hooks) {
    if (spec.event != policy::HookEvent::kAfterRun) continue;
    HookEvent event = event_of(pending.call, admission.run_id, admission.decision.profile);
    event.event = "after_run";
    event.outcome = outcome;
    // Not for a cancel to cut short: of a run that was cancelled there is output, too.
    const HookAnswer answer = ask(to_hook(spec), hook_event_json(event));
    if (answer.decision != HookDecision::kAbstain && answer.decision != HookDecision::kAllow) return Withholding{spec.pointer, answer.reason};
  }
  return std::nullopt;
}

void Steps::write_end(const Admission& admission, AuditRecord end) {
  const Admission::Pending& pending = *admission.pending;
  end.event = "finish";
  end.run_id = admission.run_id;
  end.grant = pending.call.grant;
  end.session = pending.call.session;
  end.tool = pending.call.tool;
  end.policy_digest = pending.edition->digest_sha256;
  end.profile = admission.decision.profile;
  if (const Status written = write(end, Durable::kNo); !written) notice("audit", written.error());
}

void Steps::write_edit(const Edition& in_force, std::string_view refusal) {
  AuditRecord record;
  record.event = refusal.empty() ? "policy" : "policy_refused";
  record.policy_digest = in_force.digest_sha256;
  record.reason = refusal;
  if (const Status written = write(record, Durable::kNo); !written) notice("audit", written.error());
}

}  // namespace wardenv::engine
