// SPDX-License-Identifier: Apache-2.0
// authorize(): the order of judging, predicates, limits, grants, and what a refusal says.
#include "tests/unit/policy/core/support.h"

using namespace wardenv::policy;
using namespace wardenv::policy::testing;
using namespace std::chrono_literals;
using Catch::Contains;

namespace {

std::shared_ptr<const Document> with_rule(const std::string& rule) {
  return load(R"({"version":"1","default":"deny","tools":{"t":)" + rule + "}}");
}

// What `t` answers under one `require` predicate.
bool passes(const std::string& op, const std::string& value, const std::string& argument) {
  const auto document = with_rule(R"({"require":[{"arg":"a","op":")" + op + R"(","value":)" + value + "}]}");
  return judge(*document, "t", argument).effect == Effect::kAllow;
}
std::string a(const std::string& value) { return "{\"a\":" + value + "}"; }

}  // namespace

TEST_CASE("judging: every stage, in its order") {
  const auto document = load(R"({"version":"1","default":"deny","hide":["h","secret_*"],
    "all_tools":{"deny_if":[{"arg":"x","op":"eq","value":"all"}],"require":[{"arg":"y","op":"exists","value":true}]},
    "tools":{"h":{},"denied":{"action":"deny","reason":"never"},
      "t":{"deny_if":[{"arg":"x","op":"eq","value":"bad","reason":"x is bad"}],"require":[{"arg":"x","op":"exists","value":true}],
           "commands":{"true":{}},"rules":[{"name":"r","conditions":[{"path":"args.z","op":"eq","value":1}],"on_deny":"z must be one"}]}}})");
  CHECK(verdict(*document, "h") == "deny (hidden)");
  CHECK(verdict(*document, "secret_x") == "deny (hidden)");
  CHECK(verdict(*document, "other") == "deny (default deny)");
  CHECK(verdict(*document, "denied") == "deny /tools/denied/action");
  CHECK(judge(*document, "denied").reason == "never");
  CHECK(verdict(*document, "t", R"({"x":"bad"})") == "deny /tools/t/deny_if/0");
  CHECK(judge(*document, "t", R"({"x":"bad"})").reason == "x is bad");
  CHECK(verdict(*document, "t", R"({"x":"all"})") == "deny /all_tools/deny_if/0");
  CHECK(verdict(*document, "t", R"({})") == "deny /tools/t/require/0");
  CHECK(verdict(*document, "t", R"({"x":1})") == "deny /all_tools/require/0");
  CHECK(verdict(*document, "t", R"({"x":1,"y":1})") == "deny /tools/t/commands");
  CHECK(verdict(*document, "t", R"({"x":1,"y":1,"command":"false"})").starts_with("deny /tools/t/commands"));
  CHECK(verdict(*document, "t", R"({"x":1,"y":1,"command":"true","args":["-v"]})").starts_with("deny /tools/t/commands/true"));
  CHECK(verdict(*document, "t", R"({"x":1,"y":1,"command":"true","args":[1]})") == "deny /tools/t/commands");
  CHECK(verdict(*document, "t", R"({"x":1,"y":1,"command":"true"})") == "deny /tools/t/rules/0/conditions/0");
  CHECK(judge(*document, "t", R"({"x":1,"y":1,"command":"true","z":2})").reason == "z must be one");
  CHECK(verdict(*document, "t", R"({"x":1,"y":1,"command":"true","z":1})") == "allow /tools/t");
}

TEST_CASE("judging: a call that is none is denied") {
  const auto document = load(R"({"version":"1","default":"allow"})");
  CHECK(verdict(*document, "t") == "allow (default allow)");
  CHECK(verdict(*document, "") == "deny (malformed call)");
  CHECK(verdict(*document, "a\nb") == "deny (malformed call)");
  CHECK(verdict(*document, std::string(257, 'a')) == "deny (malformed call)");
  for (const char* arguments : {"[]", "null", "\"x\"", "1"}) {
    const auto parsed = nlohmann::json::parse(arguments);
    CHECK(verdict(authorize({"t", parsed}, *document, NothingUsed())) == "deny (malformed call)");
  }
  CHECK(verdict(authorize({"t", nlohmann::json::object()}, Document(), NothingUsed())) == "deny (no policy)");
}

