// SPDX-License-Identifier: Apache-2.0
// The tools behind the MCP server.
#include "tools/mcp/tools/tools.h"

#include <algorithm>
#include <array>
#include <exception>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>

#include "engine/spec_builder.h"
#include "tools/mcp/tools/results.h"
#include "tools/mcp/tools/service.h"
#include "tools/mcp/tools/table.h"

namespace wardenv::mcp {
namespace {

constexpr std::array<std::string_view, 5> kSets = {"venv", "run", "packages", "files", "jobs"};

constexpr std::string_view kInstructions =
    "Runs Python projects in virtual environments, confined: commands see the workspace, the environment (read-only) and nothing else of the host; packages come from the package "
    "index only. Begin with describe_environment, then init, add_package or sync, run_in_venv. A refusal names its rule, and when to try again.";

Status check_sets(const std::vector<std::string>& sets) {
  std::string known;
  for (const std::string_view set : kSets) known += (known.empty() ? "" : ", ") + std::string(set);
  for (const std::string& set : sets) {
    if (std::find(kSets.begin(), kSets.end(), set) == kSets.end()) return fail(ErrorCode::kBadInput, "there is no set of tools `" + set + "`", "there are: " + known);
  }
  return {};
}

class Tools final : public Features {
 public:
  Tools(const ToolsOptions& options, engine::Workspaces workspaces, engine::Engine& engine, engine::Gate& gate)
      : version_(options.version), service_{engine, gate, std::move(workspaces), options.installer, options.config_file, jobs_}, jobs_(options.jobs) {
    for (const ToolEntry& entry : tool_table()) {
      if (options.sets.empty() || std::find(options.sets.begin(), options.sets.end(), entry.set) != options.sets.end()) entries_.push_back(&entry);
    }
  }

  [[nodiscard]] ServerInfo info() const override {
    return {.name = "wardenv", .title = "Wardenv", .version = version_, .instructions = std::string(kInstructions)};
  }

  void attach(Changes changes) override {
    service_.gate.on_change([this, tools = std::move(changes.tools)] {
      compare_shown();
      if (tools) tools();
    });
  }

  // Under the lock: what is kept as shown is what is answered, whatever edit comes meanwhile.
  std::vector<Tool> list_tools(const Caller& caller) override {
    const std::lock_guard lock(shown_mutex_);
    std::vector<Tool> tools;
    for (const ToolEntry* entry : entries_) {
      if (visible(*entry, caller.grant)) tools.push_back(entry->tool);
    }
    shown_.try_emplace(caller.grant, ShownTools{names_for(caller.grant)});
    return tools;
  }

  // Who was never shown a list is told of every edit.
  bool tools_changed_for(const std::string& grant) override {
    const std::lock_guard lock(shown_mutex_);
    const auto at = shown_.find(grant);
    return at == shown_.end() || at->second.changed;
  }

  bool has_grant(const std::string& grant) override { return grant.empty() || service_.gate.has_grant(grant); }

  Lane lane_of(std::string_view tool, const Caller& caller) override {
    const ToolEntry* entry = find(tool);
    return entry != nullptr && visible(*entry, caller.grant) ? entry->lane : Lane::kUnknown;
  }

  ToolResult call_tool(std::string_view tool, const nlohmann::json& arguments, CallContext& context) override try {
    const ToolEntry* entry = find(tool);
    if (entry == nullptr) return protocol_error(-32602, "unknown tool `" + std::string(tool.substr(0, 128)) + "`");
    Call call(service_, entry->tool.name, arguments, context);
    return entry->call(call);
  } catch (const std::exception& error) {
    return error_result({ErrorCode::kInternal, error.what(), "", 0});
  }

  void note_unknown(std::string_view tool, const nlohmann::json& arguments, const Caller& caller) override {
    constexpr std::size_t kLongestName = 256;
    const bool hidden = find(tool) != nullptr;
    (void)service_.gate.refuse({.tool = std::string(tool.substr(0, kLongestName)), .arguments_json = arguments.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace),
                                .grant = caller.grant, .session = caller.session},
                               hidden ? "(hidden)" : "(unknown tool)", "there is no such tool");
  }

  bool session_has_runs(const Caller& caller) override { return jobs_.has_running(owner_of(caller)); }

  void session_ended(const std::string& session) override {
    jobs_.drop_owners([&](const std::string& owner) { return is_session(owner, session); });
  }

 private:
  [[nodiscard]] const ToolEntry* find(std::string_view name) const {
    const auto entry = std::find_if(entries_.begin(), entries_.end(), [&](const ToolEntry* item) { return item->tool.name == name; });
    return entry == entries_.end() ? nullptr : *entry;
  }

  [[nodiscard]] bool visible(const ToolEntry& entry, const std::string& grant) const {
    return service_.gate.visible(entry.tool.name, grant) && (entry.judged_as.empty() || service_.gate.visible(entry.judged_as, grant));
  }

  [[nodiscard]] std::vector<std::string> names_for(const std::string& grant) const {
    std::vector<std::string> names;
    for (const ToolEntry* entry : entries_) {
      if (visible(*entry, grant)) names.push_back(entry->tool.name);
    }
    return names;
  }

  void compare_shown() {
    const std::lock_guard lock(shown_mutex_);
    for (auto& [grant, shown] : shown_) {
      std::vector<std::string> now = names_for(grant);
      shown.changed = now != shown.names;
      shown.names = std::move(now);
    }
  }

  // What the callers of a grant see, and whether the last edit changed that.
  struct ShownTools {
    std::vector<std::string> names{};
    bool changed = false;
  };

  const std::string version_;
  Service service_;
  engine::Jobs jobs_;   // after what its runs use
  std::vector<const ToolEntry*> entries_;
  std::mutex shown_mutex_;
  std::map<std::string, ShownTools> shown_;   // by grant
};

}  // namespace

std::vector<std::string_view> tool_sets() { return {kSets.begin(), kSets.end()}; }

Result<std::unique_ptr<Features>> open_tools(const ToolsOptions& options, engine::Engine& engine, engine::Gate& gate) {
  WARDENV_TRY(check_sets(options.sets));
  if (!options.installer.index_url.empty()) {
    if (auto rule = engine::index_rule(options.installer.index_url); !rule) return tl::unexpected(rule.error());
  }
  auto workspaces = engine::Workspaces::open(options.workspaces, engine::state_folder());
  if (!workspaces) return tl::unexpected(workspaces.error());
  return std::make_unique<Tools>(options, std::move(*workspaces), engine, gate);
}

}  // namespace wardenv::mcp
