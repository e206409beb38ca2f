// SPDX-License-Identifier: Apache-2.0
// Allowlist -> classic BPF, without libseccomp: neighbouring numbers and values that are decided alike become one range. The kernel translates
// a filter at every start of a sandbox, so half the instructions are half the time. tests/ holds it against libseccomp's.
#include "sandbox/seccomp/compact.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <map>
#include <tuple>
#include <utility>

#include "sandbox/seccomp/syscall_sets.h"

namespace wardenv::sandbox::seccomp {
namespace {

using Bits = std::tuple<unsigned, std::uint64_t, std::uint64_t>;   // of a Condition
using Conditions = std::vector<Bits>;
using Alternatives = std::vector<Conditions>;   // any of them allows the call
using Label = std::size_t;                      // of an instruction, counted from the end of the program

constexpr std::uint32_t kX32 = 0x40000000;
constexpr std::uint32_t kNoCall = 0xffffffff;   // what a tracer sets to skip a call

// Written from the end to the beginning: where a jump leads is known when it is written.
class Assembler {
 public:
  Label answer(std::uint32_t action) { return add(BPF_RET | BPF_K, 0, 0, action); }

  Label load(std::size_t offset, std::uint32_t mask, Label next) {
    next = adjacent(next);
    if (mask != 0xffffffff) next = add(BPF_ALU | BPF_AND | BPF_K, 0, 0, mask);
    return add(BPF_LD | BPF_W | BPF_ABS, 0, 0, static_cast<std::uint32_t>(offset));
  }

  // `test`: BPF_JEQ, BPF_JGE or BPF_JGT.
  Label branch(std::uint16_t test, std::uint32_t value, Label yes, Label no) {
    if (yes == no) return yes;
    yes = near(yes);
    no = near(no);
    return add(BPF_JMP | test | BPF_K, distance(yes), distance(no), value);
  }

  std::vector<Instruction> finish(Label first) {
    adjacent(first);
    return {reversed_.rbegin(), reversed_.rend()};
  }

 private:
  static constexpr std::size_t kReach = 254;   // of a branch, less the one jump that may still come before it

  Label add(std::uint16_t code, std::size_t yes, std::size_t no, std::uint32_t value) {
    reversed_.push_back({code, static_cast<std::uint8_t>(yes), static_cast<std::uint8_t>(no), value});
    return reversed_.size() - 1;
  }
  [[nodiscard]] std::size_t distance(Label to) const { return reversed_.size() - 1 - to; }
  Label jump(Label to) { return add(BPF_JMP | BPF_JA, 0, 0, static_cast<std::uint32_t>(distance(to))); }

  // The instruction itself or what leads to it: an answer again, or a jump.
  Label near(Label to) {
    Label& latest = latest_.try_emplace(to, to).first->second;
    if (distance(latest) <= kReach) return latest;
    const Instruction target = reversed_[to];
    return latest = target.code == (BPF_RET | BPF_K) ? answer(target.k) : jump(to);
  }
  Label adjacent(Label to) { return distance(to) == 0 ? to : jump(to); }

  std::vector<Instruction> reversed_;
  std::map<Label, Label> latest_;
};

struct Range {
  std::uint32_t first;
  std::uint32_t last;
  Label label;
};

using Table = std::map<std::uint32_t, Label>;

Conditions conditions_of(const Rule& rule) {
  Conditions all;
  for (const Condition& condition : rule.conditions) all.emplace_back(condition.index, condition.mask, condition.value);
  return all;
}

std::vector<Range> ranges_of(const Table& table) {
  std::vector<Range> ranges;
  for (const auto& [value, label] : table) {
    if (!ranges.empty() && ranges.back().last + 1 == value && ranges.back().label == label) {
      ranges.back().last = value;
    } else {
      ranges.push_back({value, value, label});
    }
  }
  return ranges;
}

class Compiler {
 public:
  explicit Compiler(LimitsBy limits) : refuse_(code_.answer(SECCOMP_RET_USER_NOTIF)), allow_(code_.answer(SECCOMP_RET_ALLOW)) {
    for (const SyscallSet& set : allowed_sets(limits)) {
      for (const Rule& rule : set.rules) calls_[rule.name].push_back(conditions_of(rule));
    }
  }

