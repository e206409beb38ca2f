// SPDX-License-Identifier: Apache-2.0
#include "tools/serve/toolbox.h"

namespace wardenv::serve {
namespace {

class NoTools : public mcp::Features {
 public:
  [[nodiscard]] mcp::ServerInfo info() const override { return {.name = "wardenv", .title = "Wardenv", .version = WARDENV_VERSION}; }
  std::vector<mcp::Tool> list_tools(const mcp::Caller&) override { return {}; }
  mcp::Lane lane_of(std::string_view, const mcp::Caller&) override { return mcp::Lane::kUnknown; }
  mcp::ToolResult call_tool(std::string_view, const nlohmann::json&, mcp::CallContext&) override { return mcp::failed("there are no tools"); }
};

}  // namespace

Result<std::unique_ptr<mcp::Features>> make_features(engine::Engine&, std::shared_ptr<engine::Gate>, const Options&) { return std::make_unique<NoTools>(); }

}  // namespace wardenv::serve
