// SPDX-License-Identifier: Apache-2.0
// A user-space evaluator of the classic BPF that seccomp filters are made of.
#include "tests/support/bpf_eval.h"

#include <linux/filter.h>

#include <cstring>

namespace wardenv::testing {
namespace {

bool jumps(std::uint16_t code, std::uint32_t accumulator, std::uint32_t operand) {
  switch (BPF_OP(code)) {
    case BPF_JEQ: return accumulator == operand;
    case BPF_JGT: return accumulator > operand;
    case BPF_JGE: return accumulator >= operand;
    case BPF_JSET: return (accumulator & operand) != 0;
    default: return false;
  }
}

std::uint32_t compute(std::uint16_t code, std::uint32_t accumulator, std::uint32_t operand) {
  switch (BPF_OP(code)) {
    case BPF_AND: return accumulator & operand;
    case BPF_OR: return accumulator | operand;
    case BPF_RSH: return accumulator >> (operand & 31);
    case BPF_LSH: return accumulator << (operand & 31);
    default: return accumulator;
  }
}

}  // namespace

Verdict evaluate(std::span<const sandbox::seccomp::Instruction> program, const seccomp_data& data) {
  Verdict verdict;
  std::uint32_t accumulator = 0;
  for (std::size_t at = 0; at < program.size(); ++at) {
    const auto& instruction = program[at];
    ++verdict.instructions;
    switch (BPF_CLASS(instruction.code)) {
      case BPF_LD:
        if (instruction.k > sizeof data - sizeof accumulator) return {};
        std::memcpy(&accumulator, reinterpret_cast<const char*>(&data) + instruction.k, sizeof accumulator);
        break;
      case BPF_JMP:
        if (BPF_OP(instruction.code) == BPF_JA) at += instruction.k;
        else at += jumps(instruction.code, accumulator, instruction.k) ? instruction.jt : instruction.jf;
        break;
      case BPF_ALU: accumulator = compute(instruction.code, accumulator, instruction.k); break;
      case BPF_RET: verdict.action = instruction.k; return verdict;
      default: return {};
    }
  }
  return {};
}

}  // namespace wardenv::testing
