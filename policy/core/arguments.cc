// SPDX-License-Identifier: Apache-2.0
// Reads the arguments of a call as strictly as a document.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

#include "policy/core/authorize.h"
#include "policy/core/cursor.h"
#include "policy/core/duplicates.h"
#include "policy/core/text/tree.h"

namespace wardenv::policy {
namespace {

tl::unexpected<Error> bad(std::string_view text, core::Place place, const std::string& what) {
  const core::Place found = core::locate(text, place);
  return fail(ErrorCode::kBadInput, "the arguments of the call, line " + std::to_string(found.line_or_offset) + ", column " + std::to_string(found.column) + ": " + what);
}

}  // namespace

Result<nlohmann::json> parse_arguments(std::string_view text) {
  if (text.size() > kMaxArgumentBytes) return fail(ErrorCode::kBadInput, "the arguments of the call are larger than 4 MiB");
  if (const auto byte = core::first_bad_byte(text)) return bad(text, {static_cast<std::uint32_t>(*byte), 0}, "not UTF-8, or a NUL byte");
  core::Tree tree;
  tree.text = text;
  const core::TextProblems problems = core::read_json(tree, {.max_depth = kMaxArgumentDepth});
  if (!problems.list.empty()) return bad(text, problems.list[0].place, problems.list[0].message);
  if (tree.root.kind != core::Kind::kObject) return bad(text, tree.root.place, "must be an object");
  core::Notes notes(text);
  core::find_duplicates(notes, core::Cursor{tree.root});
  const Findings findings = notes.finish();
  if (!findings.empty()) return fail(ErrorCode::kBadInput, "the arguments of the call, " + findings[0].pointer + ": " + findings[0].message);
  return core::to_json(tree.root);
}

}  // namespace wardenv::policy
