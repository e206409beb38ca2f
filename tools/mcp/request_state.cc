// SPDX-License-Identifier: Apache-2.0
#include "tools/mcp/request_state.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sys/random.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace wardenv::mcp {
namespace {

constexpr auto kLifetime = std::chrono::minutes(10);
constexpr std::size_t kMacBytes = 32;
constexpr std::size_t kHeadBytes = 16;          // serial, expiry
constexpr std::size_t kMaxSealed = 64 * 1024;
constexpr std::size_t kMaxUsed = 65536;

std::string random_bytes(std::size_t count) {
  std::string bytes(count, '\0');
  if (getrandom(bytes.data(), count, 0) != static_cast<ssize_t>(count)) std::abort();   // no randomness: nothing here can be held
  return bytes;
}

std::string hex(std::string_view bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

std::string encode(std::string_view bytes) {
  std::string text(4 * ((bytes.size() + 2) / 3) + 1, '\0');
  const int length = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()), reinterpret_cast<const unsigned char*>(bytes.data()),
                                     static_cast<int>(bytes.size()));
  text.resize(static_cast<std::size_t>(length));
  return text;
}

std::optional<std::string> decode(std::string_view text) {
  if (text.empty() || text.size() % 4 != 0 || text.size() > kMaxSealed) return std::nullopt;
  std::string bytes(text.size() / 4 * 3, '\0');
  const int length = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()), reinterpret_cast<const unsigned char*>(text.data()),
                                     static_cast<int>(text.size()));
  if (length < 0) return std::nullopt;
  const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
  bytes.resize(static_cast<std::size_t>(length) - padding);
  if (encode(bytes) != text) return std::nullopt;   // one spelling only
  return bytes;
}

void put(std::string& out, std::uint64_t number) { out.append(reinterpret_cast<const char*>(&number), sizeof number); }

std::uint64_t get(std::string_view from, std::size_t at) {
  std::uint64_t number = 0;
  std::memcpy(&number, from.data() + at, sizeof number);
  return number;
}

}  // namespace

RequestStates::RequestStates() : key_(random_bytes(32)) {}

std::string RequestStates::mac(std::string_view payload, const StateBinding& binding) const {
  std::string bound;
  for (const std::string_view part : {payload, binding.principal, binding.method, binding.name, binding.arguments}) {
    put(bound, part.size());
    bound.append(part);
  }
  std::string out(kMacBytes, '\0');
  HMAC(EVP_sha256(), key_.data(), static_cast<int>(key_.size()), reinterpret_cast<const unsigned char*>(bound.data()), bound.size(),
       reinterpret_cast<unsigned char*>(out.data()), nullptr);
  return out;
}

std::string RequestStates::seal(std::string_view state, const StateBinding& binding, Clock::time_point now) {
  std::string payload;
  {
    std::lock_guard lock(mutex_);
    put(payload, next_++);
  }
  put(payload, static_cast<std::uint64_t>((now + kLifetime).time_since_epoch().count()));
  payload.append(state);
  return encode(payload + mac(payload, binding));
}

std::optional<std::string> RequestStates::open(std::string_view sealed, const StateBinding& binding, Clock::time_point now) {
  const auto bytes = decode(sealed);
  if (!bytes || bytes->size() < kHeadBytes + kMacBytes) return std::nullopt;
  const std::string_view payload = std::string_view(*bytes).substr(0, bytes->size() - kMacBytes);
  const std::string expected = mac(payload, binding);
  if (CRYPTO_memcmp(expected.data(), bytes->data() + payload.size(), kMacBytes) != 0) return std::nullopt;
  const Clock::time_point until(Clock::duration(static_cast<Clock::rep>(get(payload, 8))));
  if (until <= now || !use(get(payload, 0), until, now)) return std::nullopt;
  return std::string(payload.substr(kHeadBytes));
}

bool RequestStates::use(std::uint64_t serial, Clock::time_point until, Clock::time_point now) {
  std::lock_guard lock(mutex_);
  if (used_.size() >= kMaxUsed) std::erase_if(used_, [now](const auto& entry) { return entry.second <= now; });
  if (used_.size() >= kMaxUsed) return false;
  return used_.emplace(serial, until).second;
}

std::string random_id() { return hex(random_bytes(16)); }

}  // namespace wardenv::mcp
