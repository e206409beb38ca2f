// SPDX-License-Identifier: Apache-2.0
// Asking, in words.
#include "engine/gate/asking.h"

#include <algorithm>

#include "engine/units.h"

namespace wardenv::engine {

bool Asking::has(std::string_view option) const { return std::find(options.begin(), options.end(), option) != options.end(); }

tl::unexpected<Error> Asking::too_much(const char* option, const std::string& granted) const {
  const std::string name = option;
  if (profile.empty()) {
    return fail(ErrorCode::kBadInput, "--" + name + " asks for more than the policy grants (" + granted + ")", "leave it out, or have it granted by a profile of the policy");
  }
  return fail(ErrorCode::kBadInput, "the profile `" + profile + "` asks for more than the policy grants (" + name + ": " + granted + ")",
              "choose a tighter one, or have it granted: name it in the tool's rule or the grant");
}

std::string granted_text(std::chrono::milliseconds time) { return duration_text(time); }
std::string granted_text(std::uint64_t bytes) { return size_text(bytes); }
std::string granted_text(std::uint32_t count) { return std::to_string(count); }
std::string granted_text(double cores) { return cores_text(cores); }

std::string granted_text(std::span<const std::string> names) {
  constexpr std::size_t kShown = 8;
  std::string text;
  for (std::size_t i = 0; i < std::min(names.size(), kShown); ++i) text += (i > 0 ? ", " : "") + names[i];
  if (names.size() > kShown) text += " and " + std::to_string(names.size() - kShown) + " more";
  return text.empty() ? "none" : text;
}

}  // namespace wardenv::engine
