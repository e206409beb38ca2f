// SPDX-License-Identifier: Apache-2.0
// Hooks: programs and HTTP servers that are asked about a call besides the policy. They can only tighten.
#pragma once

#include <chrono>
#include <string>
#include <vector>

namespace wardenv::engine {

// One external judge; exactly one of `run` and `http` is set.
struct Hook {
  std::string name{};
  std::vector<std::string> run{};          // argv; run[0] is an absolute path. Clean environment, folder "/", only stdin and stdout
  std::string http{};                      // "http://host[:port]/path", asked as Open Policy Agent's data API is
  std::chrono::milliseconds timeout{5000}; // for everything, from connecting or starting to the last byte of the answer
};

struct HookEvent {
  std::string event{};           // before_run | after_run
  std::string tool{};
  std::string arguments_json{};  // a JSON object
  std::string grant{};
  std::string run_id{};
  std::string profile{};
  std::string outcome{};         // after_run only, else left out
};

// The JSON that hooks read: {event, tool, arguments, grant, run_id, profile[, outcome]}. Empty, which every hook denies, where the arguments are
// no JSON object or nested too deep.
std::string hook_event_json(const HookEvent& event);

enum class HookDecision { kAbstain, kAllow, kRequireApproval, kDeny };  // in order of strictness

struct HookAnswer {
  HookDecision decision = HookDecision::kDeny;
  std::string reason{};   // one line, control characters replaced, at most 1 KiB; where the hook failed: what it did, never what was in its answer
  std::string hook{};     // its name
  bool cancelled = false; // with kDeny: nobody waited for what it would have said
  bool operator==(const HookAnswer&) const = default;
};

// Asks one hook and waits for its answer, at most its timeout. No answer, a bad one (not JSON, unknown decision, duplicate keys, too long), a
// failing exit status or a time-out is kDeny; so is, at once, a `cancel_fd` that becomes readable before the whole answer is there. A program is killed
// with its process group before this returns, a connection closed. Thread-safe.
HookAnswer ask(const Hook& hook, const std::string& event_json, int cancel_fd = -1);

// A bare name is looked up where the system's programs are, never in the caller's PATH. One that is not there stays as it is: it denies.
std::string hook_program(const std::string& name);

}  // namespace wardenv::engine