TEST_CASE("arguments are read strictly") {
  CHECK(parse_arguments(R"({"a":[1,2.5,"x",null,true,{"b":18446744073709551615}]})"));
  for (const char* bad : {"", "[]", "{", "{\"a\":1,\"a\":2}", "{\"a\":{\"b\":1,\"b\":1}}", "{\"a\":18446744073709551616}", "{\"a\":\"\xff\"}", "{\"a\":1}{}", "{\"a\":1e999}", "null"}) {
    INFO(bad);
    const auto parsed = parse_arguments(bad);
    REQUIRE_FALSE(parsed);
    CHECK(parsed.error().code == wardenv::ErrorCode::kBadInput);
  }
  CHECK_FALSE(parse_arguments("{\"a\":" + std::string(100, '[') + std::string(100, ']') + "}"));
  CHECK_FALSE(parse_arguments("{\"a\":\"" + std::string(kMaxArgumentBytes, 'x') + "\"}"));
}

TEST_CASE("predicates compare without coercion and exactly") {
  CHECK(passes("eq", "1", a("1")));
  CHECK(passes("eq", "1", a("1.0")));
  CHECK_FALSE(passes("eq", "1", a("\"1\"")));
  CHECK_FALSE(passes("eq", "\"1\"", a("1")));
  CHECK_FALSE(passes("eq", "1", a("true")));
  CHECK_FALSE(passes("eq", "0", a("null")));
  CHECK(passes("eq", "9007199254740993", a("9007199254740993")));
  CHECK_FALSE(passes("eq", "9007199254740993", a("9007199254740992")));
  CHECK_FALSE(passes("eq", "9007199254740993", a("9007199254740992.0")));
  CHECK(passes("eq", "18446744073709551615", a("18446744073709551615")));
  CHECK_FALSE(passes("eq", "18446744073709551615", a("18446744073709551614")));
  CHECK_FALSE(passes("eq", "9223372036854775807", a("9223372036854775808.0")));
  CHECK(passes("neq", "1", a("\"1\"")));
  CHECK(passes("eq", R"({"x":[1,{"y":9007199254740993}]})", a(R"({"x":[1,{"y":9007199254740993}]})")));
  CHECK_FALSE(passes("eq", R"({"x":[1,{"y":9007199254740993}]})", a(R"({"x":[1,{"y":9007199254740992}]})")));
  CHECK(passes("in", R"(["a",1,null])", a("1.0")));
  CHECK_FALSE(passes("in", R"(["a",1,null])", a("\"1\"")));
  CHECK(passes("in", R"(["b","a",1,null])", a("\"a\"")));
  CHECK(passes("not_in", R"(["a",1])", a("\"b\"")));
  CHECK_FALSE(passes("not_in", R"(["a",1])", a("\"a\"")));
  CHECK(passes("lt", "9007199254740993", a("9007199254740992")));
  CHECK_FALSE(passes("lt", "9007199254740993", a("9007199254740993")));
  CHECK(passes("lte", "-1", a("-1.5")));
  CHECK_FALSE(passes("lte", "-2", a("-1.5")));
  CHECK(passes("gt", "9223372036854775807", a("9223372036854775808")));
  CHECK(passes("gte", "0.5", a("1")));
  CHECK_FALSE(passes("lte", "5", a("\"5\"")));
  CHECK(passes("regex", "\"b+\"", a("\"abbc\"")));
  CHECK_FALSE(passes("regex", "\"^b+$\"", a("\"bb\\n\"")));
  CHECK(passes("contains", "\"bb\"", a("\"abbc\"")));
  CHECK(passes("contains", "1", a("[2,1.0]")));
  CHECK_FALSE(passes("contains", "1", a("\"1\"")));
  CHECK(passes("exists", "true", a("null")));
  CHECK_FALSE(passes("exists", "false", a("null")));
  CHECK(passes("exists", "false", "{}"));
  CHECK(passes("glob", "\"src/*.py\"", a("\"src/a.py\"")));
  CHECK_FALSE(passes("glob", "\"src/*.py\"", a("\"src/b/a.py\"")));
  CHECK(passes("glob", "\"src/**.py\"", a("\"src/b/a.py\"")));
  CHECK_FALSE(passes("glob", "\"a.py\"", a("\"xa.py\"")));
  CHECK_FALSE(passes("glob", "\"a.py\"", a("\"abpy\"")));
  CHECK(passes("glob", "\"src/[a-c].py\"", a("\"src/b.py\"")));
  CHECK_FALSE(passes("glob", "\"src/[!a-c].py\"", a("\"src/b.py\"")));
}

