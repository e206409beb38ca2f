// SPDX-License-Identifier: Apache-2.0
// The older forms (A to D of the forms in public use), and the faults that their gateways had.
#include "tests/unit/policy/core/support.h"

using namespace wardenv::policy;
using namespace wardenv::policy::testing;
using namespace std::chrono_literals;
using Catch::Contains;

namespace {

std::string quotas(const Decision& decision) {
  std::string text;
  for (const QuotaUse& use : decision.quotas) {
    text += use.key + " " + std::to_string(use.window.count() / 1000) + "s " + (use.mode == LimitMode::kFixed ? "fixed " : "sliding ") + std::to_string(use.amount) + "/" +
            std::to_string(use.max) + " " + use.rule + "\n";
  }
  return text;
}

std::string rule(const std::string& text) { return "version: \"1\"\ndefault: deny\ntools:\n  t:\n    rules:\n      - " + text + "\n"; }

constexpr const char* kShop = R"(version: "1"
description: "a shop"
hide: [transfer_shop]
tools:
  create_charge:
    rules:
      - name: "max single charge"
        conditions:
          - {path: "args.amount", op: lte, value: 50000}
        on_deny: "too much at once"
      - name: "daily spend"
        conditions:
          - {path: "state.create_charge.daily_spend", op: lte, value: 1000000}
        on_deny: "too much for a day"
        state: {counter: daily_spend, window: day, increment_from: "args.amount"}
      - name: "currencies"
        conditions:
          - {path: "args.currency", op: in, value: [usd, eur]}
  delete_customer:
    rules:
      - {name: "never", action: deny, on_deny: "not by an agent"}
  create_issue:
    rules:
      - {name: "hourly", rate_limit: 5/hour}
  "*":
    rules:
      - name: "all calls"
        conditions:
          - {path: "state._global.calls", op: lt, value: 61}
        state: {counter: calls, window: minute}
)";

}  // namespace

TEST_CASE("form A: rules, conditions, counters, wildcard, and a default that is left out") {
  const Loaded loaded = load_document(kShop, Format::kYaml);
  REQUIRE(loaded.document != nullptr);
  REQUIRE(loaded.findings.size() == 1);
  CHECK(loaded.findings[0].severity == Severity::kWarning);
  const Document& shop = *loaded.document;
  const Decision charge = judge(shop, "create_charge", R"({"amount":50000,"currency":"usd"})");
  CHECK(verdict(charge) == "allow /tools/create_charge");
  CHECK(quotas(charge) == "tool/create_charge/daily_spend 86400s fixed 50000/1000000 /tools/create_charge/rules/1/conditions/0\n"
                          "global/calls 60s fixed 1/60 /tools/*/rules/0/conditions/0\n");
  CHECK(verdict(shop, "create_charge", R"({"amount":50001,"currency":"usd"})") == "deny /tools/create_charge/rules/0/conditions/0");
  CHECK(judge(shop, "create_charge", R"({"amount":50001,"currency":"usd"})").reason == "too much at once");
  CHECK(verdict(shop, "create_charge", R"({"amount":1,"currency":"gbp"})") == "deny /tools/create_charge/rules/2/conditions/0");
  CHECK(verdict(shop, "delete_customer") == "deny /tools/delete_customer/rules/0");
  CHECK(judge(shop, "delete_customer").reason == "not by an agent");
  CHECK(quotas(judge(shop, "create_issue")) == "tool/create_issue/~1rules~1create_issue~1rate_limit 3600s fixed 1/5 /tools/create_issue/rules/0/rate_limit\n"
                                               "global/calls 60s fixed 1/60 /tools/*/rules/0/conditions/0\n");
  CHECK(verdict(shop, "transfer_shop") == "deny (hidden)");
  CHECK(verdict(shop, "anything") == "allow (default allow)");
  CHECK(quotas(judge(shop, "anything")) == "global/calls 60s fixed 1/60 /tools/*/rules/0/conditions/0\n");
  CHECK(refuse_by_quota(charge, 0, 1s).reason == "too much for a day; free again in 1 s");
}

TEST_CASE("form A: the wildcard does not rescue a tool that is not listed") {
  const auto document = load("version: \"1\"\ndefault: deny\ntools:\n  a: {rules: []}\n  \"*\": {rules: [{name: r, rate_limit: 60/minute}]}\n");
  CHECK(verdict(*document, "a") == "allow /tools/a");
  CHECK(judge(*document, "a").quotas.size() == 1);
  CHECK(verdict(*document, "b") == "deny (default deny)");
}

