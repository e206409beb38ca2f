// SPDX-License-Identifier: Apache-2.0
// Results of tools, prompts and resources as JSON text.
#include "tools/mcp/core.h"
#include "tools/mcp/strict_json.h"

namespace wardenv::mcp {
namespace {

std::string binary(const char* type, const Content& content) {
  return std::string("{\"type\":\"") + type + "\",\"data\":" + json_string(content.text) + ",\"mimeType\":" + json_string(content.mime_type) + "}";
}

std::string text_block(std::string_view text) { return "{\"type\":\"text\",\"text\":" + json_string(text) + "}"; }

}  // namespace

std::string resource_text(const Content& content) {
  std::string out = "{\"uri\":" + json_string(content.uri);
  if (!content.mime_type.empty()) out += ",\"mimeType\":" + json_string(content.mime_type);
  out += content.kind == Content::Kind::kBlobResource ? ",\"blob\":" : ",\"text\":";
  return out + json_string(content.text) + "}";
}

std::string content_text(const Content& content) {
  switch (content.kind) {
    case Content::Kind::kText: return text_block(content.text);
    case Content::Kind::kImage: return binary("image", content);
    case Content::Kind::kAudio: return binary("audio", content);
    case Content::Kind::kTextResource:
    case Content::Kind::kBlobResource: return "{\"type\":\"resource\",\"resource\":" + resource_text(content) + "}";
    case Content::Kind::kLink: return "{\"type\":\"resource_link\",\"uri\":" + json_string(content.uri) + ",\"name\":" + json_string(content.text) + "}";
  }
  return text_block("");
}

std::string call_result_members(const ToolResult& result) {
  std::string out = "\"content\":[";
  for (std::size_t i = 0; i < result.content.size(); ++i) {
    if (i > 0) out += ',';
    out += content_text(result.content[i]);
  }
  if (result.content.empty() && !result.structured.empty()) out += text_block(result.structured);   // for clients that read text only
  out += "]";
  if (!result.structured.empty()) out.append(",\"structuredContent\":").append(result.structured);
  return out + (result.ending == Ending::kFailed ? ",\"isError\":true" : ",\"isError\":false");
}

std::string prompt_result_members(const PromptResult& result) {
  std::string out = "\"messages\":[";
  const char* comma = "";
  for (const PromptMessage& message : result.messages) {
    out.append(comma).append("{\"role\":").append(json_string(message.role)).append(",\"content\":").append(content_text(message.content)).append("}");
    comma = ",";
  }
  return out + "]";
}

}  // namespace wardenv::mcp
