// SPDX-License-Identifier: Apache-2.0
// The grammar of markers: marker = and ("or" and)*, and = item ("and" item)*, item = "(" marker ")" | value op value.
#include "engine/project/marker.h"

#include <algorithm>
#include <array>

#include "engine/project/scanner.h"

namespace wardenv::engine {
namespace {

constexpr int kMaxDepth = 20;

constexpr std::array<std::string_view, 14> kVariables = {
    "python_version", "python_full_version", "os_name", "sys_platform", "platform_release", "platform_system", "platform_version", "platform_machine",
    "platform_python_implementation", "implementation_name", "implementation_version", "extra", "extras", "dependency_groups"};

constexpr std::array<std::string_view, 8> kOperators = {"===", "<=", "!=", "==", ">=", "~=", "<", ">"};

tl::unexpected<Error> broken(std::string message) { return fail(ErrorCode::kBadInput, std::move(message)); }

class MarkerParser {
 public:
  explicit MarkerParser(std::string_view text) : scan_(text) {}

  Status parse() {
    if (scan_.at_end()) return broken("nothing after the semicolon");
    WARDENV_TRY(marker(0));
    if (!scan_.at_end()) return broken("`" + std::string(scan_.rest().substr(0, 40)) + "` is too much");
    return {};
  }

 private:
  // `and` binds tighter than `or`, which makes no difference to whether it is well formed.
  Status marker(int depth) {
    if (depth > kMaxDepth) return broken("too many parentheses");
    WARDENV_TRY(item(depth));
    scan_.skip_space();
    while (word("and") || word("or")) {
      WARDENV_TRY(item(depth));
      scan_.skip_space();
    }
    return {};
  }

  Status item(int depth) {
    scan_.skip_space();
    if (!scan_.take('(')) return comparison();
    WARDENV_TRY(marker(depth + 1));
    scan_.skip_space();
    if (!scan_.take(')')) return broken("a parenthesis is not closed");
    return {};
  }

  Status comparison() {
    WARDENV_TRY(value());
    scan_.skip_space();
    if (!comparison_operator()) return broken("a comparison such as `==` is missing");
    scan_.skip_space();
    return value();
  }

  bool comparison_operator() {
    for (const std::string_view op : kOperators) {
      if (!scan_.rest().starts_with(op)) continue;
      scan_.advance(op.size());
      return true;
    }
    if (word("in")) return true;
    if (!word("not")) return false;
    scan_.skip_space();
    return word("in");
  }

  Status value() {
    const char quote = scan_.peek();
    if (quote == '"' || quote == '\'') {
      scan_.take(quote);
      scan_.take_while([&](char c) { return c != quote && c != '\\'; });
      return scan_.take(quote) ? Status{} : broken("a quote is not closed");
    }
    const std::string name(scan_.take_while([](char c) { return Scanner::is_letter(c) || c == '_'; }));
    if (std::find(kVariables.begin(), kVariables.end(), name) == kVariables.end()) return broken("`" + name + "` is no variable of markers");
    return {};
  }

  bool word(std::string_view wanted) {
    const std::string_view rest = scan_.rest();
    if (!rest.starts_with(wanted)) return false;
    if (rest.size() > wanted.size() && (Scanner::is_alphanumeric(rest[wanted.size()]) || rest[wanted.size()] == '_')) return false;
    scan_.advance(wanted.size());
    return true;
  }

  Scanner scan_;
};

}  // namespace

Status check_marker(std::string_view text) { return MarkerParser(text).parse(); }

}  // namespace wardenv::engine
