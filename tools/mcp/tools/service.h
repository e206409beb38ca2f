// SPDX-License-Identifier: Apache-2.0
// What the tools share: who may do what, where, and through what. One Call is one call of a tool on its way.
#pragma once

#include <atomic>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/engine.h"
#include "engine/gate/gate.h"
#include "engine/project/jobs.h"
#include "engine/project/project.h"
#include "engine/project/workspaces.h"
#include "tools/mcp/handler.h"
#include "tools/mcp/tools/arguments.h"
#include "tools/mcp/tools/progress.h"

namespace wardenv::mcp {

struct Service {
  engine::Engine& engine;
  engine::Gate& gate;
  engine::Workspaces workspaces;
  engine::InstallerSettings installer;
  std::string config_file;       // see ToolsOptions
  engine::Jobs& jobs;
  std::atomic<int> waiting{0};   // calls that wait for news of a run

  // Whether a place is that of what decides what is allowed: no tool may write that.
  [[nodiscard]] bool decides(const engine::Place& place) const;
};

// What a background run of a caller is filed under.
std::string owner_of(const Caller& caller);
bool is_session(std::string_view owner, std::string_view session);

// A call that was admitted. Whoever holds it tells the gate of its end, once.
struct Admitted {
  std::vector<engine::Admission> admissions{};   // more than one where a tool is judged as another one too
  engine::RunRequest request;                    // what the policy grants; argv and folders are to be filled in

  // Whether a hook may withhold the output: then nothing of it is shown before finish().
  [[nodiscard]] Shown shown() const;
  // Answers what a hook said that withholds what came of the call.
  engine::Gate::Withheld finish(engine::Gate& gate, engine::RunReport& report) const;
  [[nodiscard]] engine::Gate::Withheld finish(engine::Gate& gate, std::string_view outcome, engine::Entered entered) const;
  // The end of a call that did nothing.
  void drop(engine::Gate& gate, std::string_view outcome) const { (void)finish(gate, outcome, engine::Entered::kNo); }
};

class Call {
 public:
  Call(Service& service, std::string_view tool, const nlohmann::json& arguments, CallContext& context)
      : service_(service), tool_(tool), json_(arguments), arguments_(arguments), context_(context) {}

  [[nodiscard]] Service& service() const { return service_; }
  [[nodiscard]] std::string_view tool() const { return tool_; }
  [[nodiscard]] CallContext& context() const { return context_; }
  Arguments& arguments() { return arguments_; }

  // `current_working_dir` as a place; where it is optional and absent, the first workspace. Notes a problem where it is none.
  engine::Place folder(bool required);

  // What the document alone grants to the call, nothing counted: for what has to be looked up before it is judged. As asked where it grants nothing.
  [[nodiscard]] engine::RunRequest foresee(const engine::Place& folder, engine::RunRequest request, const std::vector<std::string>& asked) const;

  // Judges the call, after all its arguments were read. None: it may not go on, and refusal() is the answer: what is wrong with the
  // arguments, or what the policy says. `asked`: options that `request` has from the caller (engine/gate/gate.h).
  std::optional<Admitted> admit(const engine::Place& folder, engine::RunRequest request = {}, const std::vector<std::string>& asked = {});
  // Judged as a call of `also` too, with the same arguments: a run in the background is a run.
  void judge_also_as(std::string_view also) { also_ = also; }
  // What the call will work with, part of what a person approves. Before admit().
  void will_use(const std::string& venv, const engine::ResolvedCommand* command = nullptr);
  [[nodiscard]] engine::JudgedPlaces judged(const engine::Place& folder) const { return {folder.workspace, folder.path(), venv_}; }
  ToolResult refusal() { return std::move(refusal_); }

 private:
  [[nodiscard]] engine::ToolCall as_call_of(std::string_view tool, const engine::Place& folder) const;
  AskState ask_for_approval(const engine::Admission& admission);
  bool judge(std::string_view tool, const engine::Place& folder, Admitted& admitted);
  static Status grant(Admitted& admitted, const std::vector<std::string>& asked);

  Service& service_;
  std::string_view tool_;
  std::string_view also_;
  std::string venv_{};
  std::optional<sandbox::Program> program_{};
  const nlohmann::json& json_;
  Arguments arguments_;
  CallContext& context_;
  ToolResult refusal_;
};

}  // namespace wardenv::mcp
