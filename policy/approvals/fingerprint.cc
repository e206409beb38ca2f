// SPDX-License-Identifier: Apache-2.0
// What makes two calls the same.
#include "policy/approvals/fingerprint.h"

#include <openssl/evp.h>

#include <array>
#include <nlohmann/json.hpp>
#include <set>
#include <stdexcept>

namespace wardenv::policy {
namespace {

using Json = nlohmann::json;   // objects are ordered by key, bytewise

// dump() recurses.
constexpr int kDeepest = 128;

// Refuses what two readers could read differently, or what would exhaust the stack.
class Strict {
 public:
  bool operator()(int depth, Json::parse_event_t event, const Json& parsed) {
    if (depth > kDeepest) throw std::invalid_argument("nested too deeply");
    const auto level = static_cast<std::size_t>(depth);
    if (event == Json::parse_event_t::object_start) {
      if (keys_.size() < level + 2) keys_.resize(level + 2);
      keys_[level + 1].clear();
    }
    if (event == Json::parse_event_t::key && !keys_.at(level).insert(parsed.get<std::string>()).second) {
      throw std::invalid_argument("the key `" + parsed.get<std::string>() + "` is there twice");
    }
    return true;
  }

 private:
  std::vector<std::set<std::string>> keys_{};   // of the open object of each depth
};

Json parse_strictly(const std::string& text) {
  Strict strict;
  return Json::parse(text, [&](int depth, Json::parse_event_t event, Json& parsed) { return strict(depth, event, parsed); });
}

std::string sha256_hex(const std::string& text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  if (EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha256(), nullptr) != 1) throw std::runtime_error("SHA-256 failed");
  std::string hex;
  for (unsigned int i = 0; i < size; ++i) {
    hex += "0123456789abcdef"[digest[i] >> 4];
    hex += "0123456789abcdef"[digest[i] & 15];
  }
  return hex;
}

}  // namespace

Result<Canonical> canonical(const ApprovalCall& call) {
  try {
    const Json arguments = parse_strictly(call.arguments_json);
    const Json whole{{"tool", call.tool}, {"arguments", arguments}, {"grant", call.grant}, {"cwd", call.cwd},
                     {"rule", call.rule}, {"profile", call.profile}, {"policy", call.policy_digest}, {"workspace", call.workspace},
                     {"venv", call.venv}, {"program", call.program}, {"program_identity", call.program_identity}};
    return Canonical{arguments.dump(), sha256_hex(whole.dump())};
  } catch (const std::exception& thrown) {
    return fail(ErrorCode::kBadInput, std::string("the call can't wait for an approval: ") + thrown.what(), "JSON and UTF-8 only");
  }
}

Result<std::string> fingerprint_of(const ApprovalCall& call) {
  auto form = canonical(call);
  if (!form) return tl::unexpected(std::move(form).error());
  return std::move(form->fingerprint);
}

}  // namespace wardenv::policy
