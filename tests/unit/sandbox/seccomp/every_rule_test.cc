// SPDX-License-Identifier: Apache-2.0
// The filters that were built in, held against the tables and against what libseccomp makes of these, at the edges of every rule: nothing is left to
// chance. filter_test.cc has mixtures, and what the tables should say.
#include <linux/audit.h>
#include <linux/filter.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "sandbox/seccomp/builtin.h"
#include "sandbox/seccomp/filter.h"
#include "sandbox/seccomp/syscall_sets.h"
#include "tests/support/bpf_eval.h"
#include "tests/support/catch.h"

using namespace wardenv;
using namespace wardenv::sandbox::seccomp;
using testing::evaluate;

namespace {

constexpr std::uint64_t kNone = 0x7b7b7b7b7b7b7b7bULL;   // meets no condition of any rule
constexpr int kLastNumber = 700;                         // far above what the kernel has
constexpr std::uint32_t kX32 = 0x40000000;
constexpr std::uint32_t kForeign[] = {AUDIT_ARCH_I386, AUDIT_ARCH_AARCH64, AUDIT_ARCH_ARM, 0, ~0U, AUDIT_ARCH_X86_64 ^ 1U, AUDIT_ARCH_X86_64 ^ 0x80000000U};

using Rules = std::map<std::uint32_t, std::vector<Rule>>;

struct Case {
  seccomp_data data;
  std::uint32_t expected;
};

Rules rules_of(LimitsBy limits) {
  Rules rules;
  for (const SyscallSet& set : allowed_sets(limits)) {
    for (const Rule& rule : set.rules) rules[static_cast<std::uint32_t>(number_of(rule.name))].push_back(rule);
  }
  return rules;
}

std::set<std::uint32_t> hidden() {
  std::set<std::uint32_t> numbers;
  for (const char* name : hidden_syscalls()) numbers.insert(static_cast<std::uint32_t>(number_of(name)));
  return numbers;
}

bool holds(const Rule& rule, const seccomp_data& data) {
  return std::all_of(rule.conditions.begin(), rule.conditions.end(), [&](const Condition& c) { return (data.args[c.index] & c.mask) == c.value; });
}

// What the tables say, in the words of sandbox/seccomp/filter.h.
std::uint32_t meant(const Rules& rules, const seccomp_data& data) {
  const auto number = static_cast<std::uint32_t>(data.nr);
  if (data.arch != AUDIT_ARCH_X86_64) return SECCOMP_RET_KILL_PROCESS;
  if (number >= kX32) return number == ~0U ? SECCOMP_RET_USER_NOTIF : SECCOMP_RET_KILL_PROCESS;   // -1: a tracer skips the call
  if (hidden().count(number) != 0) return SECCOMP_RET_ERRNO | ENOSYS;
  const auto known = rules.find(number);
  const bool allowed = known != rules.end() && std::any_of(known->second.begin(), known->second.end(), [&](const Rule& rule) { return holds(rule, data); });
  return allowed ? SECCOMP_RET_ALLOW : SECCOMP_RET_USER_NOTIF;
}

seccomp_data call(std::uint32_t number, std::uint64_t every_argument, std::uint32_t arch = AUDIT_ARCH_X86_64) {
  seccomp_data data{};
  data.nr = static_cast<int>(number);
  data.arch = arch;
  std::fill(std::begin(data.args), std::end(data.args), every_argument);
  return data;
}

// Each argument that the rule names: every bit of it alone the other way, both neighbours, each half alone, and none of it.
std::vector<seccomp_data> edges_of(const Rule& rule, std::uint32_t number) {
  seccomp_data met = call(number, kNone);
  for (const Condition& c : rule.conditions) met.args[c.index] = c.value;
  std::vector<seccomp_data> all{met};
  for (const Condition& c : rule.conditions) {
    std::vector<std::uint64_t> values{c.value + 1, c.value - 1, c.value | ~c.mask, ~c.value, c.value & 0xffffffff, c.value << 32, c.value | c.value << 32, 0, ~0ULL, kNone};
    for (int bit = 0; bit < 64; ++bit) values.push_back(c.value ^ (1ULL << bit));
    for (const std::uint64_t value : values) {
      all.push_back(met);
      all.back().args[c.index] = value;
    }
  }
  return all;
}

// Every number, known and unknown, on this architecture and on others, in x32, and where one kind of number ends and the next begins.
std::vector<seccomp_data> plain_calls() {
  std::vector<seccomp_data> all;
  for (std::uint32_t number = 0; number <= kLastNumber; ++number) {
    for (const std::uint64_t argument : {kNone, std::uint64_t{0}, ~std::uint64_t{0}}) all.push_back(call(number, argument));
    for (const std::uint32_t arch : kForeign) all.push_back(call(number, 0, arch));
    all.push_back(call(kX32 + number, 0));
  }
  for (const std::uint32_t number : {kX32 - 1, kX32, 0x7fffffffU, 0x80000000U, 0xfffffffeU, 0xffffffffU}) {
    all.push_back(call(number, 0));
    all.push_back(call(number, 0, AUDIT_ARCH_I386));
  }
  return all;
}

std::vector<Case> cases_for(LimitsBy limits) {
  const Rules rules = rules_of(limits);
  std::vector<seccomp_data> calls = plain_calls();
  for (const auto& [number, alternatives] : rules) {
    for (const Rule& rule : alternatives) {
      const auto edges = edges_of(rule, number);
      calls.insert(calls.end(), edges.begin(), edges.end());
    }
  }
  std::vector<Case> cases;
  for (const seccomp_data& data : calls) cases.push_back({data, meant(rules, data)});
  return cases;
}

std::string text_of(const Case& item) {
  char text[200];
  const auto& [data, expected] = item;
  std::snprintf(text, sizeof text, "call %d of architecture %x with %llx %llx %llx %llx: %x is meant", data.nr, data.arch, data.args[0], data.args[1], data.args[2], data.args[3], expected);
  return text;
}

bool is_branch(const Instruction& instruction) { return BPF_CLASS(instruction.code) == BPF_JMP && BPF_OP(instruction.code) != BPF_JA && instruction.jt != instruction.jf; }

}  // namespace

