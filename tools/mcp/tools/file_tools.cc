// SPDX-License-Identifier: Apache-2.0
// read_file, write_file, list_files.
#include <nlohmann/json.hpp>

#include "engine/project/files.h"
#include "engine/project/list_files.h"
#include "engine/report_json.h"
#include "tools/mcp/tools/handlers.h"
#include "tools/mcp/tools/results.h"

namespace wardenv::mcp {
namespace {

using json = nlohmann::ordered_json;
using engine::Place;

constexpr std::uint64_t kReadBytes = 64 << 10;
constexpr std::uint64_t kMaxReadBytes = 1 << 20;
constexpr std::size_t kMaxWriteBytes = 8 << 20;
constexpr std::uint64_t kFarAway = 1ULL << 53;

// `path`, from `current_working_dir` on where it is relative.
Place read_path(Call& call, const Place& folder, const std::string& path) {
  if (path.empty() || folder.workspace.empty()) return {};
  auto place = call.service().workspaces.place(path, folder.path());
  if (place) return std::move(*place);
  call.arguments().wrong("`path`: " + place.error().message + (place.error().hint.empty() ? "" : "; " + place.error().hint));
  return {};
}

// Admitted, done, and told to the gate.
template <typename Work>
ToolResult with_files(Call& call, const Place& folder, Work work) {
  auto admitted = call.admit(folder);
  if (!admitted) return call.refusal();
  ToolResult result = work(*admitted);
  const auto withheld = admitted->finish(call.service().gate, result.ending == Ending::kDone ? "done" : "failed", engine::Entered::kYes);
  return withheld ? withheld_result(*withheld) : std::move(result);
}

// Ends the part at a whole character, unless there is none.
void cut_to_characters(engine::FileSlice& slice) {
  if (slice.next() >= slice.size) return;
  std::size_t end = slice.bytes.size();
  while (end > 0 && slice.bytes.size() - end < 4 && (static_cast<unsigned char>(slice.bytes[end - 1]) & 0xc0) == 0x80) --end;
  if (end > 0 && static_cast<unsigned char>(slice.bytes[end - 1]) >= 0xc0 && end > 1) slice.bytes.resize(end - 1);
}

ToolResult slice_result(const Place& place, engine::FileSlice slice) {
  cut_to_characters(slice);
  bool changed = false;
  json object{{"path", printable(place.path())}, {"size", slice.size}, {"offset", slice.offset}};
  object["text"] = engine::to_utf8(slice.bytes, changed);
  if (changed || slice.bytes.find('\0') != std::string::npos) object["base64"] = engine::base64(slice.bytes);
  object["next_offset"] = slice.next() < slice.size ? json(slice.next()) : json(nullptr);
  object["error"] = nullptr;
  return object_result(object);
}

json entry_object(const engine::Entry& entry) {
  bool changed = false;
  json object{{"path", engine::to_utf8(entry.path, changed)}, {"kind", engine::to_string(entry.kind)}};
  if (changed) object["path_base64"] = engine::base64(entry.path);
  if (entry.kind == engine::EntryKind::kFile) object["size"] = entry.size;
  if (entry.kind == engine::EntryKind::kLink) object["target"] = printable(entry.target);
  return object;
}

}  // namespace

ToolResult call_read_file(Call& call) {
  const Place folder = call.folder(false);
  const Place place = read_path(call, folder, call.arguments().text("path"));
  const auto offset = call.arguments().number("offset", 0, kFarAway).value_or(0);
  const auto bytes = call.arguments().number("max_bytes", 4, kMaxReadBytes).value_or(kReadBytes);
  return with_files(call, folder, [&](const Admitted&) {
    auto slice = engine::read_slice(place, offset, bytes);
    return slice ? slice_result(place, std::move(*slice)) : error_result(slice.error());
  });
}

ToolResult call_write_file(Call& call) {
  const Place folder = call.folder(false);
  const Place place = read_path(call, folder, call.arguments().text("path"));
  const auto content = call.arguments().optional_text("content");
  const std::string if_exists = call.arguments().optional_text("if_exists").value_or("replace");
  if (!content) call.arguments().wrong("`content` is missing: it must be a string; an empty one makes an empty file");
  if (content && content->size() > kMaxWriteBytes) call.arguments().wrong("`content` is longer than 8 MiB");
  if (if_exists != "replace" && if_exists != "fail") call.arguments().wrong("`if_exists` must be \"replace\" or \"fail\"");
  return with_files(call, folder, [&](const Admitted& admitted) {
    if (admitted.request.access == engine::Access::kReadOnly) {
      return error_result({ErrorCode::kBadInput, "the policy's profile gives this tool the workspace read-only", "another profile is needed", 0});
    }
    if (call.service().decides(place)) return error_result({ErrorCode::kBadInput, "`" + printable(place.path()) + "` decides what is allowed, so no tool writes it", "", 0});
    auto written = engine::write_whole(place, *content, if_exists == "fail" ? engine::IfExists::kFail : engine::IfExists::kReplace);
    if (!written) return error_result(written.error());
    return object_result({{"path", printable(place.path())}, {"size", content->size()}, {"created", written->created}, {"old_size", written->old_size}, {"error", nullptr}});
  });
}

ToolResult call_list_files(Call& call) {
  const Place folder = call.folder(false);
  const Place place = read_path(call, folder, call.arguments().optional_text("path").value_or("."));
  engine::ListOptions options;
  options.limit = call.arguments().number("limit", 1, engine::kMaxListLimit).value_or(options.limit);
  options.depth = static_cast<int>(call.arguments().number("depth", 1, engine::kMaxListDepth).value_or(1));
  options.after = call.arguments().optional_text("after").value_or("");
  if (!options.after.empty() && options.depth > 1) call.arguments().wrong("`after` works with `depth` 1 only; list a sub-folder by its `path`");
  return with_files(call, folder, [&](const Admitted&) {
    auto listing = engine::list_files(place, options);
    if (!listing) return error_result(listing.error());
    json entries = json::array();
    for (const engine::Entry& entry : listing->entries) entries.push_back(entry_object(entry));
    json object{{"path", printable(place.path())}, {"entries", entries}, {"complete", listing->complete}};
    object["next_after"] = listing->next_after.empty() ? json(nullptr) : json(printable(listing->next_after));
    object["error"] = nullptr;
    return object_result(object);
  });
}

}  // namespace wardenv::mcp
