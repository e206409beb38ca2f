// SPDX-License-Identifier: Apache-2.0
// Gate: admits calls, and finishes them.
#include "engine/gate/gate.h"

#include <signal.h>

#include <algorithm>
#include <array>
#include <mutex>
#include <utility>

#include "engine/audit/crypto.h"
#include "engine/gate/log_words.h"
#include "engine/gate/profile.h"
#include "engine/gate/steps.h"
#include "engine/paths.h"
#include "engine/spec_builder.h"
#include "policy/core/authorize.h"
#include "sandbox/base/standard_fds.h"

namespace wardenv::engine {

using policy::Effect;

namespace {

std::string_view bytes_of(const audit::Digest& digest) { return {reinterpret_cast<const char*>(digest.data()), digest.size()}; }

// The files that decide of calls: the policy, and what its hooks are, which run outside of any sandbox. A program that is missing can't be held
// in its place: named as if it was there, it refuses the run that could put one there.
std::vector<std::string> deciding_files(const Edition& edition, const std::string& workspace) {
  std::vector<std::string> files;
  if (!edition.file.empty()) files.push_back(edition.file);
  for (const policy::HookSpec& hook : edition.document->hooks) {
    for (const std::string& word : hook.run) {
      const bool program = &word == hook.run.data() && is_beneath(absolute(word), workspace);
      if (word.starts_with('/') && (is_regular_file(word) || program)) files.push_back(word);
    }
  }
  return files;
}

bool is_gone(const std::string& file) { return !is_regular_file(file) && !resolve_path(file); }

// Whether a run had to end before it began because a file that decides could not be held in its place.
bool lacked_a_file(const Admission::Pending& pending, const RunReport& report) {
  if (report.entered || report.outcome != Outcome::kSetupFailed) return false;
  const std::vector<std::string> files = deciding_files(*pending.edition, pending.call.workspace);
  return std::any_of(files.begin(), files.end(), is_gone);
}

// The profile of an admission; one that says nothing where it has none.
Result<const policy::Profile*> granted_to(const Admission& admission) {
  static const policy::Profile nothing;
  if (admission.pending == nullptr) return fail(ErrorCode::kInternal, "a call that was not allowed has no profile");
  const std::string& name = admission.decision.profile;
  const auto& profiles = admission.pending->edition->document->profiles;
  const auto found = profiles.find(name);
  if (name.empty()) return &nothing;
  if (found == profiles.end()) return fail(ErrorCode::kInternal, "the policy's profile `" + name + "` is missing");
  return &found->second;
}

bool has_hook(const Admission& admission, policy::HookEvent event) {
  if (admission.pending == nullptr) return false;
  const auto& hooks = admission.pending->edition->document->hooks;
  return std::any_of(hooks.begin(), hooks.end(), [&](const policy::HookSpec& hook) { return hook.event == event; });
}

constexpr int kDeniedStatus = 77;   // of `wardenv run`, as where nothing ran

std::string hook_words(const std::string& reason) { return "a hook withholds the output: " + reason; }

void set_withheld(const Withholding& withheld, AuditRecord& end) {
  end.decision = to_string(Effect::kDeny);
  end.rule = withheld.rule;
  end.reason = hook_words(withheld.reason);
}

}  // namespace

struct Gate::Impl {
  Stores stores;
  std::mutex callbacks;
  std::function<void()> on_change;
  std::function<void(std::string_view)> on_edit;
  std::function<void(std::string_view)> on_notice;
  Steps steps;
  std::unique_ptr<PolicySource> source;   // its thread and that of `steps` give notice to the last: they end first

  Impl(std::string state_dir, std::string quota_store, Syncing syncing)
      : stores(std::move(state_dir), std::move(quota_store)), steps(stores, [this](std::string_view line) { notice(line); }, syncing) {}

