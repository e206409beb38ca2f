// SPDX-License-Identifier: Apache-2.0
// A policy's file, a state folder and calls, for tests of the gate.
#pragma once

#include <cstdio>
#include <fstream>
#include <memory>
#include <string>

#include "engine/gate/gate.h"
#include "tests/support/files.h"
#include "tests/unit/engine/scratch.h"

namespace wardenv::engine {

inline constexpr const char* kAllow = R"({"version": "1", "default": "allow"})";

inline void write(const std::string& path, const std::string& text) {
  std::ofstream(path + ".new") << text;
  ::rename((path + ".new").c_str(), path.c_str());
}

struct Scene {
  testing::Folder folder;
  std::string state = folder.at("state");
  std::string file = folder.at("policy.json");

  Result<std::shared_ptr<Gate>> open(const std::string& text, Watch watch = Watch::kNo) const {
    write(file, text);
    return Gate::open({.policy_file = file, .state_dir = state, .watch = watch});
  }
  [[nodiscard]] ToolCall call(const std::string& arguments = "{}") const {
    return {.tool = "run_in_venv", .arguments_json = arguments, .cwd = folder.path(), .workspace = folder.path()};
  }
};

inline RunReport ended(bool entered) {
  RunReport report;
  report.outcome = entered ? Outcome::kExited : Outcome::kSetupFailed;
  report.entered = entered;
  report.out.text = "output";
  report.out.bytes = 6;
  return report;
}

}  // namespace wardenv::engine