TEST_CASE("form A: the wildcard stays one where it is described, and takes nothing else that judges") {
  const std::string head = "version: \"1\"\ndefault: deny\ntools:\n  a: {}\n  \"*\": {rules: [{name: r, rate_limit: 60/minute}]";
  for (const char* more : {"}\n", ", description: for all}\n", ", reason: too often}\n", ", description: for all, reason: too often}\n"}) {
    const auto document = load(head + more, Format::kYaml);
    CHECK(verdict(*document, "a") == "allow /tools/a");
    CHECK(quotas(judge(*document, "a")) == "global/~1rules~1*~1rate_limit 60s fixed 1/60 /tools/*/rules/0/rate_limit\n");
    CHECK(verdict(*document, "b") == "deny (default deny)");
  }
  for (const std::string field : {"action: allow", "action: require_approval", "require: []", "deny_if: []", "limits: []", "rate_limit: 5/minute", "commands: {'true': {}}", "profile: p",
                                  "approval_timeout: 5m"}) {
    const std::string key = field.substr(0, field.find(':'));
    const std::string findings = refused(head + ", " + field + "}\nprofiles: {p: {}}\n", Format::kYaml);
    CHECK_THAT(findings, Contains("/tools/*/" + key + ": `*` with `rules` is the older form's wildcard, which has nothing but rules: put `" + key + "` into `all_tools`"));
  }
  CHECK_THAT(refused(head + ", limts: []}\n", Format::kYaml), Contains("unknown key `limts`"));
  CHECK(verdict(*load("version: \"1\"\ndefault: deny\ntools: {\"*\": {description: all}}\n", Format::kYaml), "b") == "allow /tools/*");   // without rules it is a glob
}

TEST_CASE("form A: conditions on counters that no reservation expresses read the counter, with this call counted") {
  const auto document = load(rule("{name: r, conditions: [{path: state.t.c, op: neq, value: 3}], state: {counter: c, window: hour, increment: 2}}"));
  Used used;
  const auto at = [&](std::uint64_t count) {
    used.counters["tool/t/c"] = count;
    return verdict(judge(*document, "t", "{}", {}, used));
  };
  CHECK(at(0) == "allow /tools/t");
  CHECK(at(1) == "deny /tools/t/rules/0/conditions/0");
  CHECK(at(2) == "allow /tools/t");
  used.broken = true;
  const Decision unreadable = judge(*document, "t", "{}", {}, used);
  CHECK(verdict(unreadable) == "deny /tools/t/rules/0/conditions/0");
  CHECK_THAT(unreadable.reason, Contains("can't be read"));
}

TEST_CASE("form A: an amount that is more than a condition on its counter ever lets through is denied at once") {
  const auto large = load(rule("{name: r, on_deny: too much for a day, conditions: [{path: state.t.c, op: lte, value: 100}], state: {counter: c, window: day, increment_from: args.n}}"), Format::kYaml);
  CHECK(verdict(*large, "t", R"({"n":100})") == "allow /tools/t");
  const Decision never = judge(*large, "t", R"({"n":101})");
  CHECK(verdict(never) == "deny /tools/t/rules/0/conditions/0");
  CHECK(never.reason == "too much for a day: the call takes more than quota `c` ever holds: 100 in 1 day");
  const auto fixed = load(rule("{name: r, conditions: [{path: state.t.c, op: lt, value: 3}], state: {counter: c, window: hour, increment: 3}}"), Format::kYaml);
  CHECK(verdict(*fixed, "t") == "deny /tools/t/rules/0/conditions/0");
}

TEST_CASE("form A: the counter of another tool is read as it is") {
  const auto document = load("version: \"1\"\ndefault: deny\ntools:\n  a.b:\n    rules: [{name: r, conditions: [{path: state.a.b.c.d, op: lte, value: 9}], state: {counter: c.d, window: day}}]\n"
                             "  u:\n    rules: [{name: r, conditions: [{path: state.a.b.c.d, op: lt, value: 2}]}]\n");
  Used used;
  used.counters["tool/a.b/c.d"] = 1;
  CHECK(verdict(judge(*document, "u", "{}", {}, used)) == "allow /tools/u");
  CHECK(judge(*document, "u", "{}", {}, used).quotas.empty());
  used.counters["tool/a.b/c.d"] = 2;
  CHECK(verdict(judge(*document, "u", "{}", {}, used)) == "deny /tools/u/rules/0/conditions/0");
  CHECK(quotas(judge(*document, "a.b")) == "tool/a.b/c.d 86400s fixed 1/9 /tools/a.b/rules/0/conditions/0\n");
}

