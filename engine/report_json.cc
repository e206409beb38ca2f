// SPDX-License-Identifier: Apache-2.0
// RunReport as JSON.
#include "engine/report_json.h"

#include <cstring>
#include <nlohmann/json.hpp>

#include "sandbox/base/utf8.h"
#include "sandbox/plan.h"

namespace wardenv::engine {
namespace {

using json = nlohmann::ordered_json;

json stream_text(const CapturedStream& stream, json& document, const char* base64_key) {
  bool changed = false;
  std::string text = to_utf8(stream.text, changed);
  if (changed) document[base64_key] = base64(stream.text);
  return text;
}

json signal_name(const std::optional<int>& signal) {
  if (!signal) return nullptr;
  const char* name = ::sigabbrev_np(*signal);
  return name != nullptr ? "SIG" + std::string(name) : "SIG" + std::to_string(*signal);
}

json error_object(const std::optional<Error>& error) {
  if (!error) return nullptr;
  return {{"code", to_string(error->code)}, {"message", error->message}, {"hint", error->hint}};
}

json violations_array(const std::vector<Violation>& violations) {
  json array = json::array();
  for (const Violation& item : violations) array.push_back({{"kind", item.kind}, {"what", item.what}, {"count", item.count}, {"hint", item.hint}});
  return array;
}

json enforced_object(const sandbox::Enforced& enforced) {
  return {{"namespaces", enforced.namespaces},
          {"seccomp", enforced.seccomp},
          {"landlock_abi", enforced.landlock_abi},
          {"memory", to_string(enforced.memory)},
          {"processes", to_string(enforced.processes)},
          {"cpu", to_string(enforced.cpu)},
          {"degraded", enforced.degraded}};
}

json decision_object(const DecisionSummary& decision) {
  return {{"effect", decision.effect}, {"rule", decision.rule}, {"reason", decision.reason}};
}

json usage_object(const sandbox::Usage& usage) {
  return {{"wall_ms", usage.wall_ms},
          {"cpu_user_ms", usage.cpu_user_ms},
          {"cpu_system_ms", usage.cpu_system_ms},
          {"peak_memory_bytes", usage.peak_memory_bytes},
          {"peak_processes", usage.peak_processes}};
}

}  // namespace

std::string to_utf8(std::string_view bytes, bool& changed) {
  std::string text;
  text.reserve(bytes.size());
  changed = false;
  for (std::size_t i = 0; i < bytes.size();) {
    const std::size_t ascii = i;
    while (i < bytes.size() && static_cast<unsigned char>(bytes[i]) < 0x80) ++i;
    text.append(bytes.substr(ascii, i - ascii));
    if (i == bytes.size()) break;
    const Utf8 next = decode_utf8(bytes, i);
    if (next.length > 0) text.append(bytes.substr(i, next.length));
    else text += "\xef\xbf\xbd";
    changed = changed || next.length == 0;
    i += next.read;
  }
  return text;
}

std::string base64(std::string_view bytes) {
  constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t count = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t group = 0;
    for (std::size_t j = 0; j < 3; ++j) group = group << 8 | (j < count ? static_cast<unsigned char>(bytes[i + j]) : 0U);
    for (std::size_t j = 0; j < 4; ++j) text += j <= count ? kDigits[group >> (18 - 6 * j) & 63] : '=';
  }
  return text;
}

std::string report_to_json(const RunReport& report) {
  json document;
  document["run_id"] = report.run_id;
  document["outcome"] = to_string(report.outcome);
  document["exit_code"] = report.exit_code ? json(*report.exit_code) : json(nullptr);
  document["signal"] = signal_name(report.signal);
  document["stdout"] = stream_text(report.out, document, "stdout_base64");
  document["stderr"] = stream_text(report.err, document, "stderr_base64");
  document["stdout_bytes"] = report.out.bytes;
  document["stderr_bytes"] = report.err.bytes;
  document["stdout_truncated"] = report.out.truncated;
  document["stderr_truncated"] = report.err.truncated;
  document["usage"] = usage_object(report.usage);
  document["violations"] = violations_array(report.violations);
  document["enforced"] = enforced_object(report.enforced);
  document["decision"] = decision_object(report.decision.value_or(DecisionSummary{"allow", "(no policy)", "no policy was given"}));
  if (!report.approval_id.empty()) document["approval_id"] = report.approval_id;
  document["tier"] = "cold";
  document["error"] = error_object(report.error);
  return document.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace wardenv::engine