TEST_CASE("a predicate on an absent argument fails, except exists: false") {
  for (const auto& [op, value] : {std::pair{"eq", "1"}, {"neq", "1"}, {"in", "[1]"}, {"not_in", "[1]"}, {"lt", "1"}, {"regex", "\"\""}, {"contains", "\"\""}, {"exists", "true"}, {"glob", "\"**\""}}) {
    INFO(op);
    CHECK_FALSE(passes(op, value, "{}"));
    const auto denying = with_rule(R"({"deny_if":[{"arg":"a","op":")" + std::string(op) + R"(","value":)" + value + "}]}");
    CHECK(verdict(*denying, "t") == "allow /tools/t");
  }
}

TEST_CASE("a rule that can't be evaluated denies and says so") {
  const auto document = with_rule(R"({"deny_if":[{"arg":"a","op":"gt","value":100}]})");
  CHECK(verdict(*document, "t", a("100")) == "allow /tools/t");
  CHECK(verdict(*document, "t", a("101")) == "deny /tools/t/deny_if/0");
  const Decision text = judge(*document, "t", a("\"500\""));
  CHECK(verdict(text) == "deny /tools/t/deny_if/0");
  CHECK(text.reason == "the rule can't be evaluated, so it denies: argument `a` is no number");
  CHECK(verdict(*with_rule(R"({"deny_if":[{"arg":"a","op":"regex","value":"x"}]})"), "t", a("7")) == "deny /tools/t/deny_if/0");
  CHECK(verdict(*with_rule(R"({"deny_if":[{"arg":"a","op":"under","value":"/srv"}]})"), "t", a("\"b\"")) == "deny /tools/t/deny_if/0");
}

TEST_CASE("paths into arguments") {
  const auto document = with_rule(R"({"require":[{"arg":"o.p","op":"eq","value":1},{"arg":"args.1","op":"eq","value":"x"},{"arg":"/d.e/f~1g","op":"eq","value":2}]})");
  CHECK(verdict(*document, "t", R"({"o":{"p":1},"args":["y","x"],"d.e":{"f/g":2}})") == "allow /tools/t");
  CHECK(verdict(*document, "t", R"({"o":{"p":2},"args":["y","x"],"d.e":{"f/g":2}})") == "deny /tools/t/require/0");
  CHECK(verdict(*document, "t", R"({"o":{"p":1},"args":["y"],"d.e":{"f/g":2}})") == "deny /tools/t/require/1");
  CHECK(verdict(*document, "t", R"({"o":{"p":1},"args":{"1":"x"},"d.e":{"f/g":3}})") == "deny /tools/t/require/2");
}

TEST_CASE("`*` asks every element") {
  const auto all = with_rule(R"({"require":[{"arg":"names.*","op":"regex","value":"^[a-z]+$"}]})");
  CHECK(verdict(*all, "t", R"({"names":["a","b"]})") == "allow /tools/t");
  CHECK(verdict(*all, "t", R"({"names":["a","B"]})") == "deny /tools/t/require/0");
  CHECK(verdict(*all, "t", R"({"names":["a",1]})") == "deny /tools/t/require/0");
  CHECK(verdict(*all, "t", R"({"names":"a"})") == "deny /tools/t/require/0");
  CHECK(verdict(*all, "t", R"({})") == "deny /tools/t/require/0");
  CHECK(verdict(*all, "t", R"({"names":[]})") == "allow /tools/t");
  const auto any = with_rule(R"({"deny_if":[{"arg":"items.*.kind","op":"eq","value":"x"}]})");
  CHECK(verdict(*any, "t", R"({"items":[{"kind":"y"},{}]})") == "allow /tools/t");
  CHECK(verdict(*any, "t", R"({"items":[{"kind":"y"},{"kind":"x"}]})") == "deny /tools/t/deny_if/0");
}

