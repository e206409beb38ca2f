// SPDX-License-Identifier: Apache-2.0
// Gate: admits calls, and finishes them.
#include "engine/gate/gate.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <mutex>
#include <nlohmann/json.hpp>
#include <utility>

#include "engine/gate/announce.h"
#include "engine/gate/policy_source.h"
#include "engine/gate/profile.h"
#include "engine/gate/resolve.h"
#include "engine/gate/stores.h"
#include "engine/hooks/hooks.h"
#include "engine/spec_builder.h"
#include "policy/core/authorize.h"

namespace wardenv::engine {

using policy::Decision;
using policy::Effect;

// What finish() gives back or writes down; one for each allowed call.
struct Admission::Pending {
  std::shared_ptr<const Edition> edition;
  ToolCall call;
  std::optional<policy::Receipt> receipt;
  std::optional<policy::Approval> approval;
  std::atomic<bool> finished = false;
};

namespace {

// Counts are read from the store only where a rule asks for one.
class StoreView final : public policy::QuotaView {
 public:
  explicit StoreView(Stores& stores) : stores_(stores) {}
  [[nodiscard]] std::optional<std::uint64_t> used(const std::string& key, std::chrono::milliseconds window, policy::LimitMode mode) const override {
    auto store = stores_.quota();
    if (!store) return std::nullopt;
    auto count = (*store)->used(key, window, mode == policy::LimitMode::kFixed ? policy::WindowMode::kFixed : policy::WindowMode::kSliding);
    return count ? std::optional(*count) : std::nullopt;
  }

 private:
  Stores& stores_;
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

// A bare name is looked up where the system's programs are, never in the caller's PATH. One that is not there stays as it is: it denies.
std::string hook_program(const std::string& name) {
  if (name.find('/') != std::string::npos) return name;
  for (const char* folder : {"/usr/local/bin/", "/usr/bin/", "/bin/"}) {
    if (::access((folder + name).c_str(), X_OK) == 0) return folder + name;
  }
  return name;
}

Hook to_hook(const policy::HookSpec& spec) {
  Hook hook{.name = spec.name, .run = spec.run, .http = spec.http, .timeout = spec.timeout};
  if (!hook.run.empty()) hook.run[0] = hook_program(hook.run[0]);
  return hook;
}

HookEvent event_of(const ToolCall& call, const std::string& run_id, const std::string& profile) {
  return {.event = "before_run", .tool = call.tool, .arguments_json = call.arguments_json, .grant = call.grant, .run_id = run_id, .profile = profile};
}

// The state of one call on its way through admit(). Each step answers whether the call goes on; where it does not, `admission` says why.
struct Judging {
  const ToolCall& call;
  std::shared_ptr<const Edition> edition;
  Admission admission{};
  std::shared_ptr<Admission::Pending> pending{};

  bool no(std::string rule, std::string reason) {
    admission.decision = policy::refuse(admission.decision, std::move(rule), std::move(reason));
    return false;
  }
  // Where the judge itself could not do its work. The reason goes to the caller, who has no business with our folders: the error does not.
  bool broken(const char* what) { return no("(unavailable)", std::string(what) + ", so nothing can be allowed; the operator's log says why"); }
};

std::array<unsigned char, SHA256_DIGEST_LENGTH> sha256(std::string_view text) {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  return digest;
}

}  // namespace

struct Gate::Impl {
  std::unique_ptr<PolicySource> source;
  Stores stores;
  std::mutex callbacks;
  std::function<void()> on_change;
  std::function<void(std::string_view)> on_notice;
  Announcer announcer{[this](std::string_view line) { notice(line); }};   // ends first: it still gives notice

  Impl(std::unique_ptr<PolicySource> policy, std::string state_dir, std::string quota_store)
      : source(std::move(policy)), stores(std::move(state_dir), std::move(quota_store)) {}

  void notice(std::string_view line) {
    const std::lock_guard lock(callbacks);
    if (on_notice) on_notice(line);
  }
  void notice(const char* what, const Error& error) {
    notice(std::string(what) + ": " + error.message + (error.hint.empty() ? "" : " — " + error.hint));
  }
  void changed() {
    std::function<void()> callback;
    {
      const std::lock_guard lock(callbacks);
      callback = on_change;
    }
    if (callback) callback();
  }

