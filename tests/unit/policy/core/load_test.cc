// SPDX-License-Identifier: Apache-2.0
// The loader: what it takes, what it refuses, and where it says that the fault is.
#include "policy/core/text/sha256.h"
#include "tests/unit/policy/core/support.h"

using namespace wardenv::policy;
using namespace wardenv::policy::testing;
using namespace std::chrono_literals;
using Catch::Contains;

namespace {

constexpr const char* kSeed = R"({"version": "1", "default": "deny",
 "tools": {"run_in_venv": {"limits": [{"counter": "run_in_venv_rate", "window": "minute", "max": 10, "scope": "grant"}]}}})";

std::string tool(const std::string& rule) { return R"({"version":"1","default":"deny","tools":{"t":)" + rule + "}}"; }
std::string with(const std::string& more) { return R"({"version":"1","default":"deny","tools":{"t":{}},)" + more + "}"; }

}  // namespace

TEST_CASE("policy: the seed document works unchanged") {
  const auto document = load(kSeed);
  const Decision decision = judge(*document, "run_in_venv", R"({"command":"pytest"})");
  CHECK(verdict(decision) == "allow /tools/run_in_venv");
  REQUIRE(decision.quotas.size() == 1);
  CHECK(decision.quotas[0].key == "grant//run_in_venv_rate");
  CHECK(decision.quotas[0].window == 60s);
  CHECK(decision.quotas[0].mode == LimitMode::kSliding);
  CHECK(decision.quotas[0].amount == 1);
  CHECK(decision.quotas[0].max == 10);
  CHECK(decision.quotas[0].rule == "/tools/run_in_venv/limits/0");
  CHECK(verdict(*document, "add_package") == "deny (default deny)");
}

