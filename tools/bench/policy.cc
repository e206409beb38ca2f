// SPDX-License-Identifier: Apache-2.0
// wardenv-bench-policy: how long a decision takes, and how long loading does. One core, no store, no audit.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "policy/core/authorize.h"
#include "policy/core/load.h"
#include "tools/bench/statistics.h"

namespace wardenv::bench {
namespace {

using Clock = std::chrono::steady_clock;
using Json = nlohmann::ordered_json;

constexpr int kWarmUp = 2'000;

// Predicates of every kind, in the mix of a policy that was written by hand: one in ten is a regular expression.
Json predicate(int i, bool denies) {
  const std::string n = std::to_string(i);
  switch (i % 10) {
    case 0: return {{"arg", "command"}, {"op", "regex"}, {"value", denies ? "^(rm|dd|mkfs)" + n + "$" : "^[a-z][a-z0-9_-]*$"}};
    case 1: return {{"arg", "env.mode"}, {"op", denies ? "eq" : "neq"}, {"value", "unsafe-" + n}};
    case 2: return {{"arg", "timeout"}, {"op", denies ? "gt" : "lte"}, {"value", 100'000 + i}};
    case 3: return {{"arg", "current_working_dir"}, {"op", denies ? "in" : "not_in"}, {"value", {"/etc", "/root", "/var/" + n}}};
    case 4: return {{"arg", "args.0"}, {"op", denies ? "eq" : "neq"}, {"value", "--danger-" + n}};
    case 5: return {{"arg", "args"}, {"op", "contains"}, {"value", denies ? "--danger-" + n : "-x"}};
    case 6: return {{"arg", "env.user"}, {"op", "exists"}, {"value", !denies}};
    case 7: return {{"arg", "command"}, {"op", denies ? "eq" : "neq"}, {"value", "forbidden-" + n}};
    case 8: return {{"arg", "timeout"}, {"op", denies ? "lt" : "gte"}, {"value", i / 1000}};
    default: return {{"arg", "env.mode"}, {"op", denies ? "not_in" : "in"}, {"value", {"safe", "test", "mode-" + n}}};
  }
}

Json rules(int count) {
  Json made = {{"deny_if", Json::array()}, {"require", Json::array()}};
  for (int i = 0; i < count; ++i) {
    const bool denies = i % 2 == 0 && i % 10 != 6;
    made[denies ? "deny_if" : "require"].push_back(predicate(i, denies));
  }
  return made;
}

const char* const kCommands = R"({"pytest":{"flags":{"-x":"none","-q":"none","-v":"none","-k":"string","--maxfail":{"integer":[1,100]},"--tb":{"enum":["short","long","no"]}},
  "positionals":{"path_under":"{workspace}"}},"python":{"flags":{"-m":{"enum":["unittest","json.tool"]}},"after":{"-m":"rest"}}})";

std::string decision_document() {
  Json tool = rules(100);
  tool["commands"] = Json::parse(kCommands);
  tool["limits"] = Json::array({{{"counter", "run_in_venv_rate"}, {"window", "minute"}, {"max", 10}, {"scope", "grant"}}});
  return Json{{"version", "1"}, {"default", "deny"}, {"tools", {{"run_in_venv", tool}}}, {"grants", {{"agent", Json::object()}}}}.dump();
}

std::string load_document_text(int tools, int count) {
  Json all = Json::object();
  const Json tool = rules(count);
  for (int i = 0; i < tools; ++i) all["tool_" + std::to_string(i)] = tool;
  return Json{{"version", "1"}, {"default", "deny"}, {"tools", all}}.dump();
}

std::shared_ptr<const policy::Document> load_or_die(const std::string& text) {
  policy::Loaded loaded = policy::load_document(text, policy::Format::kJson);
  if (loaded.document != nullptr) return loaded.document;
  for (const policy::Finding& finding : loaded.findings) std::fprintf(stderr, "%s\n", policy::to_text(finding, "bench").c_str());
  std::exit(1);
}

double microseconds(Clock::time_point since) { return std::chrono::duration<double, std::micro>(Clock::now() - since).count(); }

Summary time_decisions(const policy::Document& document, const char* text, policy::Effect expected, int count) {
  const auto arguments = policy::parse_arguments(text);
  if (!arguments) std::exit(1);
  const policy::ResolvePath resolve = [](std::string_view path) { return std::optional<std::string>("/srv/app/" + std::string(path)); };
  const policy::Call call{"run_in_venv", *arguments, "agent", "session", "/srv/app", "/srv/app", &resolve};
  const policy::NothingUsed unused;
  std::vector<double> times;
  for (int i = -kWarmUp; i < count; ++i) {
    const auto begin = Clock::now();
    const policy::Decision decision = policy::authorize(call, document, unused);
    const double took = microseconds(begin);
    if (decision.effect != expected) {
      std::fprintf(stderr, "decided %s by %s: %s\n", std::string(to_string(decision.effect)).c_str(), decision.rule.c_str(), decision.reason.c_str());
      std::exit(1);
    }
    if (i >= 0) times.push_back(took);
  }
  return summarise(std::move(times));
}

Summary time_loading(const std::string& text, int count) {
  std::vector<double> times;
  for (int i = 0; i < count; ++i) {
    const auto begin = Clock::now();
    const auto document = load_or_die(text);
    times.push_back(microseconds(begin) / 1000);
  }
  return summarise(std::move(times));
}

Json line(const char* what, const char* unit, const Summary& summary) {
  return {{"what", what}, {"unit", unit}, {"count", summary.count}, {"min", summary.min}, {"p50", summary.p50}, {"p90", summary.p90}, {"p99", summary.p99}};
}

}  // namespace

