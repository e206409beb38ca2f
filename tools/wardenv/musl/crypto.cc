// SPDX-License-Identifier: Apache-2.0
// What the audit log needs of a library, of libsodium: it needs no set-up, and none of the C library that musl has not.
#include "engine/audit/crypto.h"

#include <sodium.h>
#include <sys/random.h>

#include <new>

namespace wardenv::engine::audit {
namespace {

const unsigned char* bytes_of(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

crypto_hash_sha256_state* context(Sha256::State& state) {
  static_assert(sizeof(crypto_hash_sha256_state) <= sizeof state && alignof(crypto_hash_sha256_state) <= Sha256::kAlignment);
  return std::launder(reinterpret_cast<crypto_hash_sha256_state*>(state.data()));
}

}  // namespace

void wipe(void* bytes, std::size_t count) { ::sodium_memzero(bytes, count); }

bool same(std::string_view a, std::string_view b) { return a.size() == b.size() && ::sodium_memcmp(a.data(), b.data(), a.size()) == 0; }

Result<std::string> random_bytes(std::size_t count) {
  std::string bytes(count, '\0');
  if (::getrandom(bytes.data(), count, 0) != static_cast<ssize_t>(count)) return fail(ErrorCode::kHost, "no random bytes from the kernel");
  return bytes;
}

Sha256::Sha256() { ::crypto_hash_sha256_init(new (state_.data()) crypto_hash_sha256_state); }

void Sha256::add(std::string_view bytes) { ::crypto_hash_sha256_update(context(state_), bytes_of(bytes), bytes.size()); }

Digest Sha256::end() {
  Digest digest;
  ::crypto_hash_sha256_final(context(state_), digest.data());
  return digest;
}

// The secret key of libsodium is the seed with the public key behind it.
using SecretKey = std::array<unsigned char, crypto_sign_SECRETKEYBYTES>;

void SigningKey::Free::operator()(void* key) const {
  wipe(key, sizeof(SecretKey));
  delete static_cast<SecretKey*>(key);
}

Result<SigningKey> SigningKey::from_seed(const Digest& seed) {
  auto* key = new SecretKey;
  unsigned char public_key[crypto_sign_PUBLICKEYBYTES];
  ::crypto_sign_seed_keypair(public_key, key->data(), seed.data());
  return SigningKey(key);
}

std::string SigningKey::public_key() const {
  const SecretKey& key = *static_cast<const SecretKey*>(key_.get());
  return std::string(reinterpret_cast<const char*>(key.data()) + crypto_sign_SEEDBYTES, crypto_sign_PUBLICKEYBYTES);
}

Result<std::string> SigningKey::sign(std::string_view message) const {
  std::string signature(crypto_sign_BYTES, '\0');
  const SecretKey& key = *static_cast<const SecretKey*>(key_.get());
  ::crypto_sign_detached(reinterpret_cast<unsigned char*>(signature.data()), nullptr, bytes_of(message), message.size(), key.data());
  return signature;
}

}  // namespace wardenv::engine::audit