TEST_CASE("policy: the digest is the SHA-256 of the text") {
  CHECK(load_document("").digest_sha256 == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(load_document("abc").digest_sha256 == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(load_document(std::string(1000, 'a')).digest_sha256 == "41edece42d63e8d9bf515a9ba6932e1c20cbc9f5a5d134645adb5db1b9737ea3");
}

TEST_CASE("policy: both ways to take a digest agree, at every length around a block") {
  std::string text;
  for (int i = 0; i < 300; ++i) {
    CHECK(core::sha256_hex(text) == core::sha256_hex_plain(text));
    text += static_cast<char>(i * 7);
  }
  CHECK(core::sha256_hex_plain("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST_CASE("policy: JSON and YAML are one") {
  const auto document = load(R"(
version: "1"
default: deny
tools:
  pay:
    require:
      - {arg: amount, op: lte, value: 9007199254740993}
    limits:
      - {counter: money, window: day, max: 9223372036854775807, scope: global, increment_from: amount, mode: fixed}
)");
  CHECK(verdict(*document, "pay", R"({"amount":9007199254740993})") == "allow /tools/pay");
  CHECK(verdict(*document, "pay", R"({"amount":9007199254740994})") == "deny /tools/pay/require/0");
  const Decision decision = judge(*document, "pay", R"({"amount":7})");
  REQUIRE(decision.quotas.size() == 1);
  CHECK(decision.quotas[0].key == "global/money");
  CHECK(decision.quotas[0].amount == 7);
  CHECK(decision.quotas[0].mode == LimitMode::kFixed);
}

TEST_CASE("policy: every error is said at once, with its place") {
  const std::string text = refused("{\"version\": \"2\",\n \"default\": \"maybe\",\n \"tols\": {},\n \"tools\": {\"t\": {\"limits\": [\n   {\"counter\": \"c\", \"window\": \"week\", \"max\": -1}]}}}");
  CHECK(text == "p:1:13: error: /version: must be the string \"1\"\n"
                "p:2:13: error: /default: must be one of `allow`, `deny`\n"
                "p:3:2: error: /tols: unknown key `tols`: did you mean `tools`?\n"
                "p:5:31: error: /tools/t/limits/0/window: must be second, minute, hour or day, a duration such as \"90s\", or whole seconds, at most 366 days\n"
                "p:5:46: error: /tools/t/limits/0/max: must be a whole number from 1 on\n");
  const std::string yaml = refused("version: \"1\"\ndefault: deny\ntools:\n  t:\n    limit: []\n    action: maybe\n");
  CHECK(yaml == "p:5:5: error: /tools/t/limit: unknown key `limit`: did you mean `limits`?\n"
                "p:6:13: error: /tools/t/action: must be one of `allow`, `deny`, `require_approval`\n");
}

TEST_CASE("policy: columns count characters") {
  CHECK_THAT(refused("{\"version\": \"1\", \"default\": \"deny\", \"description\": \"\u00e4\u00f6\u00fc\", \"x\": 1}"), Contains("p:1:59: error: /x: unknown key"));
}

TEST_CASE("policy: malformed documents") {
  const std::pair<const char*, const char*> table[] = {
      {"", "empty"}, {"   ", "empty"}, {"{", "a key in double quotes"}, {"[]", "must be an object"}, {"null", "must be an object"}, {"{\"a\":1,}", "no comma may stand before `}`"},
      {"{'a':1}", "a key in double quotes"}, {"{\"a\":01}", "not a JSON number"}, {"{\"a\":1} x", "nothing may follow"}, {"{\"a\":\"\\x\"}", "no such escape"},
      {"{\"a\":\"\\ud800\"}", "surrogate"}, {"{\"a\":\"\x01\"}", "control character"}, {"{\"a\":\"\xff\"}", "not UTF-8"}, {"{\"a\":\"b", "does not end"},
      {"\xEF\xBB\xBF{}", "byte order mark"}, {"{\"a\":1e999}", "out of range"}, {"{\"a\":18446744073709551616}", "out of range"}, {"{\"a\":-9223372036854775809}", "out of range"},
      {"{\"a\":NaN}", "a value is expected"}, {"{\"a\":1 \"b\":2}", "`,` or `}`"}, {"{\"a\" 1}", "`:` is expected"}, {"{\"a\":[1,]}", "no comma may stand before `]`"},
      {"{\"a\":1.}", "a digit"}, {"{\"a\":1e}", "a digit"}, {"{\"a\":-}", "not a JSON number"}, {"{\"a\":tru}", "a value is expected"}};
  for (const auto& [text, word] : table) {
    INFO(text);
    CHECK_THAT(refused(text), Contains(word));
  }
  CHECK_THAT(refused(std::string_view("{\"a\":\"\0\"}", 9)), Contains("NUL"));
  CHECK_THAT(refused(std::string(65, '['), Format::kJson), Contains("nested too deeply"));
  CHECK_THAT(refused("{\"a\":" + std::string(100000, '[')), Contains("nested too deeply"));
  CHECK_THAT(refused(std::string(kMaxDocumentBytes + 1, ' ')), Contains("larger than"));
}

TEST_CASE("policy: YAML that is not plain data is refused") {
  const std::string head = "version: \"1\"\ndefault: deny\n";
  const std::pair<const char*, const char*> table[] = {
      {"tools: &a {t: {}}\n", "anchors and aliases"}, {"tools: {t: {}}\nhide: *a\n", "not YAML"}, {"tools: !!map {t: {}}\n", "tags"},
      {"tools: {t: {action: !!str deny}}\n", "tags"}, {"tools: {<<: {t: {}}}\n", "merge keys"}, {"tools: {? [a] : {}}\n", "a key must be a string"},
      {"tools: {t: {}}\n---\na: 1\n", "only one document"}, {"tools: {t: {limits: [{counter: c, window: 010, max: 1}]}}\n", "different numbers"},
      {"tools: {t: {limits: [{counter: c, window: 0x10, max: 1}]}}\n", "different numbers"}, {"tools: {t: {limits: [{counter: c, window: .inf, max: 1}]}}\n", "different numbers"},
      {"tools: {t: {limits: [{counter: c, window: 1, max: 99999999999999999999}]}}\n", "out of range"}, {"tools:\n\tt: {}\n", "not YAML"}, {"tools: {t: {}\n", "not YAML"},
      {"tools: {t: {}, t: {}}\n", "twice"}, {"tools: {~: {}}\n", "may not be empty"}, {"tools:\n  t:\n", "must be an object"},
      {R"(tools: {t: {deny_if: [{arg: a, op: eq, value: "a\_b"}]}})", "write \\xa0"}, {R"(tools: {t: {deny_if: [{arg: a, op: eq, value: "\0\N"}]}})", "and \\x85"},
      {R"(tools: {"\_": {}})", "no UTF-8"}};
  for (const auto& [text, word] : table) {
    INFO(text);
    CHECK_THAT(refused(head + text, Format::kYaml), Contains(word));
  }
  CHECK_THAT(refused("version: 1\ndefault: deny\n"), Contains("/version: must be the string \"1\""));
  CHECK_THAT(refused(std::string(5000, '['), Format::kYaml), Contains("error"));
  CHECK(load("# a comment\n" + head + "tools: {'t': {}}\n", Format::kYaml) != nullptr);
  CHECK(load(head + R"(tools: {t: {deny_if: [{arg: a, op: eq, value: "\xa0\x85\0\u00e4"}]}})", Format::kYaml) != nullptr);
}

TEST_CASE("policy: duplicate keys anywhere") {
  CHECK_THAT(refused(R"({"version":"1","version":"1","default":"deny"})"), Contains("p:1:16: error: /version: the key is there twice"));
  CHECK_THAT(refused(tool(R"({"deny_if":[{"arg":"a","op":"eq","value":{"x":1,"x":2}}]})")), Contains("/tools/t/deny_if/0/value/x: the key is there twice"));
  CHECK_THAT(refused(tool(R"({"commands":{"pytest":{"flags":{"-x":"none","-x":"none"}}}})")), Contains("/tools/t/commands/pytest/flags/-x: the key is there twice"));
  std::string many = "{";
  for (int i = 0; i < 50; ++i) many += "\"k" + std::to_string(i) + "\":1,";
  CHECK_THAT(refused(tool(R"({"deny_if":[{"arg":"a","op":"eq","value":)" + many + R"("k7":1}}]})")), Contains("/value/k7: the key is there twice"));
}

TEST_CASE("policy: what must be there, and of which type") {
  const std::pair<std::string, const char*> table[] = {
      {R"({"default":"deny"})", "`version` is missing"}, {R"({"version":"1"})", "`default` is missing"}, {R"({"version":"1","tools":{"t":{}}})", "`default` is missing"},
      {R"({"version":1,"default":"deny"})", "/version: must be the string"}, {with(R"("hide":"t")"), "/hide: must be a list"}, {with(R"("hide":[""])"), "/hide/0: must not be empty"},
      {with(R"("hide":["a","a"])"), "/hide/1: `a` is listed twice"}, {with(R"("hide":[7])"), "/hide/0: must be the name of a tool, not a number"},
      {tool("[]"), "/tools/t: must be an object"}, {tool(R"({"limits":{}})"), "/tools/t/limits: must be a list"}, {tool(R"({"limits":[{}]})"), "`counter` is missing"},
      {tool(R"({"limits":[{"counter":"c","window":"minute","max":0}]})"), "/max: must be a whole number from 1 on"},
      {tool(R"({"limits":[{"counter":"c","window":"minute","max":1.5}]})"), "/max: must be a whole number"},
      {tool(R"({"limits":[{"counter":"c","window":"minute","max":9223372036854775808}]})"), "/max: must be a whole number"},
      {tool(R"({"limits":[{"counter":"c","window":0,"max":1}]})"), "/window: must be"}, {tool(R"({"limits":[{"counter":"c","window":"90x","max":1}]})"), "/window: must be"},
      {tool(R"({"limits":[{"counter":"","window":"minute","max":1}]})"), "/counter: must not be empty"},
      {tool(R"({"limits":[{"counter":"c","window":"minute","max":1,"scope":"agent"}]})"), "/scope: must be one of `grant`, `session`, `tool`, `global`"},
      {tool(R"({"limits":[{"counter":"c","window":"minute","max":1},{"counter":"c","window":60,"max":2}]})"), "/tools/t/limits/1: the counter `c` with this window and scope is counted already"},
      {tool(R"({"rate_limit":"10"})"), "/rate_limit: must be a rate"}, {tool(R"({"rate_limit":"0/minute"})"), "must be a rate"}, {tool(R"({"rate_limit":"10/week"})"), "must be a rate"},
      {tool(R"({"rate_limit":{"max":10}})"), "`window` is missing"}, {tool(R"({"rate_limit":{"max":10,"window":60,"x":1}})"), "unknown key `x`"},
      {tool(R"({"require":[{"arg":"a","op":"equals","value":1}]})"), "/require/0/op: unknown operator"}, {tool(R"({"require":[{"op":"eq","value":1}]})"), "`arg` is missing"},
      {tool(R"({"require":[{"arg":"a","op":"in","value":1}]})"), "operator `in` needs a list"}, {tool(R"({"require":[{"arg":"a","op":"lt","value":"1"}]})"), "operator `lt` needs a number"},
      {tool(R"({"require":[{"arg":"a","op":"exists","value":"yes"}]})"), "operator `exists` needs true or false"}, {tool(R"({"require":[{"arg":"a","op":"regex","value":"("}]})"), "not a regular expression"},
      {tool(R"({"require":[{"arg":"a","op":"regex","value":7}]})"), "operator `regex` needs a string"}, {tool(R"({"require":[{"arg":"a","op":"under","value":"x"}]})"), "operator `under` needs an absolute folder"},
      {tool(R"({"require":[{"arg":"a","op":"under","value":"/a/../b"}]})"), "operator `under` needs"}, {tool(R"({"require":[{"arg":"a..b","op":"eq","value":1}]})"), "/require/0/arg: must be the name of an argument"},
      {tool(R"({"profile":"none"})"), "/tools/t/profile: there is no profile `none`"}, {tool(R"({"approval_timeout":"5m"})"), "approval_timeout needs"},
      {with(R"("grants":{"g":{"token_sha256":"abc"}})"), "/grants/g/token_sha256: must be the SHA-256"}, {with(R"("hooks":[{"name":"h","event":"before_run"}])"), "exactly one of `run` and `http`"},
      {with(R"("hooks":[{"name":"h","event":"sometime","http":"http://127.0.0.1/"}])"), "/hooks/0/event: must be one of"}, {with(R"("approvals":{"timeout":5})"), "/approvals/timeout: must be a duration"},
      {with(R"("approvals":{"webhook":{"url":"ftp://x"}})"), "/approvals/webhook/url: must be an http"}, {with(R"("profiles":{"p":{"memory":"12Q"}})"), "/profiles/p/memory: must be a size"},
      {with(R"("profiles":{"p":{"network":"some"}})"), "/profiles/p/network: must be one of"}, {with(R"("profiles":{"p":{"mounts":[{"source":"data"}]}})"), "/mounts/0/source: must be an absolute path"},
      {with(R"("profiles":{"p":{"allow_host":["a.example"],"network":"none"}})"), "need the network `egress`"},
      {with(R"("profiles":{"p":{"egress_bytes":"1M","network":"host"}})"), "need the network `egress`"},
      {R"({"version":"1","default":"deny","tools":{"ab*":{},"a*b":{}}})", "match the same names and neither is more specific"}};
  for (const auto& [text, word] : table) CHECK_THAT(refused(text), Contains(word));
}

TEST_CASE("policy: globs of equal rank that can't meet are fine") {
  const auto document = load(R"({"version":"1","default":"deny","tools":{"get_*":{},"set_*":{"action":"deny"},"*":{"action":"require_approval"},"get_key":{"action":"deny"},"get_?":{"action":"deny"}}})");
  CHECK(verdict(*document, "get_x1") == "allow /tools/get_*");
  CHECK(verdict(*document, "get_x") == "deny /tools/get_?/action");
  CHECK(verdict(*document, "get_key") == "deny /tools/get_key/action");
  CHECK(verdict(*document, "set_x") == "deny /tools/set_*/action");
  CHECK(verdict(*document, "other") == "require_approval /tools/*/action");
}

TEST_CASE("policy: rules that lean on folders which the caller chooses are warned of") {
  const auto warned = [](const std::string& tool, const std::string& more) {
    const Loaded loaded = load_document(R"({"version":"1","default":"deny","tools":{"t":)" + tool + "}" + more + "}");
    REQUIRE(loaded.document);
    return std::any_of(loaded.findings.begin(), loaded.findings.end(), [](const Finding& one) { return one.message.find("chooses both") != std::string::npos; });
  };
  const std::string commands = R"({"commands":{"true":{}}})";
  const std::string under = R"({"require":[{"arg":"p","op":"under","value":"{workspace}/a"}]})";
  CHECK(warned(commands, ""));
  CHECK(warned(under, R"(,"profiles":{"p":{"network":"none"}})"));
  CHECK_FALSE(warned(commands, R"(,"profiles":{"p":{"venv":".venv"}})"));
  CHECK_FALSE(warned(under, R"(,"profiles":{"p":{"workspaces":["/srv/a"]}})"));
  CHECK_FALSE(warned("{}", ""));
  CHECK_FALSE(warned(R"({"require":[{"arg":"p","op":"under","value":"/srv"}]})", ""));
}

TEST_CASE("policy: profiles, grants, approvals and hooks become plain data") {
  const auto document = load(R"({"version":"1","default":"deny","tools":{"t":{"profile":"p"}},
    "profiles":{"p":{"access":"read-only","network":"egress","allow_host":["packages.example:443"],"timeout":"90s","memory":"2G","processes":32,"cpu":1.5,"output_limit":"4K",
      "on_output_limit":"kill","tmp_size":1024,"stdin":"null","require_cgroup":true,"allow_degraded":["cpu"],"venv_access":"writable","venv":"env",
      "mounts":[{"source":"/srv/data"},{"source":"{workspace}/cache","target":"/cache","access":"direct"}],"env":["A=1=2"],"environment":{"PYTHONPATH":"/x"},
      "seccomp":{"allow":["io_uring_setup"]}}},
    "grants":{"ci":{"token_sha256":"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad","tools":["t"],"profile":"p","limits":[{"counter":"ci","window":"hour","max":5}]}},
    "approvals":{"timeout":"1h","dedupe_window":"5m","webhook":{"url":"https://hooks.example/x","secret_env":"S"}},
    "hooks":[{"name":"opa","event":"before_run","http":"http://127.0.0.1:8181/v1/data/x","timeout":"200ms"},{"name":"log","event":"after_run","run":["/usr/bin/logger","x"]}],
    "audit":{"plain_arguments":["command"]}})");
  const Profile& p = document->profiles.at("p");
  CHECK(p.access == ProfileAccess::kReadOnly);
  CHECK(p.network == ProfileNetwork::kEgress);
  CHECK(p.allow_hosts == std::vector<std::string>{"packages.example:443"});
  CHECK(p.timeout == 90s);
  CHECK(p.memory_bytes == 2ULL << 30);
  CHECK(p.processes == 32U);
  CHECK(p.cpus == 1.5);
  CHECK(p.output_limit_bytes == 4096U);
  CHECK(p.on_output_limit == ProfileOverflow::kKill);
  CHECK(p.tmp_bytes == 1024U);
  CHECK(p.require_cgroup == true);
  CHECK(p.venv_access == ProfileVenvAccess::kWritable);
  CHECK(p.mounts == std::vector<ProfileMount>{{"/srv/data", "/srv/data", ProfileAccess::kReadOnly}, {"{workspace}/cache", "/cache", ProfileAccess::kDirect}});
  CHECK(p.environment == std::map<std::string, std::string>{{"A", "1=2"}, {"PYTHONPATH", "/x"}});
  CHECK(p.seccomp_allow == std::vector<std::string>{"io_uring_setup"});
  const Grant& ci = document->grants.at("ci");
  CHECK((*ci.token_sha256)[0] == 0xba);
  CHECK((*ci.token_sha256)[31] == 0xad);
  CHECK(ci.limits.size() == 1);
  CHECK(document->approvals.timeout == 1h);
  CHECK(document->approvals.webhook_url == "https://hooks.example/x");
  REQUIRE(document->hooks.size() == 2);
  CHECK(document->hooks[0].timeout == 200ms);
  CHECK(document->hooks[1].run == std::vector<std::string>{"/usr/bin/logger", "x"});
  CHECK(document->plain_arguments == std::vector<std::string>{"command"});
}