TEST_CASE("under resolves both sides, and refuses what it can't resolve") {
  const std::map<std::string, std::string> links = {{"in/a", "/real/in/a"}, {"link", "/etc/passwd"}, {"/ws", "/real"}, {"/real", "/real"}, {"near", "/realm/x"}, {"/real/data", "/real/data"}};
  const ResolvePath resolve = [&](std::string_view path) -> std::optional<std::string> {
    const auto found = links.find(std::string(path));
    if (found == links.end()) return std::nullopt;
    return found->second;
  };
  Asking asking;
  asking.workspace = "/real";
  asking.resolve = &resolve;
  const auto document = with_rule(R"({"require":[{"arg":"p","op":"under","value":"{workspace}"}]})");
  CHECK(verdict(*document, "t", R"({"p":"in/a"})", asking) == "allow /tools/t");
  CHECK(verdict(*document, "t", R"({"p":"/real"})", asking) == "allow /tools/t");
  for (const char* path : {"link", "near", "gone", "", "in/a\\u0000"}) CHECK(verdict(*document, "t", R"({"p":")" + std::string(path) + "\"}", asking) == "deny /tools/t/require/0");
  CHECK(verdict(*document, "t", R"({"p":7})", asking) == "deny /tools/t/require/0");
  CHECK(verdict(*with_rule(R"({"require":[{"arg":"p","op":"under","value":"/ws"}]})"), "t", R"({"p":"in/a"})", asking) == "allow /tools/t");
  const Decision outside = judge(*with_rule(R"({"require":[{"arg":"p","op":"under","value":"/real/data"}]})"), "t", R"({"p":"in/a"})", asking);
  CHECK(verdict(outside) == "deny /tools/t/require/0");
  CHECK(outside.reason.find("/real") == std::string::npos);
  asking.workspace.clear();
  CHECK(verdict(*document, "t", R"({"p":"in/a"})", asking) == "deny /tools/t/require/0");
}

TEST_CASE("limits: scopes make keys, names with dots and slashes are kept apart") {
  const auto document = load(R"({"version":"1","default":"deny","all_tools":{"limits":[{"counter":"all","window":"day","max":100,"scope":"global"}]},
    "tools":{"a.b/c":{"limits":[{"counter":"c","window":"90s","max":1,"scope":"tool"},{"counter":"s","window":1,"max":2,"scope":"session"},{"counter":"c","window":"hour","max":9}]}},
    "grants":{"g":{"limits":[{"counter":"mine","window":"minute","max":3}]}}})");
  Asking asking;
  asking.grant = "g";
  asking.session = "s/1";
  const Decision decision = judge(*document, "a.b/c", "{}", asking);
  REQUIRE(decision.effect == Effect::kAllow);
  std::string keys;
  for (const QuotaUse& use : decision.quotas) keys += use.key + " " + std::to_string(use.window.count()) + " " + std::to_string(use.max) + " " + use.rule + "\n";
  CHECK(keys == "tool/a.b~1c/c 90000 1 /tools/a.b~1c/limits/0\nsession/s~11/s 1000 2 /tools/a.b~1c/limits/1\ngrant/g/c 3600000 9 /tools/a.b~1c/limits/2\n"
                "global/all 86400000 100 /all_tools/limits/0\ngrant/g/mine 60000 3 /grants/g/limits/0\n");
}

TEST_CASE("limits: increment_from takes a non-negative integer and nothing else") {
  const auto document = with_rule(R"({"limits":[{"counter":"c","window":"day","max":100,"increment_from":"n"}]})");
  CHECK(judge(*document, "t", R"({"n":5})").quotas.at(0).amount == 5);
  CHECK(judge(*document, "t", R"({"n":0})").quotas.at(0).amount == 0);
  CHECK_THAT(judge(*document, "t", R"({"n":18446744073709551615})").reason, Contains("takes more than quota `c` ever holds"));
  for (const char* bad : {"{}", R"({"n":-1})", R"({"n":1.5})", R"({"n":1.0})", R"({"n":"5"})", R"({"n":null})", R"({"n":[5]})", R"({"n":true})"}) {
    const Decision decision = judge(*document, "t", bad);
    CHECK(verdict(decision) == "deny /tools/t/limits/0");
    CHECK(decision.quotas.empty());
    CHECK_THAT(decision.reason, Contains("must be a whole number"));
  }
}