int main_of_policy(int argc, char** argv) {
  const std::vector<std::string_view> options(argv + 1, argv + argc);
  const auto given = [&](std::string_view name) { return std::find(options.begin(), options.end(), name) != options.end(); };
  const bool json = given("--json");
  const bool quick = given("--quick");
  if (options.size() != std::size_t{json} + std::size_t{quick}) {
    std::fputs("usage: wardenv-bench-policy [--json] [--quick]\n  --quick   a few rounds: whether it runs, no figures to believe\n", stderr);
    return 2;
  }
  const int decisions = quick ? 100 : 200'000;
  const auto document = load_or_die(decision_document());
  const auto seed = load_or_die(R"({"version":"1","default":"deny","tools":{"run_in_venv":{"limits":[{"counter":"c","window":"minute","max":10,"scope":"grant"}]}},"grants":{"agent":{}}})");
  const char* good = R"({"current_working_dir":"/srv/app","command":"pytest","args":["-x","--maxfail=3","tests/unit"],"timeout":60,"env":{"mode":"safe","user":"me"}})";
  const char* bad = R"({"current_working_dir":"/srv/app","command":"pytest","args":["-x","-p","evil"],"timeout":60,"env":{"mode":"safe","user":"me"}})";
  const std::string large = load_document_text(1000, 100);
  Json all = Json::array();
  all.push_back(line("decision, seed document", "us", time_decisions(*seed, good, policy::Effect::kAllow, decisions)));
  all.push_back(line("decision, 100 rules and a grammar, allowed", "us", time_decisions(*document, good, policy::Effect::kAllow, decisions)));
  all.push_back(line("decision, 100 rules and a grammar, denied by the grammar", "us", time_decisions(*document, bad, policy::Effect::kDeny, decisions)));
  all.push_back(line("load, 1 tool x 100 rules", "ms", time_loading(load_document_text(1, 100), quick ? 2 : 200)));
  all.push_back(line("load, 1000 tools x 100 rules", "ms", time_loading(large, quick ? 1 : 15)));
  if (json) return std::puts(all.dump(2).c_str()) < 0 ? 1 : 0;
  std::printf("%-58s %5s %9s %9s %9s %9s\n", "", "", "min", "p50", "p90", "p99");
  for (const Json& one : all) {
    std::printf("%-58s %5s %9.2f %9.2f %9.2f %9.2f\n", one["what"].get<std::string>().c_str(), one["unit"].get<std::string>().c_str(), one["min"].get<double>(),
                one["p50"].get<double>(), one["p90"].get<double>(), one["p99"].get<double>());
  }
  std::printf("(the large document has %zu bytes; one core, the call's arguments parsed already, nothing counted or logged)\n", large.size());
  return 0;
}

}  // namespace wardenv::bench

int main(int argc, char** argv) { return wardenv::bench::main_of_policy(argc, argv); }