  bool judge(Judging& judging) {
    auto arguments = policy::parse_arguments(judging.call.arguments_json);
    if (!arguments) return judging.no("(malformed call)", arguments.error().message);
    const policy::ResolvePath resolve = path_resolver(judging.call.cwd);
    const policy::Call call{.tool = judging.call.tool, .arguments = *arguments, .grant = judging.call.grant, .session = judging.call.session,
                            .cwd = judging.call.cwd, .workspace = judging.call.workspace, .resolve = &resolve};
    judging.admission.decision = policy::authorize(call, *judging.edition->document, StoreView(stores));
    return judging.admission.decision.effect != Effect::kDeny;
  }

  static bool ask_hooks(Judging& judging) {
    const policy::Document& document = *judging.edition->document;
    std::string event;
    for (const policy::HookSpec& spec : document.hooks) {
      if (spec.event != policy::HookEvent::kBeforeRun) continue;
      if (event.empty()) event = hook_event_json(event_of(judging.call, judging.admission.run_id, judging.admission.decision.profile));
      const HookAnswer answer = ask(to_hook(spec), event);
      if (answer.decision == HookDecision::kDeny) return judging.no(spec.pointer, answer.reason);
      if (answer.decision == HookDecision::kRequireApproval) require_approval(judging, spec.pointer, answer.reason);
    }
    return true;
  }

  static void require_approval(Judging& judging, const std::string& rule, const std::string& reason) {
    Decision& decision = judging.admission.decision;
    if (decision.effect == Effect::kRequireApproval) return;
    decision.effect = Effect::kRequireApproval;
    decision.rule = rule;
    decision.reason = reason;
    decision.approval = policy::ApprovalNeed{rule, reason, judging.edition->document->approvals.timeout};
  }

  [[nodiscard]] static policy::ApprovalCall approval_call(const Judging& judging) {
    const Decision& decision = judging.admission.decision;
    return {.tool = judging.call.tool, .arguments_json = judging.call.arguments_json, .grant = judging.call.grant, .cwd = judging.call.cwd,
            .rule = decision.approval->rule, .profile = decision.profile, .policy_digest = judging.edition->digest_sha256};
  }

