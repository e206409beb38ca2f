// SPDX-License-Identifier: Apache-2.0
// Requests whose plans hold every kind of step between them, for tests that break each step.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/kernel/support.h"

namespace wardenv::testing {

struct PlannedStep {
  std::uint32_t number = 0;   // 1-based
  std::string kind{};         // what it does, who does it and in which part of the plan: "rebind sandbox late read-only"
  bool by_launcher = false;
};

// A writable workspace with protected paths, and what comes of it as a plan on this host.
class WholePlan {
 public:
  enum class Shape {
    kVenv,    // a venv below the workspace, named egress, a clock namespace, a kept view of the system
    kNoVenv,  // none of these
  };
  explicit WholePlan(Shape shape, engine::Ahead ahead = engine::Ahead::kNo);   // of which kind of engine it is the plan
  [[nodiscard]] const char* name() const { return shape_ == Shape::kVenv ? "venv, egress" : "no venv"; }
  [[nodiscard]] const engine::RunRequest& request() const { return request_; }
  [[nodiscard]] engine::RunRequest request_with(std::uint32_t step, wire::Fault fault) const;
  [[nodiscard]] const std::vector<PlannedStep>& steps() const { return steps_; }
  // The last step of each kind; with WARDENV_FAULTS=all every step.
  [[nodiscard]] std::vector<PlannedStep> chosen_steps() const;
  // Whether the command ran: it leaves a file.
  [[nodiscard]] bool ran() const;

 private:
  void plan(engine::Ahead ahead);

  Shape shape_;
  StateFolder state_;   // with a kept view in it from the beginning, or never
  ScratchFolder workspace_;
  engine::RunRequest request_;
  std::vector<PlannedStep> steps_;
};

}  // namespace wardenv::testing