TEST_CASE("form A: the smallest of several maxima holds, and names its condition") {
  const auto document = load("version: \"1\"\ndefault: allow\ntools:\n  t:\n    rules:\n      - {name: few, conditions: [{path: state._global.n, op: lte, value: 3}], on_deny: few}\n"
                             "  \"*\":\n    rules: [{name: all, conditions: [{path: state._global.n, op: lte, value: 60}], state: {counter: n, window: minute}}]\n");
  CHECK(quotas(judge(*document, "t")) == "global/n 60s fixed 1/3 /tools/t/rules/0/conditions/0\n");
  CHECK(quotas(judge(*document, "u")) == "global/n 60s fixed 1/60 /tools/*/rules/0/conditions/0\n");
}

TEST_CASE("form A: its errors, in their spirit") {
  const std::pair<const char*, const char*> table[] = {
      {"{conditions: [{path: args.a, op: eq, value: 1}]}", "/tools/t/rules/0: the rule needs a `name`"},
      {"{name: r, action: deny, conditions: [{path: args.a, op: eq, value: 1}]}", "/conditions: a rule with action `deny` denies always"},
      {"{name: r}", "nothing to evaluate"}, {"{name: r, conditions: []}", "nothing to evaluate"},
      {"{name: r, conditions: [{path: amount, op: eq, value: 1}]}", "/conditions/0/path: must begin with `args.` or `state.`"},
      {"{name: r, conditions: [{path: args.a, op: is, value: 1}]}", "/conditions/0/op: unknown operator"},
      {"{name: r, conditions: [{path: args.a, op: under, value: /x}]}", "/conditions/0/op: unknown operator"},
      {"{name: r, conditions: [{path: args.a, op: in, value: 1}]}", "/conditions/0/value: operator `in` needs a list"},
      {"{name: r, conditions: [{path: args.a, op: lt, value: x}]}", "operator `lt` needs a number"},
      {"{name: r, conditions: [{path: args.a, op: exists, value: 1}]}", "operator `exists` needs true or false"},
      {"{name: r, conditions: [{path: args.a, op: regex, value: '('}]}", "not a regular expression"},
      {"{name: r, conditions: [{path: state.t.c, op: lte, value: 1}], state: {counter: '', window: day}}", "/state/counter: must not be empty"},
      {"{name: r, conditions: [{path: state.t.c, op: lte, value: 1}], state: {counter: c, window: week}}", "/state/window: must be"},
      {"{name: r, conditions: [{path: state.t.c, op: lte, value: 1}], state: {counter: c, window: day, increment: 0}}", "/state/increment: must be a whole number from 1"},
      {"{name: r, conditions: [{path: state.t.c, op: lte, value: 1}], state: {counter: c, window: day, increment_from: amount}}", "must begin with `args.`"},
      {"{name: r, conditions: [{path: state.t.nobody, op: lte, value: 1}]}", "no rule declares the counter `state.t.nobody`"},
      {"{name: r, conditions: [{path: state.t.c, op: regex, value: x}], state: {counter: c, window: day}}", "a counter is a number"},
      {"{name: r, rate_limit: 5/hour, conditions: [{path: args.a, op: eq, value: 1}]}", "rate_limit can't be combined with conditions"},
      {"{name: r, rate_limit: 5/hour, state: {counter: c, window: day}}", "rate_limit can't be combined with state"},
      {"{name: r, rate_limit: 5/hour, action: deny}", "takes no rate_limit"}, {"{name: r, rate_limit: 5}", "must be a rate"}, {"{name: r, rate_limit: -5/hour}", "must be a rate"},
      {"{name: r, rate_limit: 5/fortnight}", "must be a rate"}, {"{name: r, action: refuse}", "/action: must be one of"}, {"{name: r, rate_limit: 5/hour, approval_timeout: 5m}", "approval_timeout needs"},
      {"{name: r, rate_limit: 5/hour}\n      - {name: s, rate_limit: 9/hour}", "is counted already by"},
      {"{name: r, conditions: [{path: state.t.c, op: lte, value: 1}], state: {counter: c, window: day}}\n      - {name: s, conditions: [{path: state.t.c, op: lte, value: 1}], state: {counter: c, window: hour}}",
       "is declared twice"}};
  for (const auto& [text, word] : table) CHECK_THAT(refused(rule(text), Format::kYaml), Contains(word));
}