TEST_CASE("profiles: one that lists workspaces is for these alone, and for what lies in them") {
  const auto document = load(R"({"version":"1","default":"deny","tools":{"a":{"profile":"p","limits":[{"counter":"c","window":"day","max":1}]},"b":{}},
    "profiles":{"p":{"workspaces":["/srv/app","/link"]},"q":{"workspaces":["/srv/app"]}},"grants":{"plain":{},"q":{"profile":"q"}}})");
  const ResolvePath resolve = [](std::string_view path) -> std::optional<std::string> {
    if (path == "/link") return "/real";
    return path.starts_with('/') ? std::optional<std::string>(path) : std::nullopt;
  };
  const auto in = [&](const char* workspace, const char* tool, const char* grant) {
    Asking asking{grant};
    asking.workspace = workspace;
    asking.resolve = &resolve;
    return judge(*document, tool, "{}", asking);
  };
  for (const char* good : {"/srv/app", "/srv/app/sub", "/real", "/real/x"}) CHECK(verdict(in(good, "a", "plain")) == "allow /tools/a");
  for (const char* bad : {"/srv", "/", "/srv/application", "/link", ""}) {
    CHECK(verdict(in(bad, "a", "plain")) == "deny /profiles/p/workspaces");
    CHECK(in(bad, "a", "plain").quotas.empty());
    CHECK(verdict(in(bad, "b", "plain")) == "allow /tools/b");   // without a profile the caller's choice stands
  }
  CHECK(verdict(in("/real", "b", "q")) == "deny /profiles/q/workspaces");   // a grant's profile, too
  CHECK(in("/srv", "a", "plain").reason.find("/srv/app") == std::string::npos);
}

TEST_CASE("grants: who is unknown is denied, who is known calls what is listed") {
  const auto document = load(R"({"version":"1","default":"deny","tools":{"a":{"profile":"p"},"b_1":{},"c":{}},"profiles":{"p":{},"q":{}},
    "grants":{"some":{"tools":["a","b_*"]},"all":{"profile":"q"}}})");
  Asking some{"some"};
  CHECK(verdict(*document, "a", "{}", some) == "allow /tools/a");
  CHECK(verdict(*document, "b_1", "{}", some) == "allow /tools/b_1");
  CHECK(verdict(*document, "c", "{}", some) == "deny /grants/some/tools");
  CHECK(verdict(*document, "c", "{}", {"all"}) == "allow /tools/c");
  CHECK(verdict(*document, "c", "{}", {"who"}) == "deny (unknown grant)");
  CHECK(judge(*document, "a", "{}", some).profile == "p");
  CHECK(judge(*document, "a", "{}", {"all"}).profile == "q");
  CHECK(is_hidden(*document, "c", "some"));
  CHECK_FALSE(is_hidden(*document, "a", "some"));
  CHECK(is_hidden(*document, "c", "who"));
}

TEST_CASE("grants: none is left behind by leaving it out, or gained by making it up") {
  const auto granted = load(R"({"version":"1","default":"deny","tools":{"a":{}},"grants":{"ci":{"limits":[{"counter":"c","window":"day","max":1}]},"dev":{}}})");
  CHECK(judge(*granted, "a", "{}", {"ci"}).quotas.size() == 1);
  const Decision nobody = judge(*granted, "a");
  CHECK(verdict(nobody) == "deny (no grant)");
  CHECK_THAT(nobody.reason, Contains("name one with --grant: ci, dev"));
  CHECK(is_hidden(*granted, "a", ""));
  CHECK_FALSE(is_hidden(*granted, "a", "ci"));

  const auto open = load(R"({"version":"1","default":"deny","tools":{"a":{"limits":[{"counter":"c","window":"day","max":1}]}}})");
  CHECK(judge(*open, "a").quotas.at(0).key == "grant//c");
  for (const char* made_up : {"g1", "g2", "ci"}) {
    CHECK(verdict(*open, "a", "{}", {made_up}) == "deny (unknown grant)");
    CHECK(is_hidden(*open, "a", made_up));
  }
  CHECK_FALSE(is_hidden(*open, "a", ""));
}

TEST_CASE("approvals: asked for only where nothing denies") {
  const auto document = load(R"({"version":"1","default":"deny","approvals":{"timeout":"1h"},"tools":{
    "t":{"action":"require_approval","reason":"ask me","approval_timeout":"5m","deny_if":[{"arg":"x","op":"eq","value":1}],"limits":[{"counter":"c","window":"day","max":1,"increment_from":"n"}]},
    "u":{"rules":[{"name":"large","action":"require_approval","conditions":[{"path":"args.amount","op":"gt","value":100}]}]}}})");
  const Decision asks = judge(*document, "t", R"({"n":1})");
  CHECK(verdict(asks) == "require_approval /tools/t/action");
  CHECK(asks.reason == "ask me");
  REQUIRE(asks.approval);
  CHECK(asks.approval->timeout == 5min);
  CHECK(asks.quotas.size() == 1);
  CHECK(verdict(*document, "t", R"({"n":1,"x":1})") == "deny /tools/t/deny_if/0");
  CHECK(verdict(*document, "t", R"({})") == "deny /tools/t/limits/0");
  CHECK(verdict(*document, "u", R"({"amount":100})") == "allow /tools/u");
  CHECK(verdict(*document, "u", R"({"amount":101})") == "require_approval /tools/u/rules/0");
  CHECK(judge(*document, "u", R"({"amount":101})").approval->timeout == 1h);
  CHECK(verdict(*document, "u", R"({"amount":"101"})") == "deny /tools/u/rules/0/conditions/0");
}

