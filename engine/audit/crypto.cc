// SPDX-License-Identifier: Apache-2.0
// What the audit log needs of OpenSSL.
// The library's older interface to SHA-256 needs no set-up of the library (a millisecond: providers, openssl.cnf), which a program that writes
// one record and ends would pay each time.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "engine/audit/crypto.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include <cstdio>
#include <cstdlib>
#include <new>

namespace wardenv::engine::audit {
namespace {

// A hash that fails is out of memory or a broken library; going on without one would write a log that proves nothing.
void must(bool good, const char* what) {
  if (good) return;
  std::fprintf(stderr, "wardenv: OpenSSL failed at %s\n", what);
  std::abort();
}

const unsigned char* bytes_of(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

SHA256_CTX* context(Sha256::State& state) {
  static_assert(sizeof(SHA256_CTX) <= sizeof state && alignof(SHA256_CTX) <= Sha256::kAlignment);
  return std::launder(reinterpret_cast<SHA256_CTX*>(state.data()));
}

}  // namespace

void wipe(void* bytes, std::size_t count) { OPENSSL_cleanse(bytes, count); }

bool same(std::string_view a, std::string_view b) { return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0; }

Result<std::string> random_bytes(std::size_t count) {
  std::string bytes(count, '\0');
  if (RAND_bytes(reinterpret_cast<unsigned char*>(bytes.data()), static_cast<int>(count)) != 1) {
    return fail(ErrorCode::kHost, "no random bytes from OpenSSL");
  }
  return bytes;
}

Sha256::Sha256() { must(SHA256_Init(new (state_.data()) SHA256_CTX) == 1, "SHA-256"); }

void Sha256::add(std::string_view bytes) { must(SHA256_Update(context(state_), bytes.data(), bytes.size()) == 1, "SHA-256"); }

Digest Sha256::end() {
  Digest digest;
  must(SHA256_Final(digest.data(), context(state_)) == 1, "SHA-256");
  return digest;
}

void SigningKey::Free::operator()(void* key) const { EVP_PKEY_free(static_cast<EVP_PKEY*>(key)); }

Result<SigningKey> SigningKey::from_seed(const Digest& seed) {
  EVP_PKEY* key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, seed.data(), seed.size());
  if (key == nullptr) return fail(ErrorCode::kHost, "OpenSSL has no Ed25519 here");
  return SigningKey(key);
}

std::string SigningKey::public_key() const {
  std::string bytes(32, '\0');
  std::size_t length = bytes.size();
  must(EVP_PKEY_get_raw_public_key(static_cast<EVP_PKEY*>(key_.get()), reinterpret_cast<unsigned char*>(bytes.data()), &length) == 1,
       "EVP_PKEY_get_raw_public_key");
  return bytes;
}

Result<std::string> SigningKey::sign(std::string_view message) const {
  std::string signature(64, '\0');
  std::size_t length = signature.size();
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  const bool good = context != nullptr &&
                    EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, static_cast<EVP_PKEY*>(key_.get())) == 1 &&
                    EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &length, bytes_of(message), message.size()) == 1;
  if (!good) return fail(ErrorCode::kHost, "OpenSSL could not sign the head of the audit log");
  return signature;
}

bool signature_holds(std::string_view public_key, std::string_view message, std::string_view signature) {
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(
      EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, bytes_of(public_key), public_key.size()), EVP_PKEY_free);
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  return key != nullptr && context != nullptr && EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key.get()) == 1 &&
         EVP_DigestVerify(context.get(), bytes_of(signature), signature.size(), bytes_of(message), message.size()) == 1;
}

}  // namespace wardenv::engine::audit
