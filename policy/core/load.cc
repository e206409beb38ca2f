// SPDX-License-Identifier: Apache-2.0
// Loader: text → tree → typed model → linked rules. Reads on after an error, so that all of them are said at once.
#include "policy/core/load.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "policy/core/duplicates.h"
#include "policy/core/reading.h"
#include "policy/core/text/sha256.h"

namespace wardenv::policy {
namespace core {
namespace {

constexpr std::array<Choice, 2> kDefaults = {{{"allow", int(DefaultEffect::kAllow)}, {"deny", int(DefaultEffect::kDeny)}}};

void read_version(Reading& reading, const Cursor& at, Reading&) {
  if (at.node.kind != Kind::kString || at.node.text() != "1") reading.notes.error(at, "must be the string \"1\"");
}

void read_default(Reading& reading, const Cursor& at, Reading&) {
  if (const auto effect = read_choice<DefaultEffect>(reading.notes, at, kDefaults)) reading.document.default_effect = *effect;
}

void read_all_tools(Reading& reading, const Cursor& at, Reading&) {
  Entry entry;
  reading.entry_name.clear();
  read_tool_rule(reading, at, entry.rule);
  reading.entries.push_back(std::move(entry));
}

void read_hide(Reading& reading, const Cursor& at, Reading&) { read_name_list(reading, at, reading.book.hide, "the name of a tool"); }

using DocumentField = Field<Reading, Reading>;
constexpr std::array<DocumentField, 12> kDocumentFields = {{
    {"$schema", [](Reading& reading, const Cursor& at, Reading&) { expect(reading.notes, at, Kind::kString, "a URL"); }},
    {"version", read_version},
    {"description", [](Reading& reading, const Cursor& at, Reading&) { expect(reading.notes, at, Kind::kString, "a text"); }},
    {"default", read_default},
    {"hide", read_hide},
    {"all_tools", read_all_tools},
    {"tools", [](Reading& reading, const Cursor& at, Reading&) { read_tools(reading, at); }},
    {"profiles", [](Reading& reading, const Cursor& at, Reading&) { read_profiles(reading, at); }},
    {"grants", [](Reading& reading, const Cursor& at, Reading&) { read_grants(reading, at); }},
    {"approvals", [](Reading& reading, const Cursor& at, Reading&) { read_approvals(reading, at); }},
    {"hooks", [](Reading& reading, const Cursor& at, Reading&) { read_hooks(reading, at); }},
    {"audit", [](Reading& reading, const Cursor& at, Reading&) { read_audit(reading, at); }},
}};

// In the older YAML `default` may be left out and then means allow. Only a document that is written in that form throughout may do so.
bool is_older_document(const Node& root) {
  constexpr std::array<std::string_view, 5> kKnown = {"version", "description", "hide", "tools", "approvals"};
  const Node* tools = root.find("tools");
  if (tools == nullptr || tools->kind != Kind::kObject || tools->size == 0) return false;
  const auto known = [&](const Member& member) { return std::find(kKnown.begin(), kKnown.end(), member.key) != kKnown.end(); };
  const auto describes = [](const Member& field) { return field.key == "rules" || field.key == "description" || field.key == "reason"; };
  const auto older = [&](const Member& tool) {
    if (tool.value.kind != Kind::kObject || tool.value.find("rules") == nullptr) return false;
    return tool.value.size == 1 || (tool.key == "*" && std::all_of(tool.value.members().begin(), tool.value.members().end(), describes));
  };
  return std::all_of(root.members().begin(), root.members().end(), known) && std::all_of(tools->members().begin(), tools->members().end(), older);
}

void check_required(Reading& reading, const Cursor& at) {
  if (at.node.find("version") == nullptr) reading.notes.error(at, "`version` is missing: \"version\": \"1\"");
  if (at.node.find("default") != nullptr) return;
  if (!is_older_document(at.node)) return reading.notes.error(at, "`default` is missing: say deny, or allow, for tools that are not listed");
  reading.document.default_effect = DefaultEffect::kAllow;
  reading.notes.warning(at, "`default` is missing: in this older form that allows every tool that is not listed; say `default: deny`");
}

constexpr ReadLimits kLimits = {.max_depth = kMaxDocumentDepth, .most_problems = 200};

TextProblems parse(Tree& tree, Format format) {
  if (tree.text.size() > kMaxDocumentBytes) return {{{{1, 1}, "", "larger than 16 MiB", false}}, false};
  if (tree.text.starts_with("\xEF\xBB\xBF")) return {{{{1, 1}, "", "begins with a byte order mark: save it as UTF-8 without one", false}}, false};
  const bool json = read_as(tree.text, format) == Format::kJson;
  mask_bad_bytes(tree);
  return json ? read_json(tree, kLimits) : read_yaml(tree, kLimits);
}

// Equal keys are looked for in what was read, also where the reader could not go on.
void note_problems(Notes& notes, const Tree& tree, TextProblems& problems) {
  if (!problems.whole && !problems.list.empty()) problems.list.back().message += "; nothing behind it was read, so more may be wrong";
  for (const TextProblem& problem : problems.list) notes.add(problem.pointer, problem.place, problem.message, Severity::kError);
  find_duplicates(notes, Cursor{tree.root});
  for (TextProblem& problem : problems.list) {
    if (problem.stands_in) notes.leave_alone(std::move(problem.pointer));
  }
}

void read_root(Reading& reading) {
  const Cursor root{reading.root};
  if (!read_fields(reading, root, kDocumentFields, reading, "an object: {\"version\": \"1\", \"default\": \"deny\", \"tools\": {…}}")) return;
  check_required(reading, root);
  link(reading);
}

}  // namespace
}  // namespace core

Loaded load_document(std::string_view text, Format format, std::string digest) {
  Loaded loaded;
  loaded.digest_sha256 = digest.empty() ? core::sha256_hex(text) : std::move(digest);
  core::Tree tree;
  tree.text = text;
  auto problems = core::parse(tree, format);
  core::Reading reading{core::Notes(tree.text), tree.root};
  core::note_problems(reading.notes, tree, problems);
  if (problems.whole) core::read_root(reading);
  loaded.findings = reading.notes.finish();
  if (reading.notes.failed()) {
    loaded.refused_profiles = std::move(reading.document.profiles);
    return loaded;
  }
  reading.document.rules = std::make_shared<const Rulebook>(std::move(reading.book));
  loaded.document = std::make_shared<const Document>(std::move(reading.document));
  return loaded;
}

std::optional<std::string> as_json(std::string_view text, Format format) {
  core::Tree tree;
  tree.text = text;
  if (!core::parse(tree, format).list.empty()) return std::nullopt;
  std::string json = core::json_text(tree.root);
  core::Tree again;
  again.text = json;
  const bool same = core::parse(again, Format::kJson).list.empty() && core::same_values(tree.root, again.root);
  return same ? std::optional(std::move(json)) : std::nullopt;
}

Result<nlohmann::json> load_data(std::string_view text, Format format) {
  core::Tree tree;
  tree.text = text;
  auto problems = core::parse(tree, format);
  core::Notes notes(tree.text);
  core::note_problems(notes, tree, problems);
  const Findings findings = notes.finish();
  if (findings.empty()) return core::to_json(tree.root);
  const Finding& first = findings[0];
  return fail(ErrorCode::kBadInput, "line " + std::to_string(first.line) + ", column " + std::to_string(first.column) + ": " + first.message);
}

void place_findings(std::string_view text, Format format, Findings& findings) {
  core::Tree tree;
  tree.text = text;
  (void)core::parse(tree, format);
  for (Finding& finding : findings) {
    const core::Node* node = nullptr;
    for (std::string way = finding.pointer; node == nullptr; way.erase(way.rfind('/'))) {
      node = core::find_by_pointer(tree.root, way);
      if (way.empty()) break;
    }
    const core::Place place = core::locate(tree.text, node != nullptr ? node->place : tree.root.place);
    finding.line = static_cast<int>(place.line_or_offset);
    finding.column = static_cast<int>(place.column);
  }
}

Format read_as(std::string_view text, Format format) {
  if (format != Format::kGuess) return format;
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  return first != std::string_view::npos && text[first] == '{' ? Format::kJson : Format::kYaml;
}

Format format_of(std::string_view file_name) {
  if (file_name.ends_with(".json")) return Format::kJson;
  return file_name.ends_with(".yaml") || file_name.ends_with(".yml") ? Format::kYaml : Format::kGuess;
}

std::string to_text(const Finding& finding, std::string_view file) {
  std::string text = std::string(file) + ":" + std::to_string(finding.line) + ":" + std::to_string(finding.column) + ": ";
  text += finding.severity == Severity::kError ? "error: " : "warning: ";
  return text + (finding.pointer.empty() ? "/" : finding.pointer) + ": " + finding.message;
}

}  // namespace wardenv::policy
