// SPDX-License-Identifier: Apache-2.0
// Gate: the one place that wires policy to sandbox. A call is admitted (judged, hooks asked, approval taken, quotas reserved, written to the
// audit log) before anything of it happens, and finished when it is over.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/engine.h"
#include "policy/core/decision.h"
#include "sandbox/base/error.h"

namespace wardenv::engine {

// Whether an edit of the policy file takes effect while the gate is open.
enum class Watch { kNo, kYes };

struct GateOptions {
  std::string policy_file{};     // empty: `builtin_policy`
  std::string builtin_policy{};  // the text of a policy
  std::string state_dir{};       // empty: engine's state_folder(); quotas, approvals and the audit log live there
  std::string quota_store{};     // empty: SQLite in state_dir; "memory"; or a URL of Redis (policy/quota/store.h)
  Watch watch = Watch::kNo;
};

// One call of a tool, as data.
struct ToolCall {
  std::string tool{};
  std::string arguments_json{};   // one JSON object
  std::string grant{};            // one of the policy's; empty: nobody in particular, for a policy without grants
  std::string session{};
  std::string cwd{};              // absolute; where paths in the arguments start
  std::string workspace{};        // absolute, without symbolic links: what {workspace} stands for
  std::string run_id{};           // empty: a new one
  std::string venv{};             // absolute, without symbolic links; empty: none
  std::optional<sandbox::Program> program{};   // the file that the command was looked up to
  std::vector<std::string> profile_of{};   // where it is judged as several tools: all of them; it runs under the profile of the first that has one
  std::string unaskable{};        // why nobody can be asked to agree to it; empty: a person can
  std::string unjudgeable{};      // why no rule can be asked about it, and so it is denied; empty: they can
};

// What came of judging a call. Only with Effect::kAllow may anything happen. Copies share what finish() gives back, once.
struct Admission {
  policy::Decision decision;
  std::string run_id{};
  std::string approval_id{};                             // with kRequireApproval: what a person approves
  std::optional<std::chrono::milliseconds> retry_after;  // where a quota refused and will be free again
  bool cancelled = false;                                // the caller did not wait for a hook: a denial with the rule "(cancelled)"
  struct Pending;
  std::shared_ptr<Pending> pending{};                    // null where nothing was allowed

  [[nodiscard]] bool allowed() const { return decision.effect == policy::Effect::kAllow && pending != nullptr; }
};

// A hook that denied after the run: its JSON pointer, and what it said.
struct Withholding {
  std::string rule{};
  std::string reason{};
};

// How a call ended that made no run.
enum class Entered { kNo, kYes };   // kNo: nothing happened, the quotas are given back

class Gate {
 public:
  // Errors: a policy that can't be read or is wrong (the first finding; all of them in the hint).
  static Result<std::shared_ptr<Gate>> open(const GateOptions& options);
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;
  ~Gate();

  // Makes the state folder where it is missing. Error kHost: it can't be used. For whoever would rather not begin than deny every call.
  Status prepare();

  // Judges in the order of policy.md. Thread-safe; never fails: what can't be judged, counted or written down is a denial that says so.
  // Once `cancel_fd` (-1: none; not owned) is readable no hook is waited for any more: what it would have said is taken for a no. Other waits go on.
  Admission admit(const ToolCall& call, int cancel_fd = -1);

  // A call that was refused before it could be judged: written down as any other denial.
  Admission refuse(const ToolCall& call, std::string rule, std::string reason);

  // What the document alone says (admit() can only be stricter, or need what a person has to approve): no hook is asked, nothing is counted, approved or written down. For a look at what would be done;
  // finish() does nothing with it.
  [[nodiscard]] Admission preview(const ToolCall& call) const;

  // Whether admit() has more to do than to write the call down: to ask hooks, or to count. REQUIRES: of preview().
  [[nodiscard]] static bool takes_time(const Admission& foreseen);

  // Whether hooks are asked before or after it. REQUIRES: as takes_time().
  [[nodiscard]] static bool has_hooks(const Admission& admission);

  // Whether hooks see the outcome first: then no output may be shown before finish() has returned.
  [[nodiscard]] static bool is_reviewed(const Admission& admission);

  // What the profile of the admission grants, put into a request, with the policy's file and its hooks' as files that stay read-only. `asked` names the options of `wardenv run` (without dashes) that the
  // caller set itself: they may only be tighter than the grant. What was not asked is as the profile says, else the default.
  // Error kBadInput names the first option that asks for more. REQUIRES: admission.allowed(), or of preview().
  static Status tighten(const Admission& admission, RunRequest& request, std::span<const std::string> asked = {});

  // The same with a profile of the policy that the caller chose by name: it can only be tighter than the grant, too.
  static Status choose_profile(const Admission& admission, std::string_view name, RunRequest& request, std::vector<std::string>& asked);

  // The end of an allowed call: hooks, audit, and the quotas back if no sandbox was entered. Sets the report's decision; where a hook denies, that
  // becomes a denial, the exit status 77, and the output is taken out. Once for each admission; later calls do nothing. Answers what the hook said
  // where one denied: then the caller may be shown no output of the call. (How it ended and what it used the report says.)
  using Withheld = std::optional<Withholding>;
  Withheld finish(const Admission& admission, RunReport& report);
  [[nodiscard]] Withheld finish(const Admission& admission, std::string_view outcome, Entered entered);

  // Whether a path of that workspace leads to the policy itself, to a program of its hooks, or to a file that one is called with: no tool may
  // write those.
  [[nodiscard]] bool decides(const std::string& path, const std::string& workspace) const;

  [[nodiscard]] bool visible(std::string_view tool, std::string_view grant) const;
  // The grant whose token this is. Takes the same time whichever it is (hashes are compared in constant time).
  [[nodiscard]] std::optional<std::string> grant_of_token(std::string_view bearer) const;
  [[nodiscard]] bool has_grant_tokens() const;
  [[nodiscard]] bool has_grant(std::string_view name) const;
  [[nodiscard]] std::vector<std::string> grants() const;   // their names: where there are any, each call must name one

  // Called after an edit of the policy took effect, from a thread of the gate: `on_edit`, for the operator's log, with the digest of what is in
  // force from then on. `on_notice` gets one line for what an operator should mend or know: an edit that was refused, a healed log. All replace
  // what was set before.
  void on_change(std::function<void()> callback);
  void on_edit(std::function<void(std::string_view digest)> callback);
  void on_notice(std::function<void(std::string_view line)> callback);

 private:
  struct Impl;
  explicit Gate(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// The report of a call that was not allowed: outcome denied (exit status 77), approval_required (75), or cancelled (as a run that was never entered).
RunReport refusal(const Admission& admission);

}  // namespace wardenv::engine
