// SPDX-License-Identifier: Apache-2.0
// Cursor and Notes.
#include "policy/core/cursor.h"

#include <algorithm>

namespace wardenv::policy::core {
namespace {

constexpr std::size_t kMostFindings = 200;

// Findings are lines of text: nothing in a document may forge another one.
std::string one_line(std::string text) {
  std::replace_if(text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7F; }, '?');
  return text;
}

}  // namespace

void sort_by_place(Findings& findings) {
  std::stable_sort(findings.begin(), findings.end(), [](const Finding& a, const Finding& b) { return a.line != b.line ? a.line < b.line : a.column < b.column; });
}

std::string pointer_token(std::string_view key) {
  std::string token;
  for (const char c : key) {
    if (c == '~') token += "~0";
    else if (c == '/') token += "~1";
    else token += c;
  }
  return token;
}

std::string Cursor::pointer() const {
  if (parent == nullptr) return {};
  const bool item = parent->node.kind == Kind::kArray;
  return parent->pointer() + "/" + (item ? std::to_string(index) : pointer_token(key));
}

void Notes::error_at_key(const Cursor& object, const Member& member, std::string message) {
  add(object.pointer() + "/" + pointer_token(member.key), member.place, std::move(message), Severity::kError);
}

bool Notes::is_left_alone(std::string_view pointer) const {
  if (alone_.empty()) return false;
  for (; !pointer.empty(); pointer = pointer.substr(0, pointer.rfind('/'))) {
    if (alone_.contains(pointer)) return true;
  }
  return alone_.contains(pointer);
}

void Notes::add(std::string pointer, Place place, std::string message, Severity severity) {
  if (is_left_alone(pointer)) return;
  failed_ = failed_ || severity == Severity::kError;
  warnings_ += severity == Severity::kWarning ? 1 : 0;
  if (findings_.size() >= kMostFindings) {
    ++dropped_;
    if (severity == Severity::kWarning || !drop_warning()) return;
  }
  const Place found = locate(text_, place);
  findings_.push_back({one_line(std::move(pointer)), one_line(std::move(message)), static_cast<int>(found.line_or_offset),
                       static_cast<int>(found.column), severity});
}

// Makes room for an error.
bool Notes::drop_warning() {
  if (warnings_ == 0) return false;
  const auto found = std::find_if(findings_.rbegin(), findings_.rend(), [](const Finding& one) { return one.severity == Severity::kWarning; });
  if (found == findings_.rend()) {
    warnings_ = 0;
    return false;
  }
  findings_.erase(std::next(found).base());
  return true;
}

Findings Notes::finish() {
  sort_by_place(findings_);
  if (dropped_ > 0) {
    const Place end = locate(text_, {static_cast<std::uint32_t>(text_.size()), 0});
    findings_.push_back({"", std::to_string(dropped_) + " more findings are not shown", static_cast<int>(end.line_or_offset),
                         static_cast<int>(end.column), failed_ ? Severity::kError : Severity::kWarning});
  }
  return std::move(findings_);
}

}  // namespace wardenv::policy::core