  Result<std::vector<Instruction>> compile() {
    Table calls;
    for (const auto& [name, alternatives] : calls_) {
      const int number = number_of(name.c_str());
      if (number < 0) return fail(ErrorCode::kInternal, "unknown system call " + name);
      calls[static_cast<std::uint32_t>(number)] = decide(alternatives, refuse_);
    }
    const Label unknown = code_.answer(SECCOMP_RET_ERRNO | ENOSYS);
    for (const char* name : hidden_syscalls()) calls[static_cast<std::uint32_t>(number_of(name))] = unknown;
    const Label kill = code_.answer(SECCOMP_RET_KILL_PROCESS);
    const Label known = select(ranges_of(calls), refuse_);
    const Label foreign = code_.branch(BPF_JEQ, kNoCall, refuse_, kill);
    const Label number = code_.load(offsetof(seccomp_data, nr), ~0U, code_.branch(BPF_JGE, kX32, foreign, known));
    return code_.finish(code_.load(offsetof(seccomp_data, arch), ~0U, code_.branch(BPF_JEQ, AUDIT_ARCH_X86_64, number, kill)));
  }

 private:
  static constexpr std::size_t kChain = 4;

  // One comparison for each value: fewer instructions than a tree, which has one more for every two of them.
  Label chain(const std::vector<Range>& values, Label otherwise) {
    for (auto value = values.rbegin(); value != values.rend(); ++value) otherwise = code_.branch(BPF_JEQ, value->first, value->label, otherwise);
    return otherwise;
  }

  // Where the value that is loaded leads. `floor`: it is known to be no smaller.
  Label select(const std::vector<Range>& ranges, Label otherwise, std::uint32_t floor = 0) {
    if (ranges.empty()) return otherwise;
    if (ranges.size() <= kChain && std::all_of(ranges.begin(), ranges.end(), [](const Range& range) { return range.first == range.last; })) return chain(ranges, otherwise);
    const Range& range = ranges.front();
    if (ranges.size() > 1) {
      const auto middle = ranges.begin() + static_cast<std::ptrdiff_t>(ranges.size() / 2);
      const Label above = select({middle, ranges.end()}, otherwise, middle->first);
      return code_.branch(BPF_JGE, middle->first, above, select({ranges.begin(), middle}, otherwise, floor));
    }
    if (range.first == range.last) return code_.branch(BPF_JEQ, range.first, range.label, otherwise);
    const Label below = code_.branch(BPF_JGT, range.last, otherwise, range.label);
    return range.first <= floor ? below : code_.branch(BPF_JGE, range.first, below, otherwise);
  }

  // Allows where all conditions of an alternative hold, else goes on to `otherwise`. What was asked before need not be written again.
  Label decide(const Alternatives& alternatives, Label otherwise) {
    if (alternatives.empty()) return otherwise;
    if (std::any_of(alternatives.begin(), alternatives.end(), [](const Conditions& all) { return all.empty(); })) return allow_;
    const auto known = decided_.find({alternatives, otherwise});
    if (known != decided_.end()) return known->second;
    return decided_[{alternatives, otherwise}] = look(alternatives, otherwise);
  }

  // Alternatives whose first conditions are about the same bits are told apart by one look at them.
  Label look(const Alternatives& alternatives, Label otherwise) {
    const auto [index, mask, ignored] = alternatives.front().front();
    std::map<std::uint64_t, Alternatives> by_value;
    Alternatives others;
    for (const Conditions& all : alternatives) {
      const auto& [its_index, its_mask, value] = all.front();
      if (its_index == index && its_mask == mask) by_value[value].emplace_back(all.begin() + 1, all.end());
      else others.push_back(all);
    }
    otherwise = decide(others, otherwise);
    std::map<std::uint32_t, Table> halves;   // the upper 32 bits of a value, then the lower
    for (const auto& [value, rest] : by_value) {
      halves[static_cast<std::uint32_t>(value >> 32)][static_cast<std::uint32_t>(value)] = decide(rest, otherwise);
    }
    const std::size_t offset = offsetof(seccomp_data, args) + index * sizeof(std::uint64_t);
    Table upper;
    for (const auto& [half, lower] : halves) upper[half] = look_at_half(offset, static_cast<std::uint32_t>(mask), lower, otherwise);
    return look_at_half(offset + 4, static_cast<std::uint32_t>(mask >> 32), upper, otherwise);   // little-endian
  }

  // Bits that nothing is asked of need no look: they are 0 once masked.
  Label look_at_half(std::size_t offset, std::uint32_t mask, const Table& table, Label otherwise) {
    if (mask != 0) return code_.load(offset, mask, select(ranges_of(table), otherwise));
    const auto zero = table.find(0);
    return zero != table.end() ? zero->second : otherwise;
  }

  Assembler code_;
  Label refuse_;
  Label allow_;
  std::map<std::string, Alternatives> calls_;
  std::map<std::pair<Alternatives, Label>, Label> decided_;
};

}  // namespace

Result<std::vector<Instruction>> compact_filter(LimitsBy limits) { return Compiler(limits).compile(); }

}  // namespace wardenv::sandbox::seccomp
