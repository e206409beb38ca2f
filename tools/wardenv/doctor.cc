// SPDX-License-Identifier: Apache-2.0
// wardenv doctor
#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "tools/options/text.h"
#include "tools/wardenv/commands.h"
#include "tools/wardenv/doctor_checks.h"

namespace wardenv::cli {
namespace {

const char* name_of(CheckStatus status) {
  switch (status) {
    case CheckStatus::kOk: return "ok";
    case CheckStatus::kMissing: return "missing";
    case CheckStatus::kDegraded: return "degraded";
    case CheckStatus::kNotTried: return "not tried";
  }
  return "missing";
}

void print_table(const std::vector<CheckResult>& results, bool good) {
  for (const CheckResult& result : results) {
    std::printf("%-9s %-18s %s\n", name_of(result.status), result.name.c_str(), tools::one_line(result.detail).c_str());
    std::string fix = tools::visible(result.fix);
    for (std::size_t at = 0; (at = fix.find('\n', at)) != std::string::npos; at += 13) fix.replace(at, 1, "\n            ");
    if (!fix.empty()) std::printf("          to mend it:\n            %s\n", fix.c_str());
  }
  std::puts(good ? "\nThe default profile can be enforced in full." : "\nThe default profile can NOT be enforced here: `wardenv run` refuses.");
}

void print_json(const std::vector<CheckResult>& results, bool good) {
  nlohmann::ordered_json checks = nlohmann::ordered_json::array();
  for (const CheckResult& result : results) {
    checks.push_back({{"name", result.name}, {"status", name_of(result.status)}, {"detail", result.detail}, {"fix", result.fix}});
  }
  const nlohmann::ordered_json document{{"ok", good}, {"checks", checks}};
  std::puts(document.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace).c_str());
}

}  // namespace

int doctor_command(const Arguments& arguments) {
  const bool json = !arguments.empty() && arguments[0] == "--json";
  if (!arguments.empty() && arguments[0] == "--help") {
    return say("Usage: wardenv doctor [--json]\n\nUses each wall once, says what works and how to mend what does not. Exit status 0 only where the\n"
                     "default profile can be enforced in full, 1 otherwise.");
  }
  if (arguments.size() > (json ? 1U : 0U)) return complain({ErrorCode::kBadInput, "doctor takes no argument but --json", "", 0});
  const std::vector<CheckResult> results = run_checks();
  const bool good = std::none_of(results.begin(), results.end(), [](const CheckResult& r) { return r.status == CheckStatus::kMissing; });
  json ? print_json(results, good) : print_table(results, good);
  return written(good ? 0 : 1);
}

}  // namespace wardenv::cli
