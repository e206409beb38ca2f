// SPDX-License-Identifier: Apache-2.0
// IP addresses and ranges, and which of them are not the public Internet. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace wardenv::engine {

// IPv4 in 4 bytes or IPv6 in 16, network order. An IPv4 address written as IPv6 (::ffff:a.b.c.d) stays IPv6: it is refused as such.
struct IpAddress {
  std::array<std::uint8_t, 16> bytes{};
  std::uint8_t length = 4;
  bool operator==(const IpAddress&) const = default;
};

struct AddressRange {
  IpAddress first{};
  std::uint8_t prefix = 32;   // bits
  bool operator==(const AddressRange&) const = default;
};

// Four decimal numbers, or IPv6 without brackets and zone (RFC 4291, 2.2). Other ways that inet_aton(3) knows to write an address (octal,
// hexadecimal, fewer numbers) are none.
std::optional<IpAddress> parse_address(std::string_view text);

// "10.0.0.0/8", "fd00::/8", or one address. Bits beyond the prefix must be 0.
std::optional<AddressRange> parse_range(std::string_view text);

bool contains(const AddressRange& range, const IpAddress& address);
std::string to_string(const IpAddress& address);
std::string to_string(const AddressRange& range);

// The range of addresses that are not public in which this one lies, and what it is: "loopback", "private", "link-local" …; nullptr for a
// public address. After the special-purpose registries of IANA (RFC 6890); ranges for documentation are not among them, nothing is there.
struct SpecialRange {
  AddressRange range;
  const char* kind;
};
const SpecialRange* special_range(const IpAddress& address);

}  // namespace wardenv::engine
