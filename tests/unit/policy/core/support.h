// SPDX-License-Identifier: Apache-2.0
// Helpers of the policy core's tests: load, judge, show.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "policy/core/authorize.h"
#include "policy/core/load.h"
#include "tests/support/catch.h"

namespace wardenv::policy::testing {

inline std::string all_text(const Findings& findings) {
  std::string text;
  for (const Finding& finding : findings) text += to_text(finding, "p") + "\n";
  return text;
}

// The document, which must load.
inline std::shared_ptr<const Document> load(std::string_view text, Format format = Format::kGuess) {
  const Loaded loaded = load_document(text, format);
  INFO(all_text(loaded.findings));
  REQUIRE(loaded.document != nullptr);
  return loaded.document;
}

// The findings of a document, which must not load, as text.
inline std::string refused(std::string_view text, Format format = Format::kGuess) {
  const Loaded loaded = load_document(text, format);
  INFO(std::string(text.substr(0, 2000)));
  REQUIRE(loaded.document == nullptr);
  REQUIRE_FALSE(loaded.findings.empty());
  return all_text(loaded.findings);
}

// Counters by key.
class Used final : public QuotaView {
 public:
  std::map<std::string, std::uint64_t> counters{};
  bool broken = false;
  [[nodiscard]] std::optional<std::uint64_t> used(const std::string& key, std::chrono::milliseconds, LimitMode) const override {
    if (broken) return std::nullopt;
    const auto found = counters.find(key);
    return found == counters.end() ? 0 : found->second;
  }
};

struct Asking {
  std::string grant{};
  std::string session{};
  std::string cwd = "/work";
  std::string workspace = "/work";
  const ResolvePath* resolve = nullptr;
};

inline Decision judge(const Document& document, std::string_view tool, std::string_view arguments = "{}", const Asking& asking = {},
                      const QuotaView& quota = NothingUsed(), Trace trace = Trace::kNo) {
  const auto parsed = parse_arguments(arguments);
  INFO(std::string(arguments));
  REQUIRE(parsed);
  return authorize({tool, *parsed, asking.grant, asking.session, asking.cwd, asking.workspace, asking.resolve}, document, quota, trace);
}

// "allow /tools/x", "deny (hidden)"
inline std::string verdict(const Decision& decision) { return std::string(to_string(decision.effect)) + " " + decision.rule; }
inline std::string verdict(const Document& document, std::string_view tool, std::string_view arguments = "{}", const Asking& asking = {}) {
  return verdict(judge(document, tool, arguments, asking));
}

}  // namespace wardenv::policy::testing
