// SPDX-License-Identifier: Apache-2.0
// ClientHello: records put together, then each length checked against what is there.
#include "engine/egress/client_hello.h"

#include <cstdint>
#include <optional>
#include <set>

namespace wardenv::engine {
namespace {

constexpr std::uint8_t kHandshake = 22, kClientHello = 1, kHostName = 0;
constexpr std::uint16_t kServerName = 0, kEncryptedHello = 0xfe0d, kEncryptedServerName = 0xffce;
constexpr std::size_t kRecordHeader = 5, kMessageHeader = 4, kMaxRecord = 1 << 14;

ClientHello bad(const char* why) { return {HelloState::kBad, {}, why}; }

// Reads numbers and vectors; once anything was missing, all that follows is empty.
class Cursor {
 public:
  explicit Cursor(std::string_view bytes) : rest_(bytes) {}

  std::string_view take(std::size_t size) {
    if (size > rest_.size()) {
      ok_ = false;
      rest_ = {};
      return {};
    }
    const std::string_view part = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return part;
  }
  std::size_t number(std::size_t bytes) {
    std::size_t value = 0;
    for (const char c : take(bytes)) value = value << 8 | static_cast<std::uint8_t>(c);
    return value;
  }
  std::string_view vector(std::size_t length_bytes) { return take(number(length_bytes)); }
  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] bool empty() const { return rest_.empty(); }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

// RFC 6066, 3: a list of names, of which only host_name has ever been defined, and no type twice.
std::optional<std::string> one_host_name(std::string_view extension) {
  Cursor outer(extension);
  Cursor list(outer.vector(2));
  const std::size_t type = list.number(1);
  const std::string_view name = list.vector(2);
  if (!outer.ok() || !outer.empty() || !list.ok() || !list.empty() || type != kHostName || name.empty()) return std::nullopt;
  return std::string(name);
}

ClientHello read_extensions(std::string_view bytes) {
  ClientHello hello{HelloState::kDone, {}, ""};
  std::set<std::size_t> seen;
  for (Cursor extensions(bytes); !extensions.empty();) {
    const std::size_t type = extensions.number(2);
    const std::string_view body = extensions.vector(2);
    if (!extensions.ok()) return bad("a malformed ClientHello");
    if (!seen.insert(type).second) return bad("a ClientHello with an extension twice");
    if (type == kEncryptedHello || type == kEncryptedServerName) return bad("Encrypted Client Hello, which hides the name that is meant");
    if (type != kServerName) continue;
    auto name = one_host_name(body);
    if (!name) return bad("a malformed server name");
    hello.server_name = std::move(*name);
  }
  return hello;
}

ClientHello read_message(std::string_view body) {
  Cursor cursor(body);
  cursor.take(2 + 32);   // version, random
  const std::string_view session = cursor.vector(1);
  const std::string_view ciphers = cursor.vector(2);
  const std::string_view compressions = cursor.vector(1);
  if (!cursor.ok() || session.size() > 32 || ciphers.empty() || ciphers.size() % 2 != 0 || compressions.empty()) return bad("a malformed ClientHello");
  if (cursor.empty()) return {HelloState::kDone, {}, ""};
  const std::string_view extensions = cursor.vector(2);
  if (!cursor.ok() || !cursor.empty()) return bad("a malformed ClientHello");
  return read_extensions(extensions);
}

}  // namespace

ClientHello read_client_hello(std::string_view bytes) {
  std::string message;
  std::size_t at = 0;
  while (at < bytes.size()) {
    const std::string_view record = bytes.substr(at);
    if (static_cast<std::uint8_t>(record[0]) != kHandshake || (record.size() > 1 && record[1] != 3)) return bad("no TLS ClientHello");
    if (record.size() < kRecordHeader) break;
    const auto length = static_cast<std::size_t>(static_cast<std::uint8_t>(record[3]) << 8 | static_cast<std::uint8_t>(record[4]));
    if (length == 0 || length > kMaxRecord) return bad("a malformed TLS record");
    message += record.substr(kRecordHeader, length);
    if (!message.empty() && message.front() != kClientHello) return bad("no TLS ClientHello");
    if (message.size() >= kMessageHeader) {
      const std::size_t size = Cursor(std::string_view(message).substr(1)).number(3);
      if (size > kMaxHelloBytes) return bad("a ClientHello that is too long");
      if (message.size() > kMessageHeader + size) return bad("bytes behind the ClientHello");
      if (message.size() == kMessageHeader + size) {
        if (record.size() < kRecordHeader + length) return bad("bytes behind the ClientHello");   // which are still to come
        ClientHello hello = read_message(std::string_view(message).substr(kMessageHeader));
        hello.size = at + kRecordHeader + length;
        return hello;
      }
    }
    if (record.size() < kRecordHeader + length) break;
    at += kRecordHeader + length;
  }
  return bytes.size() > kMaxHelloBytes ? bad("a ClientHello that is too long") : ClientHello{};
}

std::size_t small_record(std::string_view bytes) {
  constexpr std::uint8_t kChangeCipherSpec = 20, kAlert = 21;
  constexpr std::size_t kLargest = 2;
  if (bytes.size() < kRecordHeader) return 0;
  const auto type = static_cast<std::uint8_t>(bytes[0]);
  const std::size_t length = Cursor(bytes.substr(3)).number(2);
  if ((type != kChangeCipherSpec && type != kAlert) || length > kLargest || bytes.size() < kRecordHeader + length) return 0;
  return kRecordHeader + length;
}

ServerAnswer read_server_answer(std::string_view bytes) {
  constexpr std::uint8_t kServerHello = 2;
  // The random of a ServerHello that is a HelloRetryRequest: SHA-256 of that word.
  constexpr std::string_view kRetry =
      "\xCF\x21\xAD\x74\xE5\x9A\x61\x11\xBE\x1D\x8C\x02\x1E\x65\xB8\x91\xC2\xA2\x11\x16\x7A\xBB\x8C\x5E\x07\x9E\x09\xE2\xC8\xA8\x33\x9C";
  while (const std::size_t skipped = small_record(bytes)) bytes.remove_prefix(skipped);   // a warning, say of a name that it does not know
  if (bytes.empty()) return ServerAnswer::kMore;
  const auto type = static_cast<std::uint8_t>(bytes[0]);
  if (type == 20 || type == 21) return bytes.size() < kRecordHeader + 2 ? ServerAnswer::kMore : ServerAnswer::kOther;
  if (type != kHandshake) return ServerAnswer::kOther;
  if (bytes.size() > kRecordHeader && static_cast<std::uint8_t>(bytes[kRecordHeader]) != kServerHello) return ServerAnswer::kOther;
  constexpr std::size_t kRandomAt = kRecordHeader + kMessageHeader + 2;
  if (bytes.size() < kRandomAt + kRetry.size()) return ServerAnswer::kMore;
  return bytes.substr(kRandomAt, kRetry.size()) == kRetry ? ServerAnswer::kRetry : ServerAnswer::kOther;
}

}  // namespace wardenv::engine
