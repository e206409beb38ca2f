// SPDX-License-Identifier: Apache-2.0
// What makes two calls the same.
#include "policy/approvals/fingerprint.h"

#include <openssl/evp.h>

#include <array>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "policy/core/load.h"

namespace wardenv::policy {
namespace {

using Json = nlohmann::json;   // objects are ordered by key, bytewise

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

tl::unexpected<Error> cant_wait(const std::string& why) {
  return fail(ErrorCode::kBadInput, "the call can't wait for an approval: " + why, "JSON and UTF-8 only");
}

}  // namespace

Result<Canonical> canonical(const ApprovalCall& call) {
  const auto read = load_data(call.arguments_json, Format::kJson);   // what two readers could read differently is refused
  if (!read) return cant_wait(read.error().message);
  try {
    const Json& arguments = *read;
    const Json whole{{"tool", call.tool}, {"arguments", arguments}, {"grant", call.grant}, {"cwd", call.cwd},
                     {"rule", call.rule}, {"profile", call.profile}, {"policy", call.policy_digest}, {"workspace", call.workspace},
                     {"venv", call.venv}, {"program", call.program}, {"program_identity", call.program_identity},
                     {"granted", call.granted_json}};
    return Canonical{arguments.dump(), sha256_hex(whole.dump())};
  } catch (const std::exception& thrown) {
    return cant_wait(thrown.what());
  }
}

Result<std::string> fingerprint_of(const ApprovalCall& call) {
  auto form = canonical(call);
  if (!form) return tl::unexpected(std::move(form).error());
  return std::move(form->fingerprint);
}

}  // namespace wardenv::policy