  // True where nobody needs to agree, or somebody has.
  bool take_approval(Judging& judging) {
    Decision& decision = judging.admission.decision;
    if (decision.effect != Effect::kRequireApproval) return true;
    if (!decision.approval) return judging.no(decision.rule, "the rule asks for an approval without saying which");
    auto store = stores.approvals();
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

  bool await_approval(Judging& judging, policy::ApprovalStore& store, const policy::ApprovalCall& call) {
    Decision& decision = judging.admission.decision;
    const policy::ApprovalTerms terms{decision.approval->timeout, judging.edition->document->approvals.dedupe_window, decision.approval->reason};
    auto asked = store.create_or_find(call, terms);
    if (!asked) return notice("approvals", asked.error()), judging.broken("approvals can't be written");
    const policy::Approval& approval = asked->approval;
    if (approval.state == policy::ApprovalState::kDenied) {
      return judging.no(decision.rule, "a person said no to this call" + (approval.note.empty() ? "" : ": " + approval.note));
    }
    if (asked->is_new) announcer.announce(judging.edition->document->approvals, approval);
    judging.admission.approval_id = approval.id;
    decision.reason += (decision.reason.empty() ? "" : "; ") + std::string("it waits for a person: `wardenv approvals approve ") + approval.id + "`, then make the same call again";
    return false;
  }

  bool reserve(Judging& judging) {
    Admission& admission = judging.admission;
    if (admission.decision.quotas.empty()) return true;
    auto store = stores.quota();
    if (!store) return notice("quotas", store.error()), judging.broken("quotas can't be counted");
    auto reserved = (*store)->reserve(reservations(admission.decision));
    if (!reserved) return notice("quotas", reserved.error()), judging.broken("quotas can't be counted");
    if (reserved->granted) {
      judging.pending->receipt = std::move(reserved->receipt);
      return true;
    }
    if (reserved->free_at) {
      const auto wait = std::chrono::ceil<std::chrono::milliseconds>(*reserved->free_at - std::chrono::system_clock::now());
      admission.retry_after = std::max(wait, std::chrono::milliseconds(1));
    }
    admission.decision = policy::refuse_by_quota(admission.decision, reserved->refused, admission.retry_after);
    return false;
  }

  [[nodiscard]] static AuditRecord record_of(const ToolCall& call, const Edition& edition, const std::string& run_id, const Decision& decision) {
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
    record.reason = decision.reason;
    record.policy_digest = edition.digest_sha256;
    record.profile = decision.profile;
    return record;
  }

  Status write(const AuditRecord& record, Durable durable) {
    auto log = stores.audit();
    if (!log) return tl::unexpected(log.error());
    Status written = (*log)->append(record, durable);
    for (const std::string& line : (*log)->take_notices()) notice(line);
    return written;
  }

  // A refusal stands whether or not it can be written down.
  bool audit_begin(Judging& judging) {
    const AuditRecord record = record_of(judging.call, *judging.edition, judging.admission.run_id, judging.admission.decision);
    const Status written = write(record, Durable::kYes);
    if (written) return true;
    notice("audit", written.error());
    return judging.broken("the audit log can't be written");
  }

  void audit_refusal(const Judging& judging) {
    const AuditRecord record = record_of(judging.call, *judging.edition, judging.admission.run_id, judging.admission.decision);
    if (const Status written = write(record, Durable::kNo); !written) notice("audit", written.error());
  }

  void give_back(Admission::Pending& pending) {
    if (pending.receipt) {
      auto store = stores.quota();
      const Status given = store ? (*store)->give_back(*pending.receipt) : Status(tl::unexpected(store.error()));
      if (!given) notice("quotas", given.error());
    }
    if (!pending.approval) return;
    auto store = stores.approvals();
    const Status given = store ? (*store)->give_back(*pending.approval) : Status(tl::unexpected(store.error()));
    if (!given) notice("approvals", given.error());
  }

  // What the outcome is to be hidden for: the reason of the hook that denied, if one did.
  static std::optional<std::string> ask_after(const Admission::Pending& pending, const Admission& admission, std::string_view outcome) {
    for (const policy::HookSpec& spec : pending.edition->document->hooks) {
      if (spec.event != policy::HookEvent::kAfterRun) continue;
      HookEvent event = event_of(pending.call, admission.run_id, admission.decision.profile);
      event.event = "after_run";
      event.outcome = outcome;
      const HookAnswer answer = ask(to_hook(spec), hook_event_json(event));
      if (answer.decision != HookDecision::kAbstain && answer.decision != HookDecision::kAllow) return answer.reason;
    }
    return std::nullopt;
  }

  void audit_end(const Admission& admission, AuditRecord end) {
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
};

Gate::Gate(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Gate::~Gate() = default;

Result<std::shared_ptr<Gate>> Gate::open(const GateOptions& options) {
  auto source = PolicySource::open(options.policy_file, options.builtin_policy);
  if (!source) return tl::unexpected(source.error());
  auto impl = std::make_unique<Impl>(std::move(*source), options.state_dir.empty() ? state_folder() : options.state_dir, options.quota_store);
  std::shared_ptr<Gate> gate(new Gate(std::move(impl)));
  if (options.watch == Watch::kYes) {
    Impl* own = gate->impl_.get();
    WARDENV_TRY(own->source->watch([own] { own->changed(); }, [own](std::string_view line) { own->notice(line); }));
  }
  return gate;
}

Admission Gate::admit(const ToolCall& call) {
  Judging judging{.call = call, .edition = impl_->source->edition()};
  judging.admission.run_id = call.run_id.empty() ? new_run_id() : call.run_id;
  judging.pending = std::make_shared<Admission::Pending>();
  judging.pending->edition = judging.edition;
  judging.pending->call = call;
  const bool go = impl_->judge(judging) && Impl::ask_hooks(judging) && impl_->take_approval(judging) && impl_->reserve(judging) && impl_->audit_begin(judging);
  if (go) {
    judging.admission.pending = std::move(judging.pending);
  } else {
    impl_->give_back(*judging.pending);
    impl_->audit_refusal(judging);
  }
  return std::move(judging.admission);
}

Admission Gate::preview(const ToolCall& call) const {
  Judging judging{.call = call, .edition = impl_->source->edition()};
  judging.admission.run_id = call.run_id;
  if (!impl_->judge(judging)) return std::move(judging.admission);
  judging.admission.pending = std::make_shared<Admission::Pending>();
  judging.admission.pending->edition = judging.edition;
  judging.admission.pending->call = call;
  judging.admission.pending->finished = true;
  return std::move(judging.admission);
}

bool Gate::is_reviewed(const Admission& admission) {
  if (admission.pending == nullptr) return false;
  const auto& hooks = admission.pending->edition->document->hooks;
  return std::any_of(hooks.begin(), hooks.end(), [](const policy::HookSpec& hook) { return hook.event == policy::HookEvent::kAfterRun; });
}

Status Gate::tighten(const Admission& admission, RunRequest& request, std::span<const std::string> asked) {
  if (admission.pending == nullptr) return fail(ErrorCode::kInternal, "a call that was not allowed has no profile");
  const auto& profiles = admission.pending->edition->document->profiles;
  const auto found = profiles.find(admission.decision.profile);
  if (!admission.decision.profile.empty() && found == profiles.end()) return fail(ErrorCode::kInternal, "the policy's profile `" + admission.decision.profile + "` is missing");
  const policy::Profile none;
  request.run_id = admission.run_id;
  return apply_profile(found == profiles.end() ? none : found->second, admission.pending->call.workspace, asked, request);
}

Status Gate::choose_profile(const Admission& admission, std::string_view name, RunRequest& request, std::vector<std::string>& asked) {
  if (admission.pending == nullptr) return fail(ErrorCode::kInternal, "a call that was not allowed has no profile");
  if (name == admission.decision.profile) return {};
  const auto& profiles = admission.pending->edition->document->profiles;
  const auto found = profiles.find(name);
  if (found == profiles.end()) return fail(ErrorCode::kBadInput, "the policy has no profile `" + std::string(name) + "`");
  return ask_for_profile(found->second, request, asked);
}

void Gate::finish(const Admission& admission, RunReport& report) {
  report.decision = DecisionSummary{std::string(to_string(admission.decision.effect)), admission.decision.rule, admission.decision.reason};
  if (!admission.allowed() || admission.pending->finished.exchange(true)) return;
  Admission::Pending& pending = *admission.pending;
  const std::string outcome(to_string(report.outcome));
  if (!report.entered) impl_->give_back(pending);
  if (auto reason = report.entered ? Impl::ask_after(pending, admission, outcome) : std::nullopt) {
    report.out = {"", report.out.bytes, report.out.bytes > 0};
    report.err = {"wardenv: a hook of the policy withholds the output: " + *reason + "\n", report.err.bytes, true};
  }
  AuditRecord end;
  end.outcome = outcome;
  end.exit_code = report.exit_code;
  end.usage = report.usage;
  for (const EgressConnection& item : report.connections) {
    using Verdict = AuditConnection::Verdict;
    const Verdict verdict = item.verdict == EgressConnection::Verdict::kConnected ? Verdict::kConnected
                            : item.verdict == EgressConnection::Verdict::kFailed  ? Verdict::kFailed
                                                                                  : Verdict::kRefused;
    end.connections.push_back({item.host, item.port, verdict, item.reason, item.count, item.bytes_up, item.bytes_down});
  }
  impl_->audit_end(admission, std::move(end));
}

void Gate::finish(const Admission& admission, std::string_view outcome, Entered entered) {
  if (!admission.allowed() || admission.pending->finished.exchange(true)) return;
  if (entered == Entered::kNo) impl_->give_back(*admission.pending);
  if (entered == Entered::kYes) (void)Impl::ask_after(*admission.pending, admission, outcome);
  AuditRecord end;
  end.outcome = outcome;
  impl_->audit_end(admission, std::move(end));
}

bool Gate::visible(std::string_view tool, std::string_view grant) const {
  return !policy::is_hidden(*impl_->source->edition()->document, tool, grant);
}

// Every grant is compared, so that the time does not tell which one matched.
std::optional<std::string> Gate::grant_of_token(std::string_view bearer) const {
  const auto digest = sha256(bearer);
  const auto edition = impl_->source->edition();
  const std::string* found = nullptr;
  for (const auto& [name, grant] : edition->document->grants) {
    if (!grant.token_sha256) continue;
    if (CRYPTO_memcmp(digest.data(), grant.token_sha256->data(), digest.size()) == 0) found = &name;
  }
  return found != nullptr ? std::optional(*found) : std::nullopt;
}

bool Gate::has_grant_tokens() const {
  const auto edition = impl_->source->edition();
  for (const auto& [name, grant] : edition->document->grants) {
    if (grant.token_sha256) return true;
  }
  return false;
}

bool Gate::has_grant(std::string_view name) const {
  const auto edition = impl_->source->edition();
  return edition->document->grants.find(name) != edition->document->grants.end();
}

void Gate::on_change(std::function<void()> callback) {
  const std::lock_guard lock(impl_->callbacks);
  impl_->on_change = std::move(callback);
}

void Gate::on_notice(std::function<void(std::string_view)> callback) {
  const std::lock_guard lock(impl_->callbacks);
  impl_->on_notice = std::move(callback);
}

RunReport refusal(const Admission& admission) {
  RunReport report;
  report.run_id = admission.run_id;
  const bool waits = admission.decision.effect == Effect::kRequireApproval;
  report.outcome = waits ? Outcome::kApprovalRequired : Outcome::kDenied;
  report.exit_status = waits ? 75 : 77;
  report.decision = DecisionSummary{std::string(to_string(admission.decision.effect)), admission.decision.rule, admission.decision.reason};
  return report;
}

}  // namespace wardenv::engine
