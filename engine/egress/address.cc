// SPDX-License-Identifier: Apache-2.0
// IP addresses and ranges.
#include "engine/egress/address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <vector>

namespace wardenv::engine {
namespace {

struct Special {
  const char* range;
  const char* kind;
};

// Longer prefixes before the ranges that hold them.
constexpr std::array kSpecial = {
    Special{"0.0.0.0/8", "unspecified"},
    Special{"10.0.0.0/8", "private"},
    Special{"100.100.100.200/32", "cloud metadata"},
    Special{"100.64.0.0/10", "shared address space"},
    Special{"127.0.0.0/8", "loopback"},
    Special{"168.63.129.16/32", "cloud metadata"},   // a public address that hosts of one cloud reach its agent by
    Special{"169.254.169.254/32", "cloud metadata"},
    Special{"169.254.0.0/16", "link-local"},
    Special{"172.16.0.0/12", "private"},
    Special{"192.0.0.192/32", "cloud metadata"},
    Special{"192.0.0.0/24", "protocol assignments"},
    Special{"192.88.99.0/24", "6to4 relay"},
    Special{"192.168.0.0/16", "private"},
    Special{"198.18.0.0/15", "benchmarking"},
    Special{"224.0.0.0/4", "multicast"},
    Special{"240.0.0.0/4", "reserved or broadcast"},
    Special{"::/128", "unspecified"},
    Special{"::1/128", "loopback"},
    Special{"::ffff:0:0/96", "IPv4-mapped"},
    Special{"::ffff:0:0:0/96", "IPv4-translated"},
    Special{"::/96", "IPv4-compatible"},
    Special{"64:ff9b::/96", "NAT64"},
    Special{"64:ff9b:1::/48", "NAT64"},
    Special{"100::/64", "discard"},
    Special{"2001::/23", "protocol assignments"},    // Teredo is in it
    Special{"2002::/16", "6to4"},
    Special{"fd00:ec2::254/128", "cloud metadata"},
    Special{"fd20:ce::254/128", "cloud metadata"},
    Special{"fc00::/7", "private"},
    Special{"5f00::/16", "segment routing"},
    Special{"fe80::/10", "link-local"},
    Special{"fec0::/10", "site-local"},
    Special{"ff00::/8", "multicast"},
};

const std::vector<SpecialRange>& special_ranges() {
  static const std::vector<SpecialRange> ranges = [] {
    std::vector<SpecialRange> parsed;
    for (const Special& item : kSpecial) {
      if (auto range = parse_range(item.range)) parsed.push_back({*range, item.kind});
    }
    return parsed;
  }();
  return ranges;
}

bool bit_at(const IpAddress& address, unsigned index) { return (address.bytes[index / 8] >> (7 - index % 8) & 1) != 0; }

// inet_pton(3) is strict, but for IPv4 numbers with leading zeros, which some libraries read as octal.
bool has_leading_zero(std::string_view text) {
  for (std::size_t i = 0; i + 1 < text.size(); ++i) {
    const bool first = i == 0 || text[i - 1] == '.';
    if (first && text[i] == '0' && text[i + 1] != '.') return true;
  }
  return false;
}

}  // namespace

std::optional<IpAddress> parse_address(std::string_view text) {
  const std::string copy(text);
  if (copy.size() != std::char_traits<char>::length(copy.c_str())) return std::nullopt;  // a NUL inside
  IpAddress address;
  if (copy.find(':') == std::string::npos) {
    if (has_leading_zero(copy) || ::inet_pton(AF_INET, copy.c_str(), address.bytes.data()) != 1) return std::nullopt;
    return address;
  }
  address.length = 16;
  if (::inet_pton(AF_INET6, copy.c_str(), address.bytes.data()) != 1) return std::nullopt;
  return address;
}

std::optional<AddressRange> parse_range(std::string_view text) {
  const std::size_t slash = text.find('/');
  const auto address = parse_address(text.substr(0, slash));
  if (!address) return std::nullopt;
  const auto bits = static_cast<unsigned>(address->length * 8);
  unsigned prefix = bits;
  if (slash != std::string_view::npos) {
    const std::string_view number = text.substr(slash + 1);
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), prefix);
    if (error != std::errc() || end != number.data() + number.size() || prefix > bits) return std::nullopt;
  }
  for (unsigned i = prefix; i < bits; ++i) {
    if (bit_at(*address, i)) return std::nullopt;
  }
  return AddressRange{*address, static_cast<std::uint8_t>(prefix)};
}

bool contains(const AddressRange& range, const IpAddress& address) {
  if (range.first.length != address.length) return false;
  const std::size_t whole = range.prefix / 8;
  if (!std::equal(address.bytes.begin(), address.bytes.begin() + static_cast<std::ptrdiff_t>(whole), range.first.bytes.begin())) return false;
  const unsigned rest = range.prefix % 8;
  return rest == 0 || (range.first.bytes[whole] ^ address.bytes[whole]) >> (8 - rest) == 0;
}

std::string to_string(const IpAddress& address) {
  char text[INET6_ADDRSTRLEN] = {};
  ::inet_ntop(address.length == 4 ? AF_INET : AF_INET6, address.bytes.data(), text, sizeof text);
  return text;
}

std::string to_string(const AddressRange& range) { return to_string(range.first) + "/" + std::to_string(range.prefix); }

const SpecialRange* special_range(const IpAddress& address) {
  const auto& ranges = special_ranges();
  const auto found = std::find_if(ranges.begin(), ranges.end(), [&](const SpecialRange& item) { return contains(item.range, address); });
  return found == ranges.end() ? nullptr : &*found;
}

}  // namespace wardenv::engine