TEST_CASE("every rule: what meets it is allowed, and at its edges both filters decide as the tables say") {
  for (const LimitsBy limits : {LimitsBy::kCgroup, LimitsBy::kProcess}) {
    const auto compiled = compile_filter(limits);
    REQUIRE(compiled);
    const auto builtin = builtin_filter(limits);
    for (const Case& item : cases_for(limits)) {
      const std::uint32_t ours = evaluate(builtin, item.data).action;
      const std::uint32_t theirs = evaluate(*compiled, item.data).action;
      if (ours != item.expected || theirs != item.expected) FAIL_CHECK(text_of(item) << ", " << ours << " is ours, " << theirs << " is libseccomp's");
    }
  }
}

// One that never could would be no rule; then the edges above would be edges of nothing.
TEST_CASE("every rule can be met, and one that has conditions can be missed") {
  for (const LimitsBy limits : {LimitsBy::kCgroup, LimitsBy::kProcess}) {
    const Rules rules = rules_of(limits);
    for (const auto& [number, alternatives] : rules) {
      for (const Rule& rule : alternatives) {
        INFO(rule.name);
        const auto edges = edges_of(rule, number);
        CHECK(evaluate(builtin_filter(limits), edges.front()).action == SECCOMP_RET_ALLOW);
        if (rule.conditions.empty()) continue;
        CHECK(std::any_of(edges.begin(), edges.end(), [&](const seccomp_data& data) { return evaluate(builtin_filter(limits), data).action != SECCOMP_RET_ALLOW; }));
        CHECK(std::all_of(rule.conditions.begin(), rule.conditions.end(), [](const Condition& c) { return (c.value & ~c.mask) == 0 && c.mask != 0; }));
      }
    }
  }
}

TEST_CASE("no call is both hidden and allowed, and each that a table names is known") {
  for (const LimitsBy limits : {LimitsBy::kCgroup, LimitsBy::kProcess}) {
    const Rules rules = rules_of(limits);
    for (const std::uint32_t number : hidden()) CHECK(rules.count(number) == 0);
    for (const auto& [number, alternatives] : rules) {
      INFO(alternatives.front().name);
      CHECK(number <= static_cast<std::uint32_t>(last_known_syscall()));
      CHECK(syscall_name(static_cast<int>(number)) == alternatives.front().name);
    }
  }
}

// The control of the first test: a filter with any one branch the wrong way round is told from the right one.
TEST_CASE("control: no branch of the filters can be turned round, and no value that it compares moved, without a case that tells") {
  for (const LimitsBy limits : {LimitsBy::kCgroup, LimitsBy::kProcess}) {
    const auto cases = cases_for(limits);
    const auto tells = [&](const std::vector<Instruction>& filter) {
      return std::any_of(cases.begin(), cases.end(), [&](const Case& item) { return evaluate(filter, item.data).action != item.expected; });
    };
    const auto builtin = builtin_filter(limits);
    std::vector<Instruction> filter(builtin.begin(), builtin.end());
    CHECK_FALSE(tells(filter));
    for (std::size_t i = 0; i < filter.size(); ++i) {
      if (!is_branch(filter[i])) continue;
      INFO(i);
      const Instruction right = filter[i];
      std::swap(filter[i].jt, filter[i].jf);
      CHECK(tells(filter));
      filter[i] = right;
      if (BPF_OP(right.code) == BPF_JEQ) {
        ++filter[i].k;
        CHECK(tells(filter));
      }
      filter[i] = right;
    }
  }
}
