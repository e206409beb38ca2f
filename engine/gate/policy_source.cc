// SPDX-License-Identifier: Apache-2.0
// PolicySource: loads the policy.
#include "engine/gate/policy_source.h"

#include <utility>

#include "engine/gate/kept_policy.h"
#include "engine/gate/load_policy.h"
#include "engine/gate/text_file.h"
#include "engine/paths.h"

namespace wardenv::engine {
namespace {

// Of all errors the first is the message; the rest, shortened, the hint.
tl::unexpected<Error> findings_error(policy::Findings findings, const std::string& name) {
  std::erase_if(findings, [](const policy::Finding& finding) { return finding.severity != policy::Severity::kError; });
  if (findings.empty()) return fail(ErrorCode::kInternal, "`" + name + "` was refused without a reason");
  std::string hint;
  for (std::size_t i = 1; i < findings.size() && i < 5; ++i) hint += (hint.empty() ? "" : "; ") + policy::to_text(findings[i], name);
  if (findings.size() > 5) hint += "; and " + std::to_string(findings.size() - 5) + " more";
  hint += (hint.empty() ? "" : "; ") + std::string("`wardenv policy check` shows them all");
  return fail(ErrorCode::kBadInput, policy::to_text(findings.front(), name), hint);
}

// `state_dir`: where policies are kept that were read; empty: nothing is kept.
Result<std::shared_ptr<const Edition>> load(const std::string& text, const std::string& name, const std::string& state_dir) {
  const policy::Format format = policy::format_of(name);
  policy::Loaded loaded = state_dir.empty() ? load_policy(text, format) : load_kept_policy(text, format, state_dir);
  if (loaded.document == nullptr) return findings_error(std::move(loaded.findings), name);
  return std::make_shared<const Edition>(Edition{std::move(loaded.document), std::move(loaded.digest_sha256), ""});
}

}  // namespace

Result<std::shared_ptr<const Edition>> PolicySource::load_file(const std::string& file, const std::string& state_dir) {
  auto text = read_trusted_file(file, policy::kMaxDocumentBytes);
  if (!text) return tl::unexpected(text.error());
  auto edition = load(*text, file, state_dir);
  if (!edition) return edition;
  return std::make_shared<const Edition>(Edition{(*edition)->document, (*edition)->digest_sha256, absolute(file)});
}

PolicySource::PolicySource(std::string file, std::shared_ptr<const Edition> edition) : file_(std::move(file)), edition_(std::move(edition)) {}

Result<std::unique_ptr<PolicySource>> PolicySource::open(const std::string& file, const std::string& text, const std::string& state_dir) {
  auto edition = file.empty() ? load(text, "the built-in policy", "") : load_file(file, state_dir);
  if (!edition) return tl::unexpected(edition.error());
  return std::unique_ptr<PolicySource>(new PolicySource(file.empty() ? "" : absolute(file), std::move(*edition)));
}

std::shared_ptr<const Edition> PolicySource::edition() const {
  const std::lock_guard lock(mutex_);
  return edition_;
}

}  // namespace wardenv::engine
