// SPDX-License-Identifier: Apache-2.0
// A plan as it reaches the launcher, and as the engine reads it back: whatever valid_plan() lets through can be read in full.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "sandbox/launch/context.h"
#include "sandbox/plan.h"

using namespace wardenv;

namespace {

std::size_t read_texts(const launch::Plan& plan, std::uint32_t array, std::uint32_t count) {
  std::size_t sum = 0;
  for (std::uint32_t i = 0; i < count; ++i) sum += std::strlen(plan.text_at(array, i));
  return sum;
}

// Touches all that the launcher would.
std::size_t read_all(const launch::Plan& plan) {
  const wire::PlanHeader& header = plan.header();
  std::size_t sum = read_texts(plan, header.argv, header.argv_count) + read_texts(plan, header.env, header.env_count) +
                    read_texts(plan, header.search, header.search_count) + std::strlen(plan.text(header.cwd));
  for (std::uint32_t i = 0; i < header.step_count; ++i) {
    const wire::Step& step = plan.step(i);
    sum += std::strlen(plan.text(step.text)) + std::strlen(plan.text(step.text2));
    for (std::uint64_t at = 0; step.op == wire::Op::kFile && at < step.b; ++at) sum += static_cast<unsigned char>(plan.text(step.text2)[at]);
    if (step.slot < -1 || step.slot >= wire::kMaxSlots) std::abort();
  }
  for (std::uint32_t i = 0; i < header.filter_count * 8; ++i) sum += plan.bytes[header.filter + i];
  return sum;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  // A copy on the heap, aligned as the launcher's is: a read past its end is seen.
  const std::vector<std::uint8_t> bytes(data, data + size);
  std::size_t kept = 0;
  if (launch::valid_plan(bytes.data(), bytes.size())) kept = read_all(launch::Plan{bytes.data()});
  const auto plan = sandbox::decode(bytes);
  if (plan) kept += sandbox::to_text(*plan).size();
  return kept == SIZE_MAX ? 1 : 0;   // so that nothing of it is left out
}
