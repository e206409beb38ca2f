// SPDX-License-Identifier: Apache-2.0
// Addresses and ranges: how they may be written, and which are not public.
#include "engine/egress/address.h"

#include "tests/support/catch.h"

using namespace wardenv::engine;

TEST_CASE("an address is four decimal numbers or IPv6 without a zone") {
  for (const char* good : {"1.2.3.4", "0.0.0.0", "255.255.255.255", "::1", "2001:db8::1", "::ffff:1.2.3.4", "FE80::1"}) {
    INFO(good);
    CHECK(parse_address(good));
  }
  for (const char* bad : {"", "1.2.3", "1.2.3.4.5", "256.1.1.1", "2130706433", "0x7f.0.0.1", "0177.0.0.1", "01.2.3.4", "1.2.3.04", "127.1", "1.2.3.4 ",
                          " 1.2.3.4", "[::1]", "fe80::1%lo", "::1%1", "1.2.3.4/8", "1.2.3.-4", "\xd9\xa1.1.1.1", "::ffff:1.2.3.04x"}) {
    INFO(bad);
    CHECK_FALSE(parse_address(bad));
  }
  CHECK_FALSE(parse_address(std::string_view("1.2.3.4\0", 8)));
}

TEST_CASE("a range has no bits beyond its prefix") {
  CHECK(to_string(parse_range("10.0.0.0/8").value()) == "10.0.0.0/8");
  CHECK(to_string(parse_range("10.1.2.3").value()) == "10.1.2.3/32");
  CHECK(to_string(parse_range("fd00::/8").value()) == "fd00::/8");
  CHECK(to_string(parse_range("::/0").value()) == "::/0");
  for (const char* bad : {"10.1.0.0/8", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/8/8", "fd00::/129", "fd00::1/64", "/8", "name/8", "10.0.0.0/ 8"}) {
    INFO(bad);
    CHECK_FALSE(parse_range(bad));
  }
}

TEST_CASE("a range holds what begins with its prefix, in its own family") {
  auto holds = [](const char* range, const char* address) { return contains(parse_range(range).value(), parse_address(address).value()); };
  CHECK(holds("10.0.0.0/8", "10.255.1.2"));
  CHECK_FALSE(holds("10.0.0.0/8", "11.0.0.0"));
  CHECK(holds("172.16.0.0/12", "172.31.255.255"));
  CHECK_FALSE(holds("172.16.0.0/12", "172.32.0.0"));
  CHECK(holds("0.0.0.0/0", "9.9.9.9"));
  CHECK_FALSE(holds("0.0.0.0/0", "::1"));
  CHECK_FALSE(holds("::/0", "1.2.3.4"));
  CHECK(holds("1.2.3.4/32", "1.2.3.4"));
  CHECK_FALSE(holds("1.2.3.4/32", "1.2.3.5"));
}

TEST_CASE("what is not public has a name") {
  struct Row {
    const char* address;
    const char* kind;
  };
  for (const Row& row : std::initializer_list<Row>{{"0.0.0.0", "unspecified"}, {"0.1.2.3", "unspecified"}, {"10.1.2.3", "private"}, {"100.64.0.1", "shared address space"},
                                                   {"100.127.255.255", "shared address space"}, {"127.0.0.1", "loopback"}, {"127.255.0.1", "loopback"},
                                                   {"169.254.169.254", "cloud metadata"}, {"169.254.1.1", "link-local"}, {"168.63.129.16", "cloud metadata"},
                                                   {"172.16.0.1", "private"}, {"172.31.0.1", "private"}, {"192.168.1.1", "private"}, {"198.18.0.1", "benchmarking"},
                                                   {"224.0.0.1", "multicast"}, {"239.1.1.1", "multicast"}, {"240.0.0.1", "reserved or broadcast"},
                                                   {"255.255.255.255", "reserved or broadcast"}, {"::", "unspecified"}, {"::1", "loopback"},
                                                   {"::ffff:127.0.0.1", "IPv4-mapped"}, {"::ffff:8.8.8.8", "IPv4-mapped"}, {"::127.0.0.1", "IPv4-compatible"},
                                                   {"64:ff9b::7f00:1", "NAT64"}, {"64:ff9b:1::1", "NAT64"}, {"2002:7f00:1::", "6to4"}, {"2001::1", "protocol assignments"},
                                                   {"fd00:ec2::254", "cloud metadata"}, {"fd12::1", "private"}, {"fc00::1", "private"}, {"fe80::1", "link-local"},
                                                   {"febf::1", "link-local"}, {"fec0::1", "site-local"}, {"ff02::1", "multicast"}, {"5f00::1", "segment routing"}}) {
    INFO(row.address);
    const SpecialRange* special = special_range(parse_address(row.address).value());
    const char* kind = special != nullptr ? special->kind : nullptr;
    REQUIRE(kind != nullptr);
    CHECK(std::string(kind) == row.kind);
  }
  for (const char* open : {"1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0", "169.253.255.255",
                           "172.15.255.255", "172.32.0.0", "192.167.255.255", "192.169.0.0", "223.255.255.255", "203.0.113.9", "2600::1", "2a00:1450::1",
                           "2003::1", "fbff::1"}) {
    INFO(open);
    CHECK(special_range(parse_address(open).value()) == nullptr);
  }
}
