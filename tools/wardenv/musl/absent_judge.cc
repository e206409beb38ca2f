// SPDX-License-Identifier: Apache-2.0
// What of the judge `wardenv` leaves to wardenv-cli: whatever needs a large library. A policy that has any of it is loaded and judged there, from the
// begin: either it can't be loaded here, which says so to run_judged_here(), or who comes by here becomes wardenv-cli.
#include <stdlib.h>

#include <cstdio>

#include "engine/gate/announce.h"
#include "engine/gate/aside.h"
#include "engine/gate/policy_source.h"
#include "engine/gate/profile_text.h"
#include "engine/hooks/hooks.h"
#include "engine/hooks/program.h"
#include "engine/webhook/webhook.h"
#include "policy/approvals/fingerprint.h"
#include "policy/approvals/store.h"
#include "policy/commands/grammar.h"
#include "policy/core/regex.h"
#include "policy/core/text/tree.h"
#include "policy/quota/store.h"
#include "sandbox/base/error.h"
#include "sandbox/seccomp/filter.h"
#include "tools/wardenv/run_here.h"

namespace re2 {
class RE2 {};
}  // namespace re2

namespace wardenv {
namespace {

// Where the launcher was told already the call is denied, as by a store that can't be opened.
tl::unexpected<Error> missing(const char* what) {
  if (cli::may_leave()) cli::leave_to_cli();
  return fail(ErrorCode::kInternal, std::string(what) + ": only wardenv-cli has that");
}

// Where no error can be answered.
[[noreturn]] void leave(const char* what) {
  if (!cli::may_leave()) std::fprintf(stderr, "wardenv: stopped: %s: only wardenv-cli has that\n", what);
  cli::leave_to_cli();
}

}  // namespace

namespace policy {
namespace core {

TextProblems read_yaml(Tree&, const ReadLimits&) { return {{{{1, 1}, "", "this program reads no YAML", false}}, false}; }
MadeRegex make_regex(const std::string&) { return {nullptr, "this program has none"}; }
bool occurs_in(const RE2&, std::string_view) { leave("a pattern"); }

}  // namespace core

Pattern::Pattern(std::string text) : text_(std::move(text)) {}
Pattern::~Pattern() = default;
std::string Pattern::error() const { leave("a pattern"); }
bool Pattern::matches(std::string_view) const { leave("a pattern"); }

std::unique_ptr<QuotaStore> make_memory_quota(std::shared_ptr<const Clock>) { leave("quotas in memory"); }
Result<std::unique_ptr<QuotaStore>> open_redis_quota(const std::string&) { return missing("quotas of Redis"); }

Result<std::unique_ptr<ApprovalStore>> open_sqlite_approvals(const std::string&, std::shared_ptr<const Clock>) { return missing("approvals"); }
Result<std::string> fingerprint_of(const ApprovalCall&) { return missing("approvals"); }

}  // namespace policy

namespace sandbox::seccomp {

Result<std::vector<Instruction>> compile_filter(LimitsBy, std::span<const std::string>) { return missing("system calls"); }

}  // namespace sandbox::seccomp

namespace engine {

std::string hook_program(const std::string&) { leave("hooks"); }
Status hooks::check_program(const std::string&) { return missing("hooks"); }
std::string hook_event_json(const HookEvent&) { leave("hooks"); }
HookAnswer ask(const Hook&, const std::string&, int) { leave("hooks"); }

Result<WebhookTarget> webhook_target(const std::string&, const std::string&) { return missing("webhooks"); }
WebhookSender::~WebhookSender() { abort(); }
std::string profile_json(const policy::Profile&) { leave("approvals"); }
void Announcer::announce(const policy::ApprovalSettings&, const policy::Approval&) { leave("approvals"); }

PolicySource::~PolicySource() = default;   // no thread watches
Status PolicySource::watch(std::function<void()>, std::function<void(std::string_view)>) { return fail(ErrorCode::kInternal, "this program watches no policy"); }

// There is one thread, and what is put aside is done when it is asked for.
struct Aside::Impl {
  std::function<void()> work;
};
Aside::Aside(Worth, std::function<void()> work) : impl_(new Impl{std::move(work)}) {}
Aside::~Aside() = default;
void Aside::finish() {
  if (impl_->work) std::exchange(impl_->work, nullptr)();
}
bool Aside::is_done() const { return !impl_->work; }

}  // namespace engine
}  // namespace wardenv
