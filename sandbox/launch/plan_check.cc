// SPDX-License-Identifier: Apache-2.0
// Bounds of a plan, checked once when it arrives.
#include <linux/filter.h>

#include "sandbox/launch/context.h"

namespace wardenv::launch {
namespace {

struct Bounds {
  const uint8_t* bytes;
  size_t size;

  [[nodiscard]] bool array(uint32_t offset, uint32_t count, size_t item) const {
    return offset % 4 == 0 && offset <= size && count <= (size - offset) / item;
  }
  // The last byte of the plan is NUL, so that any offset inside it is a terminated string.
  [[nodiscard]] bool text(uint32_t offset) const { return offset < size; }
  [[nodiscard]] bool texts(uint32_t offset, uint32_t count) const {
    if (!array(offset, count, sizeof(uint32_t))) return false;
    const auto* items = reinterpret_cast<const uint32_t*>(bytes + offset);
    for (uint32_t i = 0; i < count; ++i) {
      if (!text(items[i])) return false;
    }
    return true;
  }
};

bool valid_step(const Bounds& bounds, const wire::Step& step) {
  if (!bounds.text(step.text) || !bounds.text(step.text2)) return false;
  if (step.op == wire::Op::kFile && step.b > bounds.size - step.text2) return false;
  return step.slot >= -1 && step.slot < wire::kMaxSlots;
}

}  // namespace

bool valid_plan(const uint8_t* bytes, size_t size) {
  const Bounds bounds{bytes, size};
  const auto& header = *reinterpret_cast<const wire::PlanHeader*>(bytes);
  if (size < sizeof(wire::PlanHeader) || size > wire::kMaxPlanBytes || bytes[size - 1] != 0) return false;
  if (header.magic != wire::kMagic || header.version != wire::kVersion || header.size != size) return false;
  if (header.step_count == 0 || header.step_count > wire::kMaxSteps || header.steps % 8 != 0) return false;
  if (!bounds.array(header.steps, header.step_count, sizeof(wire::Step))) return false;
  if ((header.argv_count == 0) != (header.kind == wire::Kind::kPrepare) || !bounds.texts(header.argv, header.argv_count)) return false;
  if (!bounds.texts(header.env, header.env_count) || !bounds.texts(header.search, header.search_count)) return false;
  if (!bounds.text(header.program)) return false;
  if (!bounds.text(header.cwd) || header.filter_count > BPF_MAXINSNS) return false;
  if (!bounds.array(header.filter, header.filter_count, sizeof(sock_filter))) return false;
  const Plan plan{bytes};
  for (uint32_t i = 0; i < header.step_count; ++i) {
    if (!valid_step(bounds, plan.step(i))) return false;
  }
  return true;
}

}  // namespace wardenv::launch
