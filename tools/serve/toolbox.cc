// SPDX-License-Identifier: Apache-2.0
// The tools that are served.
#include "tools/serve/toolbox.h"

#include "tools/mcp/tools/tools.h"

namespace wardenv::serve {

Result<std::unique_ptr<mcp::Features>> make_features(engine::Engine& engine, std::shared_ptr<engine::Gate> gate, const Options& options, const engine::Config& config) {
  mcp::ToolsOptions tools{.workspaces = options.workspaces, .sets = options.tools, .version = WARDENV_VERSION, .installer = engine::find_installer(), .config_file = config.file};
  tools.installer.index_url = config.index_url;
  if (tools.workspaces.empty()) tools.workspaces.emplace_back(".");
  return mcp::open_tools(tools, engine, *gate);
}

}  // namespace wardenv::serve
