// SPDX-License-Identifier: Apache-2.0
// Loader: the text of a policy, in any of the forms that are in use, becomes the one model.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "policy/core/document.h"
#include "policy/finding.h"
#include "sandbox/base/error.h"

namespace wardenv::policy {

enum class Format { kJson, kYaml, kGuess };   // kGuess: JSON where the first character that is no white space is `{`, else YAML

// What `text` is read as: kJson or kYaml.
Format read_as(std::string_view text, Format format);

struct Loaded {
  std::shared_ptr<const Document> document;   // null where a finding is an error
  Findings findings;                          // all of them, in the order of the file, with line and column
  std::string digest_sha256;                  // of the text, 64 hex digits; also where it could not be loaded
  std::map<std::string, Profile, std::less<>> refused_profiles;   // of a document with errors, as far as they could be read: to say what else is wrong
};

inline constexpr std::size_t kMaxDocumentBytes = std::size_t{16} << 20;
inline constexpr int kMaxDocumentDepth = 64;

// Strict: duplicate and unknown keys, wrong types and numbers out of range are errors, never ignored. YAML: one document, plain data:
// anchors, aliases, tags and merge keys are refused. Never throws.
// `digest`: where the text stands for another one (as_json), the SHA-256 of that.
Loaded load_document(std::string_view text, Format format = Format::kGuess, std::string digest = "");

// The same document as JSON, which is read thirty times sooner than YAML; only the places of findings are other ones. None where anything is wrong
// with the text, or the JSON would not be read as the very same values.
std::optional<std::string> as_json(std::string_view text, Format format);

// Any data of JSON or YAML, read as strictly as a document: for files that go with one. Error kBadInput says where.
Result<nlohmann::json> load_data(std::string_view text, Format format);

// Fills in line and column of findings of later readers from their pointers; what a pointer does not lead to is placed at what it leads to first.
void place_findings(std::string_view text, Format format, Findings& findings);

// By the ending of the file's name: .json, .yaml, .yml; anything else is guessed.
Format format_of(std::string_view file_name);

// "file:line:col: error: /pointer: message"; one line.
std::string to_text(const Finding& finding, std::string_view file);

}  // namespace wardenv::policy