TEST_CASE("form A: what is wrong with a rule does not hide what is wrong in it") {
  const std::string findings = refused(rule("{conditions: [{path: args.a, op: is, value: 1}, {op: in, value: 1}], state: {counter: c, window: week}}\n"
                                            "      - {action: deny, rate_limit: 5/fortnight, conditions: [{path: a, op: eq, value: 1}]}"),
                                       Format::kYaml);
  for (const char* one : {"/rules/0: the rule needs a `name`", "/rules/0/conditions/0/op: unknown operator", "/rules/0/conditions/1: `path` is missing",
                          "/rules/0/conditions/1/value: operator `in` needs a list", "/rules/0/state/window: must be", "/rules/1/conditions: a rule with action `deny`",
                          "/rules/1/rate_limit: a rule with action `deny` takes no rate_limit", "/rules/1/rate_limit: must be a rate", "/rules/1/conditions/0/path: must begin with"}) {
    CHECK_THAT(findings, Contains(one));
  }
  const std::string predicate = refused(R"({"version":"1","default":"deny","tools":{"t":{"require":[{"op":"in","value":1}, {"arg":"a..b","op":"eq"}]}}})");
  for (const char* one : {"/require/0: `arg` is missing", "/require/0/value: operator `in` needs a list", "/require/1: `value` is missing", "/require/1/arg: must be the name"}) {
    CHECK_THAT(predicate, Contains(one));
  }
}

TEST_CASE("form B: approvals with conditions, and their time") {
  const auto document = load("version: \"1\"\ndefault: deny\napprovals: {dedupe_window: 10m, notify: {webhook: {url: 'https://hooks.example/a'}}}\ntools:\n  refund:\n    rules:\n"
                             "      - {name: large, action: require_approval, conditions: [{path: args.amount, op: gt, value: 100000}], approval_timeout: 30m}\n");
  CHECK(verdict(*document, "refund", R"({"amount":100000})") == "allow /tools/refund");
  const Decision large = judge(*document, "refund", R"({"amount":100001})");
  CHECK(verdict(large) == "require_approval /tools/refund/rules/0");
  CHECK(large.approval->timeout == 30min);
  CHECK(document->approvals.webhook_url == "https://hooks.example/a");
  CHECK(document->approvals.webhook_secret_env == "WARDENV_WEBHOOK_SECRET");   // signed, too
}

TEST_CASE("form B: a rule with spend denies what it applies to, as nothing here knows what a call pays") {
  const Loaded loaded = load_document(rule("{name: budget, spend: {per_call: 0.5, daily: 50}}"), Format::kYaml);
  REQUIRE(loaded.document != nullptr);
  CHECK_THAT(all_text(loaded.findings), Contains("warning: /tools/t/rules/0/spend: nothing here knows what a call pays"));
  const Decision plain = judge(*loaded.document, "t");
  CHECK(verdict(plain) == "deny /tools/t/rules/0/spend");
  CHECK(plain.reason == "the rule can't be evaluated, so it denies: nothing here knows what a call pays; `limits` with `increment_from` limit an amount");
  const auto on_deny = load(rule("{name: budget, on_deny: too much, action: allow, spend: {daily: 50}}"), Format::kYaml);
  CHECK_THAT(judge(*on_deny, "t").reason, Contains("too much: the rule can't be evaluated"));
  const auto large = load(rule("{name: large, action: require_approval, conditions: [{path: args.amount, op: gt, value: 9}], spend: {daily: 50}}"), Format::kYaml);
  CHECK(verdict(*large, "t", R"({"amount":9})") == "allow /tools/t");
  const Decision asked = judge(*large, "t", R"({"amount":10})");
  CHECK(verdict(asked) == "deny /tools/t/rules/0/spend");
  CHECK_FALSE(asked.approval);
  const auto all = load("version: \"1\"\ntools: {t: {rules: []}, \"*\": {rules: [{name: r, spend: {daily: 1}}]}}\n", Format::kYaml);
  CHECK(verdict(*all, "t") == "deny /tools/*/rules/0/spend");
  CHECK(verdict(*all, "u") == "deny /tools/*/rules/0/spend");
  const std::pair<const char*, const char*> table[] = {
      {"{name: r, spend: {per_cal: 1}}", "/spend/per_cal: unknown key `per_cal`: did you mean `per_call`?"}, {"{name: r, spend: {daily: '5'}}", "/spend/daily: must be a number"},
      {"{name: r, spend: {per_call: -1}}", "/spend/per_call: must be a number"}, {"{name: r, spend: {}}", "/spend: must say `per_call` or `daily`"}, {"{name: r, spend: 5}", "/spend: must be an object"}};
  for (const auto& [text, word] : table) CHECK_THAT(refused(rule(text), Format::kYaml), Contains(word));
}

