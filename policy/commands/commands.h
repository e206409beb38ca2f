// SPDX-License-Identifier: Apache-2.0
// The `commands` of a policy: which commands a call may run, and with which arguments. What is not declared is denied.
#pragma once

#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "policy/finding.h"

namespace wardenv::policy {

struct CommandTable;  // grammar.h

// Compiled, immutable; judged by any number of threads at once.
class CommandSet {
 public:
  explicit CommandSet(std::unique_ptr<const CommandTable> table);
  CommandSet(const CommandSet&) = delete;
  CommandSet& operator=(const CommandSet&) = delete;
  ~CommandSet();
  [[nodiscard]] const CommandTable& table() const { return *table_; }

 private:
  std::unique_ptr<const CommandTable> table_;
};

// Compiles the object that stands at `pointer` of a policy document; policy/commands/README.md has the grammar. Every error is appended to
// `findings`, with its own pointer; nullptr when there was one.
std::shared_ptr<const CommandSet> compile_commands(const nlohmann::json& value, const std::string& pointer, Findings& findings);

// Path tests need the operating system, which a policy does not know: the caller gives them. Answers the absolute path that `path`
// (relative to the call's working folder) leads to, every symbolic link followed; what does not exist yet is appended to what does.
// Nothing where that can't be told: then the argument is denied.
using ResolvePath = std::function<std::optional<std::string>(std::string_view path)>;

struct CommandContext {
  std::string_view workspace{};            // absolute, without symbolic links: what {workspace} stands for; empty: matches nothing
  const ResolvePath* resolve = nullptr;  // not owned; nullptr: every argument that is a path is denied
};

struct Verdict {
  bool allowed = false;
  std::string rule{};    // JSON pointer below the `commands` object of what denied, e.g. "/pytest/flags/-x"; empty where allowed
  std::string reason{};  // one line, no control characters, no path of the host; empty where allowed
};

// `args` are the arguments after the command's name, each as the program will see it. Nothing is allocated for a call that is allowed,
// but by `resolve` and what RE2 keeps for the next match.
Verdict judge_command(const CommandSet& set, std::string_view command, std::span<const std::string_view> args, const CommandContext& context);

}  // namespace wardenv::policy
