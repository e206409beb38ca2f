// SPDX-License-Identifier: Apache-2.0
// Any bytes as a policy: JSON is read as nlohmann reads it or refused, what loads judges calls, also as it is kept, what does not says why and where.
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "policy/core/authorize.h"
#include "policy/core/load.h"

using namespace wardenv;

namespace {

void check(bool holds) {
  if (!holds) std::abort();
}

void judge(const policy::Document& document) {
  const nlohmann::json arguments = {{"a", 1}, {"amount", 9007199254740993}, {"command", "pytest"}, {"args", {"-x", "tests"}}, {"p", "x/../y"}};
  const policy::ResolvePath resolve = [](std::string_view path) { return std::optional<std::string>("/work/" + std::string(path)); };
  for (const char* tool : {"t", "run_in_venv", "create_charge"}) {
    const policy::Call call{tool, arguments, "g", "s", "/work", "/work", &resolve};
    const policy::Decision plain = policy::authorize(call, document, policy::NothingUsed());
    const policy::Decision traced = policy::authorize(call, document, policy::NothingUsed(), policy::Trace::kYes);
    check(plain.effect == traced.effect && plain.rule == traced.rule && plain.reason == traced.reason);
    check(plain.effect != policy::Effect::kDeny || plain.quotas.empty());
    check(!policy::is_hidden(document, tool, "g") || plain.effect == policy::Effect::kDeny);
    check(nlohmann::json::accept(policy::decision_to_json(traced)));
  }
}

void load(std::string_view text, policy::Format format) {
  const policy::Loaded loaded = policy::load_document(text, format);
  bool error = false;
  for (const policy::Finding& finding : loaded.findings) {
    error = error || finding.severity == policy::Severity::kError;
    check(finding.line >= 1 && finding.column >= 1);
    check(policy::to_text(finding, "f").find('\n') == std::string::npos);
  }
  check(error == (loaded.document == nullptr));
  if (loaded.document != nullptr) judge(*loaded.document);
}

// Whatever we read as JSON is JSON, and means the same to nlohmann's reader.
void compare_readers(std::string_view text) {
  const auto ours = policy::load_data(text, policy::Format::kJson);
  if (!ours) return;
  const auto theirs = nlohmann::json::parse(text, nullptr, false);
  check(!theirs.is_discarded() && theirs == *ours);
}

std::string decisions(const policy::Document& document) {
  const nlohmann::json arguments = {{"a", 1}, {"amount", 9007199254740993}, {"command", "pytest"}, {"args", {"-x", "tests"}}};
  std::string all;
  for (const char* tool : {"t", "run_in_venv", "create_charge"}) {
    all += policy::decision_to_json(policy::authorize({tool, arguments, "g", "s", "/work", "/work", nullptr}, document, policy::NothingUsed()));
  }
  return all;
}

// What loads is kept as JSON that loads and decides alike; what does not load is not made to load.
void compare_kept(std::string_view text, policy::Format format) {
  const policy::Loaded loaded = policy::load_document(text, format);
  const auto json = policy::as_json(text, format);
  const bool escapes = text.find('\\') != std::string_view::npos;   // yaml-cpp makes bytes of \N and \_ that are not UTF-8: no JSON says them
  check(json || loaded.document == nullptr || escapes);
  if (!json) return;
  const policy::Loaded kept = policy::load_document(*json, policy::Format::kJson);
  check((kept.document == nullptr) == (loaded.document == nullptr));
  check(kept.findings.size() == loaded.findings.size());
  if (kept.document != nullptr) check(decisions(*kept.document) == decisions(*loaded.document));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  load(text, policy::Format::kJson);
  load(text, policy::Format::kYaml);
  compare_readers(text);
  compare_kept(text, policy::Format::kJson);
  compare_kept(text, policy::Format::kYaml);
  if (const auto arguments = policy::parse_arguments(text)) check(arguments->is_object());
  return 0;
}