TEST_CASE("form C: the catalogue's rules, and the short fields of a tool") {
  const auto document = load("version: \"1\"\ndefault: deny\ntools:\n  a: {rules: [{action: allow, rate_limit: {max: 30, window: 60}}]}\n  b: {rules: [{action: deny, reason: never}]}\n"
                             "  c: {rate_limit: {max: 10, window: 60}}\n  d: {action: deny, reason: no}\n  e: {rate_limit: 10/minute}\n");
  CHECK(quotas(judge(*document, "a")) == "grant//~1rules~1a~1rate_limit 60s sliding 1/30 /tools/a/rules/0/rate_limit\n");
  CHECK(judge(*document, "b").reason == "never");
  CHECK(quotas(judge(*document, "c")) == "grant//~1tools~1c~1rate_limit 60s sliding 1/10 /tools/c/rate_limit\n");
  CHECK(judge(*document, "d").reason == "no");
  CHECK(quotas(judge(*document, "e")) == "grant//~1tools~1e~1rate_limit 60s sliding 1/10 /tools/e/rate_limit\n");
}

TEST_CASE("form D: the hosted gateway's document") {
  const auto document = load(R"({"version":"1","default":"deny","hide":["*_secret"],"all_tools":{"limits":[{"counter":"all","window":"hour","max":100,"scope":"grant"}]},
    "tools":{"plain":{},"create_charge":{"require":[{"arg":"currency","op":"in","value":["usd"]}],"deny_if":[{"arg":"amount","op":"gt","value":500}],
      "limits":[{"counter":"charges","window":"day","max":5,"scope":"grant"}]}}})");
  CHECK(verdict(*document, "plain") == "allow /tools/plain");
  CHECK(verdict(*document, "create_charge", R"({"currency":"usd","amount":501})") == "deny /tools/create_charge/deny_if/0");
  CHECK(verdict(*document, "create_charge", R"({"currency":"eur","amount":1})") == "deny /tools/create_charge/require/0");
  CHECK(judge(*document, "create_charge", R"({"currency":"usd","amount":1})").quotas.size() == 2);
  CHECK(verdict(*document, "my_secret") == "deny (hidden)");
  CHECK(verdict(*document, "x") == "deny (default deny)");
}

// The faults of policy-dialects that concern the core; the stores, the gate and the audit log have the others.
TEST_CASE("faults a, c, f, i of other gateways") {
  CHECK_FALSE(parse_arguments("{\"a\":1,"));                                    // a: malformed JSON is refused, not handed on
  CHECK_FALSE(parse_arguments("{\"amount\":1,\"amount\":100000}"));
  const auto spend = load(R"({"version":"1","default":"deny","tools":{"t":{"limits":[{"counter":"c","window":"day","max":10,"increment_from":"args.n"}]}}})");
  CHECK(verdict(*spend, "t", R"({"n":-5})") == "deny /tools/t/limits/0");       // c: nothing is refunded
  CHECK(verdict(*spend, "t", R"({"n":0.9})") == "deny /tools/t/limits/0");      // c: nothing is cut off
  CHECK(judge(*spend, "t", R"({"n":3})").quotas.at(0).amount == 3);
  const auto exact = load(R"({"version":"1","default":"deny","tools":{"t":{"deny_if":[{"arg":"id","op":"eq","value":9007199254740993}]}}})");
  CHECK(verdict(*exact, "t", R"({"id":9007199254740992})") == "allow /tools/t");  // f
  CHECK(verdict(*exact, "t", R"({"id":9007199254740993})") == "deny /tools/t/deny_if/0");
  CHECK(verdict(*exact, "t", R"({"id":"9007199254740993"})") == "allow /tools/t");
  const auto dots = load("version: \"1\"\ndefault: deny\ntools:\n  a.b: {rules: [{name: r, rate_limit: 1/day}]}\n  a: {rules: [{name: r, rate_limit: 1/day}]}\n");
  CHECK(judge(*dots, "a.b").quotas.at(0).key != judge(*dots, "a").quotas.at(0).key);  // i
}
