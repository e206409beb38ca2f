// SPDX-License-Identifier: Apache-2.0
// The commands below `wardenv policy`, and what they share.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "policy/core/load.h"
#include "sandbox/base/error.h"
#include "tools/wardenv/commands.h"

namespace wardenv::cli {

int policy_check(const Arguments& arguments);
int policy_explain(const Arguments& arguments);
int policy_test(const Arguments& arguments);
int policy_schema(const Arguments& arguments);
int policy_scan(const Arguments& arguments);
int policy_presets(const Arguments& arguments);

// One option of such a command. `value` empty: it takes none.
struct PolicyOption {
  const char* name;
  const char* value;
  const char* help;
};

// What a command takes, for parsing and for its help.
struct PolicyUsage {
  const char* name;                      // "explain"
  const char* arguments;                 // "FILE": shown in the first line of the help
  const char* what;                      // one or two lines
  std::vector<PolicyOption> options;
  const char* examples;
};

struct PolicyArguments {
  std::vector<std::string> files{};
  std::map<std::string, std::string> values{};   // by the option's name; "" where it takes none
  [[nodiscard]] bool has(const std::string& name) const { return values.count(name) > 0; }
  [[nodiscard]] std::string value(const std::string& name, std::string otherwise = {}) const;
};

// Reads the arguments; --help is printed and answers none, as a bad argument does: then `status` is the exit status.
std::optional<PolicyArguments> read_policy_arguments(const PolicyUsage& usage, const Arguments& arguments, int& status);

// The text of a regular file, or of standard input for "-"; at most `most` bytes.
Result<std::string> read_text_file(const std::string& path, std::size_t most);

// Loads a policy and says on stderr why it could not; null then.
std::shared_ptr<const policy::Document> load_policy(const std::string& path);

// Where the relative paths of a call begin: `cwd`; where that is empty the argument `current_working_dir`, itself from `workspace` on; else that.
// None: the argument is no path.
std::optional<std::string> folder_of_call(const std::string& cwd, const nlohmann::json& arguments, const std::string& workspace);

int print(const std::string& text);   // to stdout; kCannot where that fails

}  // namespace wardenv::cli
