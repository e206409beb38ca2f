// SPDX-License-Identifier: Apache-2.0
// MCP messages, one a line, as over stdio: whatever comes, each answer is one line of strict JSON, and the server goes on.
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>

#include "tools/mcp/line_io.h"
#include "tools/mcp/server.h"
#include "tools/mcp/strict_json.h"

using namespace wardenv::mcp;

namespace {

class OneTool : public Features {
 public:
  [[nodiscard]] ServerInfo info() const override { return {.name = "fuzz", .version = "1"}; }
  [[nodiscard]] Offers offers() const override { return {.resources = true, .prompts = true, .completions = true}; }
  std::vector<Tool> list_tools(const Caller&) override { return {{.name = "echo", .input_schema = R"({"type":"object"})"}}; }
  Lane lane_of(std::string_view tool, const Caller&) override { return tool == "echo" ? Lane::kInline : Lane::kUnknown; }
  ToolResult call_tool(std::string_view, const nlohmann::json& arguments, CallContext& context) override {
    context.progress(1, 2, "half");
    context.log(LogLevel::kError, "fuzz", "\"text\"");
    if (context.caller().era == Era::kModern && arguments.contains("ask")) {
      const InputRequest question{"q", "elicitation/create", R"({"message":"?","requestedSchema":{"type":"object","properties":{}}})"};
      if (context.ask(std::span(&question, 1), "state").state == AskState::kPending) return input_required();
    }
    return structured_result(to_text(arguments));
  }
};

class Checking : public Sink {
 public:
  bool send(std::string message) override { return check(message), true; }
  void finish(std::string message, int) override { check(message); }
  void abandon() override {}

 private:
  static void check(const std::string& message) {
    nlohmann::json parsed;
    if (message.find('\n') != std::string::npos || parse_strict(message, parsed, 128) || parsed.value("jsonrpc", "") != "2.0") std::abort();
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static OneTool features;
  static Server server(features, {});
  auto channel = std::make_shared<Channel>("fuzz", "");
  LineReader reader(1U << 16);
  const std::string bytes = std::string(reinterpret_cast<const char*>(data), size) + "\n";
  reader.add(bytes, [&](LineReader::Line line, std::string_view text) {
    if (line == LineReader::Line::kWhole) server.handle({.text = text, .channel = channel, .sink = std::make_shared<Checking>()});
  });
  channel->cancel_all();   // subscriptions
  return 0;
}
