// SPDX-License-Identifier: Apache-2.0
// wardenv policy presets: the argument allowlists that ship with the product.
#include <nlohmann/json.hpp>

#include "policy/commands/presets.h"
#include "tools/wardenv/policy_commands.h"

namespace wardenv::cli {
namespace {

const PolicyUsage kPresets = {"presets",
                              "[NAME]",
                              "Lists the argument allowlists that a policy can name with \"preset\"; with NAME, prints the grammar of that one, to copy or to read.",
                              {{"--json", "", "one JSON object on standard output"}},
                              "  wardenv policy presets\n  wardenv policy presets pytest\n"};

std::string list_text() {
  std::string text;
  for (const policy::Preset& preset : policy::presets()) {
    std::string left(preset.name);
    left.resize(16, ' ');
    text += left + std::string(preset.summary) + "\n" + std::string(16, ' ') + "allows: " + std::string(preset.allows) + "\n";
  }
  return text;
}

std::string list_json() {
  nlohmann::ordered_json presets = nlohmann::ordered_json::array();
  for (const policy::Preset& preset : policy::presets()) {
    presets.push_back({{"name", preset.name}, {"summary", preset.summary}, {"allows", preset.allows}});
  }
  return nlohmann::ordered_json{{"presets", presets}}.dump(2) + "\n";
}

}  // namespace

int policy_presets(const Arguments& arguments) {
  int status = 0;
  const auto read = read_policy_arguments(kPresets, arguments, status);
  if (!read) return status;
  if (read->files.size() > 1) return complain({ErrorCode::kBadInput, "one preset at a time", "wardenv policy presets pytest", 0});
  if (read->files.empty()) return print(read->has("--json") ? list_json() : list_text());
  const policy::Preset* preset = policy::find_preset(read->files[0]);
  if (preset == nullptr) return complain({ErrorCode::kBadInput, "there is no preset `" + read->files[0] + "`", "`wardenv policy presets` lists them", 0});
  return print(nlohmann::ordered_json::parse(preset->grammar, nullptr, false).dump(2) + "\n");
}

}  // namespace wardenv::cli
