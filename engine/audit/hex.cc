// SPDX-License-Identifier: Apache-2.0
// Bytes as digits.
#include "engine/audit/crypto.h"

namespace wardenv::engine::audit {
namespace {

constexpr char kDigits[] = "0123456789abcdef";

int digit_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

}  // namespace

std::string to_hex(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const char byte : bytes) {
    const auto value = static_cast<unsigned char>(byte);
    text += kDigits[value >> 4];
    text += kDigits[value & 15];
  }
  return text;
}

std::string to_hex(const Digest& digest) {
  std::string text(2 * digest.size(), '0');
  write_hex(digest, digest.size(), text.data());
  return text;
}

void write_hex(const Digest& digest, std::size_t n, char* out) {
  for (std::size_t i = 0; i < n; ++i) {
    *out++ = kDigits[digest[i] >> 4];
    *out++ = kDigits[digest[i] & 15];
  }
}

std::string from_hex(std::string_view digits, std::size_t n) {
  std::string bytes;
  if (digits.size() != 2 * n) return bytes;
  for (std::size_t i = 0; i < n; ++i) {
    const int high = digit_value(digits[2 * i]);
    const int low = digit_value(digits[2 * i + 1]);
    if (high < 0 || low < 0) return {};
    bytes += static_cast<char>(high * 16 + low);
  }
  return bytes;
}

}  // namespace wardenv::engine::audit
