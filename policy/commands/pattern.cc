// SPDX-License-Identifier: Apache-2.0
// Pattern: a regular expression, compiled when it is first asked for.
#include <re2/re2.h>

#include "policy/commands/grammar.h"

namespace wardenv::policy {
namespace {

RE2::Options options() {
  RE2::Options options;
  options.set_log_errors(false);
  options.set_never_capture(true);
  options.set_dot_nl(true);  // whether a line break may stand in a value is said by "allow"
  options.set_max_mem(1 << 20);
  return options;
}

}  // namespace

Pattern::Pattern(std::string text) : text_(std::move(text)) {}
Pattern::~Pattern() = default;

const RE2& Pattern::compiled() const {
  std::call_once(once_, [this] { compiled_ = std::make_unique<const RE2>(text_, options()); });
  return *compiled_;
}

std::string Pattern::error() const { return compiled().ok() ? "" : compiled().error(); }

bool Pattern::matches(std::string_view value) const { return RE2::FullMatch({value.data(), value.size()}, compiled()); }

}  // namespace wardenv::policy
