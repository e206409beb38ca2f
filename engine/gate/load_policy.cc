// SPDX-License-Identifier: Apache-2.0
// Loading a policy as `run` and `serve` do.
#include "engine/gate/load_policy.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <utility>

#include "engine/gate/profile.h"
#include "engine/hooks/hooks.h"
#include "engine/hooks/program.h"
#include "engine/webhook/webhook.h"
#include "policy/core/cursor.h"

namespace wardenv::engine {
namespace {

using policy::Findings;
using policy::Severity;

void add(Findings& findings, std::string pointer, std::string message, Severity severity) {
  findings.push_back({.pointer = std::move(pointer), .message = std::move(message), .severity = severity});
}

void warn(Findings& findings, const std::string& pointer, const std::string& message) { add(findings, pointer, message, Severity::kWarning); }

bool is_there(const std::string& path, int mode) { return ::access(path.c_str(), mode) == 0; }

// A hook that can't be started denies each call that gets as far as it.
void look_for_hooks(const policy::Document& document, Findings& findings) {
  for (const policy::HookSpec& hook : document.hooks) {
    if (hook.run.empty()) continue;
    const std::string program = hook_program(hook.run[0]);
    const bool found = program.starts_with('/') && is_there(program, X_OK);
    const char* effect = hook.event == policy::HookEvent::kBeforeRun ? "every call that it is asked about is denied" : "the output of every run is withheld";
    const Status usable = found ? hooks::check_program(program) : Status();
    if (!usable) warn(findings, hook.pointer + "/run/0", usable.error().message + ": " + effect);
    if (!found) warn(findings, hook.pointer + "/run/0", "there is no program `" + hook.run[0] + "` here that we may start: " + effect);
  }
}

void look_for_secrets(const policy::Profile& profile, const std::string& pointer, Findings& findings) {
  for (std::size_t i = 0; i < profile.headers.size(); ++i) {
    const policy::ProfileHeader& header = profile.headers[i];
    const std::string place = pointer + "/headers/" + std::to_string(i);
    if (!header.variable.empty() && std::getenv(header.variable.c_str()) == nullptr) {
      warn(findings, place + "/variable", "the variable `" + header.variable + "` is not set here: every run under this profile is refused");
    }
    if (!header.file.empty() && !is_there(header.file, R_OK)) warn(findings, place + "/file", "can't be read here: every run under this profile is refused");
  }
}

void look_for_files(const policy::Profile& profile, const std::string& pointer, Findings& findings) {
  if (!profile.ca_file.empty() && !is_there(profile.ca_file, R_OK)) warn(findings, pointer + "/ca_file", "can't be read here: every run under this profile is refused");
  for (std::size_t i = 0; i < profile.mounts.size(); ++i) {
    const std::string& source = profile.mounts[i].source;
    if (source.starts_with('/') && !is_there(source, F_OK)) {
      warn(findings, pointer + "/mounts/" + std::to_string(i) + "/source", "is not there: every run under this profile is refused");
    }
  }
}

void check_profiles(const policy::Document& document, Findings& findings) {
  for (const auto& [name, profile] : document.profiles) {
    const std::string pointer = "/profiles/" + policy::core::pointer_token(name);
    check_profile(profile, pointer, findings);
    look_for_secrets(profile, pointer, findings);
    look_for_files(profile, pointer, findings);
  }
}

// A notice that nobody can sign would reach nobody: then the policy does not do what it says.
void check_webhook(const policy::ApprovalSettings& approvals, Findings& findings) {
  if (approvals.webhook_url.empty()) return;
  const auto target = webhook_target(approvals.webhook_url, approvals.webhook_secret_env);
  if (!target) add(findings, approvals.webhook_pointer, target.error().message, Severity::kError);
}

bool is_error(const policy::Finding& finding) { return finding.severity == Severity::kError; }

}  // namespace

policy::Loaded load_policy(std::string_view text, policy::Format format, std::string digest) {
  policy::Loaded loaded = policy::load_document(text, format, std::move(digest));
  if (loaded.document == nullptr) return loaded;
  Findings findings;
  check_profiles(*loaded.document, findings);
  check_webhook(loaded.document->approvals, findings);
  look_for_hooks(*loaded.document, findings);
  if (findings.empty()) return loaded;
  if (std::any_of(findings.begin(), findings.end(), is_error)) loaded.document = nullptr;
  policy::place_findings(text, format, findings);
  loaded.findings.insert(loaded.findings.end(), findings.begin(), findings.end());
  policy::core::sort_by_place(loaded.findings);
  return loaded;
}

}  // namespace wardenv::engine
