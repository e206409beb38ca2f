// SPDX-License-Identifier: Apache-2.0
// Judges one value against its rule.
#include "policy/commands/value.h"

#include <algorithm>
#include <charconv>

#include "policy/commands/text.h"

namespace wardenv::policy {
namespace {

const char* misfit_bytes(std::string_view value, unsigned allow) {
  const unsigned odd = oddities_of(value);
  if (odd == kNothingOdd) return nullptr;
  if ((odd & kHasNul) != 0) return "holds a NUL byte";
  if ((odd & kHasNewline) != 0 && (allow & kAllowNewline) == 0) return "holds a line break";
  if ((odd & kHasControl) != 0 && (allow & kAllowControl) == 0) return "holds a control character";
  if ((odd & kHasInvalidUtf8) != 0) return "is not valid UTF-8";
  return nullptr;
}

// A negative number is no flag where the rule is for integers.
bool may_begin_with_dash(const ValueRule& rule, unsigned allow) {
  return (allow & kAllowDash) != 0 || (rule.kind == ValueKind::kInteger && rule.low < 0);
}

const char* misfit_beginning(const ValueRule& rule, std::string_view value, unsigned allow) {
  if (value.empty()) return (allow & kAllowEmpty) != 0 ? nullptr : "is empty";
  if (value == "-") return (allow & kAllowStdin) != 0 ? nullptr : "stands for the standard input, which is not declared";
  if (value[0] == '-' && !may_begin_with_dash(rule, allow)) return "looks like a flag";
  if (value[0] == '@' && (allow & kAllowAt) == 0) return "looks like a response file (@file)";
  return nullptr;
}

// Decimal, without "+", blanks or leading zeros: what no parser reads in two ways.
std::optional<std::int64_t> parse_integer(std::string_view value) {
  const std::string_view digits = value.starts_with('-') ? value.substr(1) : value;
  if (digits.empty() || (digits[0] == '0' && value.size() > 1)) return std::nullopt;
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error != std::errc{} || end != value.data() + value.size()) return std::nullopt;
  return number;
}

const char* misfit_integer(const ValueRule& rule, std::string_view value) {
  const auto number = parse_integer(value);
  if (!number) return "is not a decimal integer";
  return *number < rule.low || *number > rule.high ? "is out of the declared range" : nullptr;
}

// Both absolute, without "." and ".." and symbolic links.
bool is_beneath(std::string_view path, std::string_view folder) {
  if (folder.empty() || folder[0] != '/') return false;
  while (folder.size() > 1 && folder.ends_with('/')) folder.remove_suffix(1);
  if (folder == "/") return path.starts_with('/');
  return path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/');
}

bool has_dot_dot(std::string_view path) {
  return path == ".." || path.starts_with("../") || path.ends_with("/..") || path.find("/../") != std::string_view::npos;
}

// "host:path" and "user@host:path", which rsync, scp and git take for another machine's.
bool looks_remote(std::string_view path) {
  const std::size_t colon = path.find(':');
  return colon != std::string_view::npos && colon < path.find('/');
}

bool within_any(const ValueRule& rule, std::string_view path, const CommandContext& context) {
  return std::any_of(rule.words.begin(), rule.words.end(), [&](const std::string& folder) {
    constexpr std::string_view kWorkspace = "{workspace}";
    if (!folder.starts_with(kWorkspace)) return is_beneath(path, folder);
    const std::string_view below = std::string_view(folder).substr(kWorkspace.size());
    if (context.workspace.empty() || !is_beneath(path, context.workspace)) return false;
    const std::string_view inside = context.workspace == "/" ? path : path.substr(context.workspace.size());
    return below.empty() || is_beneath(inside, below);
  });
}

const char* misfit_path(const ValueRule& rule, std::string_view value, const CommandContext& context) {
  if (!rule.mark.empty()) value = value.substr(0, value.find(rule.mark));
  if (value.empty()) return "names no path";
  if (value[0] == '~') return "begins with `~`, which some programs expand";
  if (value.find("://") != std::string_view::npos) return "is a URL where a path is declared";
  if ((rule.allow & kAllowColon) == 0 && looks_remote(value)) return "looks like a path on another machine";
  if (context.resolve == nullptr || !*context.resolve) return "is a path, which can't be judged here";
  const std::optional<std::string> path = (*context.resolve)(value);
  if (!path || !path->starts_with('/') || has_dot_dot(*path)) return "is a path that can't be resolved";
  return within_any(rule, *path, context) ? nullptr : "leads out of the declared folder";
}

const char* misfit_list(const ValueRule& rule, std::string_view value, const Judging& judging) {
  for (;;) {
    const std::size_t end = value.find(rule.mark);
    if (const char* wrong = misfit(rule.parts[0], value.substr(0, end), judging)) return wrong;
    if (end == std::string_view::npos) return nullptr;
    value.remove_prefix(end + rule.mark.size());
  }
}

const char* misfit_any(const ValueRule& rule, std::string_view value, const Judging& judging) {
  const char* wrong = "fits none of what is declared";
  for (const ValueRule& part : rule.parts) {
    const char* misfits = misfit(part, value, judging);
    if (misfits == nullptr) return nullptr;
    if (rule.parts.size() == 1) wrong = misfits;
  }
  return wrong;
}

const char* misfit_all(const ValueRule& rule, std::string_view value, const Judging& judging) {
  for (const ValueRule& part : rule.parts) {
    if (const char* wrong = misfit(part, value, judging)) return wrong;
  }
  return nullptr;
}

const char* misfit_kind(const ValueRule& rule, std::string_view value, const Judging& judging);

// Only of kinds that say no for one reason: what can't be judged must not be let through by turning it round.
const char* misfit_not(const ValueRule& rule, std::string_view value, const Judging& judging) {
  const ValueRule& part = rule.parts[0];
  if (part.pattern && !part.pattern->error().empty()) return "can't be judged";
  return misfit_kind(part, value, judging) == nullptr ? "is what is declared not to be given" : nullptr;
}

const char* misfit_kind(const ValueRule& rule, std::string_view value, const Judging& judging) {
  switch (rule.kind) {
    case ValueKind::kString: return nullptr;
    case ValueKind::kInteger: return misfit_integer(rule, value);
    case ValueKind::kEnum:
      return std::binary_search(rule.words.begin(), rule.words.end(), value, std::less<>{}) ? nullptr : "is none of the declared words";
    case ValueKind::kRegex: return rule.pattern->matches(value) ? nullptr : "does not match the declared pattern";
    case ValueKind::kPathUnder: return misfit_path(rule, value, judging.context);
    case ValueKind::kList: return misfit_list(rule, value, judging);
    case ValueKind::kAnyOf: return misfit_any(rule, value, judging);
    case ValueKind::kAllOf: return misfit_all(rule, value, judging);
    case ValueKind::kNot: return misfit_not(rule, value, judging);
  }
  return "can't be judged";
}

bool is_composed(ValueKind kind) { return kind == ValueKind::kAnyOf || kind == ValueKind::kAllOf; }

}  // namespace

const char* misfit(const ValueRule& rule, std::string_view value, const Judging& judging) {
  if (value.size() > rule.max_length) return "is longer than declared";
  if (is_composed(rule.kind)) return misfit_kind(rule, value, judging);  // its parts say what bytes they take
  if (const char* wrong = misfit_beginning(rule, value, rule.allow | judging.also)) return wrong;
  if (const char* wrong = misfit_bytes(value, rule.allow)) return wrong;
  if (value.empty() || value == "-") return nullptr;  // declared as such, whatever the kind
  return misfit_kind(rule, value, judging);
}

const char* misfit_of_rest(std::string_view value) { return misfit_bytes(value, kAllowInRest); }

}  // namespace wardenv::policy