  void notice(std::string_view line) {
    std::function<void(std::string_view)> callback;
    {
      const std::lock_guard lock(callbacks);   // not held over it: whoever reads our standard error may be slow
      callback = on_notice;
    }
    if (callback) callback(line);
  }
  void edited() {
    const auto edition = source->edition();
    steps.write_edit(*edition, {});
    std::function<void(std::string_view)> callback;
    {
      const std::lock_guard lock(callbacks);
      callback = on_edit;
    }
    if (callback) callback(edition->digest_sha256);
    changed();
  }
  void edit_refused(std::string_view line) {
    steps.write_edit(*source->edition(), line);
    notice(line);
  }
  void changed() {
    std::function<void()> callback;
    {
      const std::lock_guard lock(callbacks);
      callback = on_change;
    }
    if (callback) callback();
  }
};

Gate::Gate(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Gate::~Gate() = default;

Result<std::shared_ptr<Gate>> Gate::open(const GateOptions& options) {
  if (!hold_standard_fds()) return fail_errno(ErrorCode::kHost, "cannot open /dev/null in the place of a closed standard stream", "make it: mknod -m 666 /dev/null c 1 3");
  const std::string state_dir = options.state_dir.empty() ? state_folder() : options.state_dir;
  const Syncing syncing = options.watch == Watch::kNo ? Syncing::kSideBySide : Syncing::kOneByOne;
  auto impl = std::make_unique<Impl>(state_dir, options.quota_store, syncing);
  // Who watches the file reads it once, and has time.
  auto source = PolicySource::open(options.policy_file, options.builtin_policy, options.watch == Watch::kNo ? state_dir : "");
  if (!source) return tl::unexpected(source.error());
  impl->source = std::move(*source);
  std::shared_ptr<Gate> gate(new Gate(std::move(impl)));
  if (options.watch == Watch::kYes) {
    Impl* own = gate->impl_.get();
    WARDENV_TRY(own->source->watch([own] { own->edited(); }, [own](std::string_view line) { own->edit_refused(line); }));
  }
  return gate;
}

Status Gate::prepare() { return impl_->stores.prepare(); }

Admission Gate::admit(const ToolCall& call, int cancel_fd) {
  Judging judging{.call = call, .edition = impl_->source->edition(), .cancel_fd = cancel_fd};
  judging.admission.run_id = call.run_id.empty() ? new_run_id() : call.run_id;
  judging.pending = std::make_shared<Admission::Pending>();
  judging.pending->edition = judging.edition;
  judging.pending->call = call;
  Steps& steps = impl_->steps;
  if (steps.judge(judging) && Steps::ask_hooks(judging) && steps.take_approval(judging) && steps.reserve(judging) && steps.write_down(judging)) {
    judging.admission.pending = std::move(judging.pending);
  } else {
    steps.undo(judging);
  }
  return std::move(judging.admission);
}

Admission Gate::refuse(const ToolCall& call, std::string rule, std::string reason) {
  Judging judging{.call = call, .edition = impl_->source->edition(), .pending = std::make_shared<Admission::Pending>()};
  judging.admission.run_id = call.run_id.empty() ? new_run_id() : call.run_id;
  judging.no(std::move(rule), std::move(reason));
  impl_->steps.undo(judging);
  return std::move(judging.admission);
}

Admission Gate::preview(const ToolCall& call) const {
  Judging judging{.call = call, .edition = impl_->source->edition()};
  judging.admission.run_id = call.run_id;
  if (!impl_->steps.judge(judging)) return std::move(judging.admission);
  judging.admission.pending = std::make_shared<Admission::Pending>();
  judging.admission.pending->edition = judging.edition;
  judging.admission.pending->call = call;
  judging.admission.pending->finished = true;
  return std::move(judging.admission);
}

bool Gate::takes_time(const Admission& foreseen) {
  return !foreseen.decision.quotas.empty() || has_hook(foreseen, policy::HookEvent::kBeforeRun);
}

bool Gate::has_hooks(const Admission& admission) { return has_hook(admission, policy::HookEvent::kBeforeRun) || is_reviewed(admission); }

bool Gate::is_reviewed(const Admission& admission) { return has_hook(admission, policy::HookEvent::kAfterRun); }

Status Gate::tighten(const Admission& admission, RunRequest& request, std::span<const std::string> asked) {
  const auto granted = granted_to(admission);
  if (!granted) return tl::unexpected(granted.error());
  request.run_id = admission.run_id;
  const Admission::Pending& pending = *admission.pending;
  for (std::string& file : deciding_files(*pending.edition, pending.call.workspace)) request.read_only_files.push_back(std::move(file));
  return apply_profile(**granted, pending.call.workspace, asked, request);
}

Status Gate::choose_profile(const Admission& admission, std::string_view name, RunRequest& request, std::vector<std::string>& asked) {
  const auto granted = granted_to(admission);
  if (!granted) return tl::unexpected(granted.error());
  if (name == admission.decision.profile) return {};
  const auto& profiles = admission.pending->edition->document->profiles;
  const auto found = profiles.find(name);
  if (found == profiles.end()) return fail(ErrorCode::kBadInput, "the policy has no profile `" + std::string(name) + "`");
  const std::size_t own = asked.size();
  WARDENV_TRY(ask_for_profile(found->second, request, asked));
  return check_chosen(**granted, admission.pending->call.workspace, {std::span<const std::string>(asked).subspan(own), found->first}, request);
}

Gate::Withheld Gate::finish(const Admission& admission, RunReport& report) {
  // One report may be of several calls: a no stays.
  const bool denied = report.decision && report.decision->effect == to_string(Effect::kDeny);
  if (!denied) report.decision = DecisionSummary{std::string(to_string(admission.decision.effect)), admission.decision.rule, admission.decision.reason};
  if (!admission.allowed() || admission.pending->finished.exchange(true)) return {};
  Admission::Pending& pending = *admission.pending;
  const std::string outcome(to_string(report.outcome));
  if (report.error && lacked_a_file(pending, report)) report.decision = DecisionSummary{"deny", "(unavailable)", report.error->message};
  if (!report.entered) impl_->steps.give_back(pending);
  Withheld withheld = report.entered ? Steps::ask_after(admission, outcome) : std::nullopt;
  if (withheld) {
    report.out = {"", report.out.bytes, report.out.bytes > 0};
    report.err = {"wardenv: a hook of the policy withholds the output: " + withheld->reason + "\n", report.err.bytes, true};
    report.decision = DecisionSummary{std::string(to_string(Effect::kDeny)), withheld->rule, hook_words(withheld->reason)};
    report.exit_status = kDeniedStatus;
  }
  AuditRecord end;
  end.outcome = outcome;
  if (withheld) set_withheld(*withheld, end);
  else if (report.error) end.reason = words_for_log(*report.error, pending.call, pending.edition->document->plain_arguments);
  end.exit_code = report.exit_code;
  end.usage = report.usage;
  for (const EgressConnection& item : report.connections) {
    using Verdict = AuditConnection::Verdict;
    const Verdict verdict = item.verdict == EgressConnection::Verdict::kConnected ? Verdict::kConnected
                            : item.verdict == EgressConnection::Verdict::kFailed  ? Verdict::kFailed
                                                                                  : Verdict::kRefused;
    end.connections.push_back({item.host, item.port, verdict, item.reason, item.count, item.bytes_up, item.bytes_down});
  }
  impl_->steps.write_end(admission, std::move(end));
  return withheld;
}

Gate::Withheld Gate::finish(const Admission& admission, std::string_view outcome, Entered entered) {
  if (!admission.allowed() || admission.pending->finished.exchange(true)) return {};
  if (entered == Entered::kNo) impl_->steps.give_back(*admission.pending);
  Withheld withheld = entered == Entered::kYes ? Steps::ask_after(admission, outcome) : std::nullopt;
  AuditRecord end;
  end.outcome = outcome;
  if (withheld) set_withheld(*withheld, end);
  impl_->steps.write_end(admission, std::move(end));
  return withheld;
}

bool Gate::decides(const std::string& path, const std::string& workspace) const {
  const std::vector<std::string> files = deciding_files(*impl_->source->edition(), workspace);
  return std::any_of(files.begin(), files.end(), [&](const std::string& file) { return lead_to_same(path, file); });
}

bool Gate::visible(std::string_view tool, std::string_view grant) const {
  return !policy::is_hidden(*impl_->source->edition()->document, tool, grant);
}

// Every grant is compared, so that the time does not tell which one matched.
std::optional<std::string> Gate::grant_of_token(std::string_view bearer) const {
  const audit::Digest digest = audit::Sha256::of(bearer);
  const auto edition = impl_->source->edition();
  const std::string* found = nullptr;
  for (const auto& [name, grant] : edition->document->grants) {
    if (!grant.token_sha256) continue;
    if (audit::same(bytes_of(digest), bytes_of(*grant.token_sha256))) found = &name;
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

std::vector<std::string> Gate::grants() const {
  const auto edition = impl_->source->edition();
  std::vector<std::string> names;
  for (const auto& [name, grant] : edition->document->grants) names.push_back(name);
  return names;
}

void Gate::on_change(std::function<void()> callback) {
  const std::lock_guard lock(impl_->callbacks);
  impl_->on_change = std::move(callback);
}

void Gate::on_edit(std::function<void(std::string_view)> callback) {
  const std::lock_guard lock(impl_->callbacks);
  impl_->on_edit = std::move(callback);
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
  report.exit_status = waits ? 75 : kDeniedStatus;
  report.approval_id = admission.approval_id;
  if (admission.cancelled) {
    report.outcome = Outcome::kCancelled;
    report.signal = SIGKILL;
    report.exit_status = 128 + SIGKILL;
  }
  report.decision = DecisionSummary{std::string(to_string(admission.decision.effect)), admission.decision.rule, admission.decision.reason};
  return report;
}

}  // namespace wardenv::engine
