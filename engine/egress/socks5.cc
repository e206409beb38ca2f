// SPDX-License-Identifier: Apache-2.0
#include "engine/egress/socks5.h"

#include "engine/egress/address.h"

namespace wardenv::engine {
namespace {

constexpr char kVersion = 5, kNoAuthentication = 0, kConnect = 1;
constexpr std::uint8_t kIpv4 = 1, kName = 3, kIpv6 = 4;

std::uint8_t byte_at(std::string_view bytes, std::size_t index) { return static_cast<std::uint8_t>(bytes[index]); }

SocksRequest refuse(SocksReply reply) { return {SocksState::kBad, 0, {}, 0, reply}; }

std::string address_text(std::string_view raw) {
  IpAddress address;
  address.length = static_cast<std::uint8_t>(raw.size());
  for (std::size_t i = 0; i < raw.size(); ++i) address.bytes[i] = byte_at(raw, i);
  return to_string(address);
}

}  // namespace

SocksGreeting read_socks_greeting(std::string_view bytes) {
  if (bytes.empty()) return {};
  if (bytes[0] != kVersion) return {SocksState::kBad, 0};
  if (bytes.size() < 2) return {};
  const std::size_t count = byte_at(bytes, 1);
  if (bytes.size() < 2 + count) return {};
  const bool offered = bytes.substr(2, count).find(kNoAuthentication) != std::string_view::npos;
  return {offered ? SocksState::kDone : SocksState::kBad, 2 + count};
}

SocksRequest read_socks_request(std::string_view bytes) {
  if (bytes.size() < 5) return {};
  if (bytes[0] != kVersion || bytes[2] != 0) return refuse(SocksReply::kFailure);
  if (bytes[1] != kConnect) return refuse(SocksReply::kCommandNotSupported);
  const std::uint8_t type = byte_at(bytes, 3);
  if (type != kIpv4 && type != kIpv6 && type != kName) return refuse(SocksReply::kAddressNotSupported);
  const std::size_t begin = type == kName ? 5 : 4;
  const std::size_t length = type == kName ? byte_at(bytes, 4) : type == kIpv4 ? 4 : 16;
  const std::size_t size = begin + length + 2;
  if (length == 0) return refuse(SocksReply::kFailure);
  if (bytes.size() < size) return {};
  const std::string_view raw = bytes.substr(begin, length);
  SocksRequest request{SocksState::kDone, size, type == kName ? std::string(raw) : address_text(raw), 0, SocksReply::kFailure};
  request.port = static_cast<std::uint16_t>(byte_at(bytes, size - 2) << 8 | byte_at(bytes, size - 1));
  return request;
}

std::string socks_method_reply(SocksState state) { return {kVersion, state == SocksState::kDone ? kNoAuthentication : '\xff'}; }

std::string socks_reply(SocksReply reply) {
  return {kVersion, static_cast<char>(reply), 0, static_cast<char>(kIpv4), 0, 0, 0, 0, 0, 0};
}

}  // namespace wardenv::engine
