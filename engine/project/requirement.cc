// SPDX-License-Identifier: Apache-2.0
// Parses dependency specifiers by descent, as their grammar is written.
#include "engine/project/requirement.h"

#include <algorithm>
#include <array>

#include "engine/project/marker.h"
#include "engine/project/scanner.h"

namespace wardenv::engine {
namespace {

constexpr const char* kGood = "give a name, with a version if you need one: `requests` or `requests>=2.31,<3`";
constexpr std::array<std::string_view, 8> kOperators = {"===", "<=", "!=", "==", ">=", "~=", "<", ">"};

// Names that pip takes for a file of the current folder when there is one.
constexpr std::array<std::string_view, 11> kArchives = {".whl", ".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz", ".tar.xz", ".txz", ".tlz", ".tar.lz"};

std::string quoted(std::string_view text) {
  std::string shown;
  for (const char c : text.substr(0, 80)) shown += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
  return "`" + shown + (text.size() > 80 ? "…" : "") + "`";
}

tl::unexpected<Error> refuse(std::string_view text, const std::string& why, std::string hint = kGood) {
  return fail(ErrorCode::kBadInput, quoted(text) + " " + why, std::move(hint));
}

bool ends_like_archive(std::string_view name) {
  std::string lower(name);
  std::transform(lower.begin(), lower.end(), lower.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return std::any_of(kArchives.begin(), kArchives.end(), [&](std::string_view end) { return lower.ends_with(end); });
}

// What a caller may mean that is no dependency specifier at all: told by its name, so that the call can be mended.
Status check_kind(std::string_view text) {
  if (text.find_first_not_of(" \t") == std::string_view::npos) return fail(ErrorCode::kBadInput, "the package name is empty", kGood);
  if (text.size() > kMaxRequirementBytes) return refuse(text, "is too long for a package", kGood);
  const auto control = [](char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f; };
  if (std::any_of(text.begin(), text.end(), control)) {
    return refuse(text, "contains a line break or another control character", "give one package in each item; use add_packages for several");
  }
  if (text.find_first_not_of(" \t") != 0) return check_kind(text.substr(text.find_first_not_of(" \t")));
  if (text[0] == '-') {
    return refuse(text, "is an option of an installer, not a package", "options are not taken; the package index is set by whoever runs this server");
  }
  if (text[0] == '.' || text[0] == '/' || text[0] == '~' || text.find('\\') != std::string_view::npos) {
    return refuse(text, "is a path, not a package", "packages are installed from the index by name");
  }
  return {};
}

Status check_name(std::string_view text, std::string_view name) {
  if (name.empty()) return refuse(text, "does not begin with a name: letters, digits, `-`, `_` and `.`, with a letter or digit at both ends");
  if (ends_like_archive(name)) return refuse(text, "looks like a file, not a package", "packages are installed from the index by name");
  return {};
}

class Parser {
 public:
  Parser(std::string_view text, DirectReference direct) : text_(text), scan_(text), direct_(direct) {}

  Result<Requirement> parse() {
    WARDENV_TRY(check_kind(text_));
    scan_.skip_space();
    requirement_.name = scan_.take_name();
    WARDENV_TRY(check_name(text_, requirement_.name));
    scan_.skip_space();
    WARDENV_TRY(extras());
    WARDENV_TRY(scan_.peek() == '@' ? reference() : versions());
    WARDENV_TRY(marker());
    if (!scan_.at_end()) return leftover();
    return std::move(requirement_);
  }

 private:
  Status extras() {
    if (!scan_.take('[')) return {};
    scan_.skip_space();
    while (!scan_.take(']')) {
      std::string name = scan_.take_name();
      if (name.empty()) return refuse(text_, "has a broken list of extras", "extras look like this: `requests[socks]`");
      requirement_.extras.push_back(std::move(name));
      scan_.skip_space();
      if (scan_.take(',')) scan_.skip_space();
      else if (scan_.peek() != ']') return refuse(text_, "has a broken list of extras", "extras look like this: `requests[socks]`");
    }
    scan_.skip_space();
    return {};
  }

  Status reference() {
    if (direct_ == DirectReference::kRefuse) {
      return refuse(text_, "names an address to install from, which is not allowed here", "packages are installed from the index by name");
    }
    scan_.take('@');
    scan_.skip_space();
    requirement_.url = scan_.take_until_space();
    if (requirement_.url->empty()) return refuse(text_, "has no address after `@`");
    scan_.skip_space();
    return {};
  }

  Status versions() {
    const bool parenthesis = scan_.take('(');
    scan_.skip_space();
    if (is_operator_start()) {
      do {
        scan_.skip_space();
        WARDENV_TRY(version());
        scan_.skip_space();
      } while (scan_.take(','));
    }
    if (parenthesis && !scan_.take(')')) return refuse(text_, "has a parenthesis that is not closed");
    scan_.skip_space();
    return {};
  }

  [[nodiscard]] bool is_operator_start() const { return scan_.peek() != '\0' && std::string_view("<>=!~").find(scan_.peek()) != std::string_view::npos; }

  Status version() {
    const auto op = std::find_if(kOperators.begin(), kOperators.end(), [&](std::string_view item) { return scan_.rest().starts_with(item); });
    if (op == kOperators.end()) return refuse(text_, "has a broken version", "versions look like this: `>=2.31,<3` or `==1.4.*`");
    scan_.advance(op->size());
    scan_.skip_space();
    VersionClause clause{std::string(*op), scan_.take_version()};
    if (!is_version(clause)) return refuse(text_, "has no valid version after `" + clause.op + "`", "versions look like this: `>=2.31,<3` or `==1.4.*`");
    requirement_.versions.push_back(std::move(clause));
    return {};
  }

  // PEP 440 in outline: digits first, a wildcard only with == and !=, and the installer has the last word.
  static bool is_version(const VersionClause& clause) {
    std::string_view version = clause.version;
    if (clause.op == "===") return !version.empty();
    if (version.ends_with(".*")) {
      if (clause.op != "==" && clause.op != "!=") return false;
      version.remove_suffix(2);
    }
    if (version.starts_with('v') || version.starts_with('V')) version.remove_prefix(1);
    return !version.empty() && version[0] >= '0' && version[0] <= '9' && version.find('*') == std::string_view::npos;
  }

  Status marker() {
    if (!scan_.take(';')) return {};
    scan_.skip_space();
    requirement_.marker = std::string(scan_.rest());
    while (!requirement_.marker.empty() && (requirement_.marker.back() == ' ' || requirement_.marker.back() == '\t')) requirement_.marker.pop_back();
    if (auto valid = check_marker(requirement_.marker); !valid) {
      return refuse(text_, "has a broken marker: " + valid.error().message, "markers look like this: `; python_version < \"3.12\"`");
    }
    scan_.advance(scan_.rest().size());
    return {};
  }

  Result<Requirement> leftover() {
    const std::string_view rest = scan_.rest();
    if (text_.find("://") != std::string_view::npos || rest.starts_with("+") || rest.starts_with(":")) {
      return refuse(text_, "is an address, not a package", "packages are installed from the index by name");
    }
    if (rest.find('/') != std::string_view::npos) return refuse(text_, "is a path, not a package", "packages are installed from the index by name");
    if (static_cast<unsigned char>(rest[0]) >= 0x80) return refuse(text_, "contains a character that no package name has");
    if (scan_.after_space()) {
      return refuse(text_, "has something after the package: `" + std::string(rest.substr(0, 40)) + "`", "give one package in each item; use add_packages for several");
    }
    return refuse(text_, "can't be read from `" + std::string(rest.substr(0, 40)) + "` on");
  }

  std::string_view text_;
  Scanner scan_;
  DirectReference direct_;
  Requirement requirement_;
};

}  // namespace

Result<Requirement> parse_requirement(std::string_view text, DirectReference direct) { return Parser(text, direct).parse(); }

Result<std::string> parse_package_name(std::string_view text) {
  auto requirement = parse_requirement(text);
  if (!requirement) return tl::unexpected(requirement.error());
  if (!requirement->versions.empty() || !requirement->extras.empty() || !requirement->marker.empty()) {
    return refuse(text, "is more than a name", "give the name alone, such as `" + requirement->name + "`");
  }
  return requirement->name;
}

std::string to_string(const Requirement& requirement) {
  auto join = [](std::string& text, const std::string& item, bool first) { text += (first ? "" : ",") + item; };
  std::string text = requirement.name;
  if (!requirement.extras.empty()) {
    text += '[';
    for (std::size_t i = 0; i < requirement.extras.size(); ++i) join(text, requirement.extras[i], i == 0);
    text += ']';
  }
  for (std::size_t i = 0; i < requirement.versions.size(); ++i) join(text, requirement.versions[i].op + requirement.versions[i].version, i == 0);
  if (requirement.url) text += " @ " + *requirement.url;
  if (!requirement.marker.empty()) text += (requirement.url ? " ; " : "; ") + requirement.marker;
  return text;
}

std::string normalized_name(std::string_view name) {
  std::string text;
  for (const char c : name) {
    const bool separator = c == '-' || c == '_' || c == '.';
    if (separator && !text.empty() && text.back() == '-') continue;
    text += separator ? '-' : c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return text;
}

}  // namespace wardenv::engine
