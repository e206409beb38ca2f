// SPDX-License-Identifier: Apache-2.0
// What the audit log needs of a library: SHA-256, HMAC, Ed25519, random bytes. Of OpenSSL (crypto.cc), or of libsodium where that has to start
// at once (tools/wardenv/musl/crypto.cc).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "sandbox/base/error.h"

namespace wardenv::engine::audit {

using Digest = std::array<unsigned char, 32>;

std::string to_hex(std::string_view bytes);
std::string to_hex(const Digest& digest);
// Writes 2·n lower-case digits for the first n bytes. REQUIRES: room for them.
void write_hex(const Digest& digest, std::size_t n, char* out);
// Lower-case digits only, of exactly `n` bytes; "" where it is anything else.
std::string from_hex(std::string_view digits, std::size_t n);
bool same(std::string_view a, std::string_view b);  // in constant time
void wipe(void* bytes, std::size_t count);          // so that no compiler leaves it out
Result<std::string> random_bytes(std::size_t count);

// SHA-256 (FIPS 180-4) of bytes that come in pieces. A value: a copy goes on from where the original stands.
class Sha256 {
 public:
  static constexpr std::size_t kAlignment = alignof(std::uint64_t);
  using State = std::array<unsigned char, 112>;   // room for the library's own
  Sha256();
  void add(std::string_view bytes);
  Digest end();   // REQUIRES: called once
  static Digest of(std::string_view bytes);

 private:
  alignas(kAlignment) State state_;
};

// HMAC-SHA-256 (RFC 2104) under one key.
class Hmac {
 public:
  explicit Hmac(std::string_view key);
  [[nodiscard]] Digest of(std::string_view bytes) const;

 private:
  Sha256 inner_;   // both have taken in the key
  Sha256 outer_;
};

// Ed25519 (RFC 8032).
class SigningKey {
 public:
  static Result<SigningKey> from_seed(const Digest& seed);
  [[nodiscard]] std::string public_key() const;                   // 32 bytes
  [[nodiscard]] Result<std::string> sign(std::string_view message) const;  // 64 bytes

 private:
  struct Free { void operator()(void* key) const; };
  explicit SigningKey(void* key) : key_(key) {}
  std::unique_ptr<void, Free> key_;
};
bool signature_holds(std::string_view public_key, std::string_view message, std::string_view signature);

}  // namespace wardenv::engine::audit
