// SPDX-License-Identifier: Apache-2.0
// HMAC of SHA-256, whoever makes that.
#include <algorithm>

#include "engine/audit/crypto.h"

namespace wardenv::engine::audit {

Digest Sha256::of(std::string_view bytes) {
  Sha256 hash;
  hash.add(bytes);
  return hash.end();
}

Hmac::Hmac(std::string_view key) {
  std::array<char, 64> block{};   // the block of SHA-256
  const Digest shortened = key.size() > block.size() ? Sha256::of(key) : Digest{};
  if (key.size() > block.size()) key = {reinterpret_cast<const char*>(shortened.data()), shortened.size()};
  std::copy(key.begin(), key.end(), block.begin());
  for (char& byte : block) byte = static_cast<char>(byte ^ 0x36);
  inner_.add({block.data(), block.size()});
  for (char& byte : block) byte = static_cast<char>(byte ^ 0x36 ^ 0x5c);
  outer_.add({block.data(), block.size()});
  wipe(block.data(), block.size());
}

Digest Hmac::of(std::string_view bytes) const {
  Sha256 inner = inner_;
  inner.add(bytes);
  const Digest digest = inner.end();
  Sha256 outer = outer_;
  outer.add({reinterpret_cast<const char*>(digest.data()), digest.size()});
  return outer.end();
}

}  // namespace wardenv::engine::audit