TEST_CASE("refusals do not tell a hidden tool from one that does not exist, nor folders of the host") {
  const auto document = load(R"({"version":"1","default":"deny","hide":["h"],"tools":{"h":{},"t":{}}})");
  CHECK(judge(*document, "h").reason.find("hid") == std::string::npos);
  CHECK(judge(*document, "h").reason == "there is no such tool");
}

TEST_CASE("trace: every rule that was looked at, without changing the decision") {
  const auto document = load(R"({"version":"1","default":"deny","tools":{"t":{"deny_if":[{"arg":"x","op":"eq","value":1}],"require":[{"arg":"y","op":"exists","value":true}],
    "limits":[{"counter":"c","window":"day","max":7}]}}})");
  const auto decision = judge(*document, "t", R"({"y":1})", {}, NothingUsed(), Trace::kYes);
  std::string text;
  for (const TraceEntry& entry : decision.trace) text += entry.rule + ": " + entry.result + "\n";
  CHECK(text == "/hide: does not hide the tool\n/default: does not matter: the tool is listed at /tools/t\n/tools/t: does not deny\n/tools/t/deny_if/0: is absent\n"
                "/tools/t/require/0: holds\n/tools/t/limits/0: takes 1 of at most 7\n");
  CHECK(verdict(decision) == verdict(*document, "t", R"({"y":1})"));
  const auto json = nlohmann::json::parse(decision_to_json(decision));
  CHECK(json["effect"] == "allow");
  CHECK(json["rule"] == "/tools/t");
  CHECK(json["trace"].size() == 6);
  CHECK(judge(*document, "t", R"({"y":1})").trace.empty());
}

TEST_CASE("a call that takes more than a quota ever holds is denied without asking the store") {
  const auto document = with_rule(R"({"action":"require_approval","limits":[{"counter":"c","window":"day","max":5,"increment_from":"n"}]})");
  CHECK(verdict(*document, "t", R"({"n":5})") == "require_approval /tools/t/action");
  const Decision never = judge(*document, "t", R"({"n":6})");
  CHECK(verdict(never) == "deny /tools/t/limits/0");
  CHECK(never.reason == "the call takes more than quota `c` ever holds: 5 in 1 day");
  CHECK(never.quotas.empty());
  CHECK_FALSE(never.approval);
  Decision reserved = judge(*document, "t", R"({"n":5})");
  reserved.quotas.at(0).amount = 6;   // as a store that is asked all the same would see it
  const Decision refused_late = refuse_by_quota(reserved, 0, {});
  CHECK(verdict(refused_late) == "deny /tools/t/limits/0");
  CHECK(refused_late.reason == never.reason);
}

TEST_CASE("windows are told in the largest unit that fits") {
  CHECK(window_text(24h) == "1 day");
  CHECK(window_text(36h) == "36 hours");
  CHECK(window_text(1h) == "1 hour");
  CHECK(window_text(60s) == "1 minute");
  CHECK(window_text(90s) == "90 seconds");
  CHECK(window_text(1500ms) == "1500 ms");
}

TEST_CASE("refusals by a quota say which limit, and when it is free again") {
  const auto document = with_rule(R"({"limits":[{"counter":"c","window":"minute","max":7}]})");
  const Decision refused_now = refuse_by_quota(judge(*document, "t"), 0, 12'300ms);
  CHECK(verdict(refused_now) == "deny /tools/t/limits/0");
  CHECK(refused_now.reason == "quota `c` is used up: 7 in 1 minute; free again in 13 s");
  CHECK(refused_now.quotas.empty());
  CHECK(refuse_by_quota(judge(*document, "t"), 9, {}).effect == Effect::kDeny);
}
