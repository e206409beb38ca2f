// SPDX-License-Identifier: Apache-2.0
// LaunchPlan -> the flat bytes of plan_wire.h.
#include <cstring>
#include <span>

#include "sandbox/plan.h"

namespace wardenv::sandbox {
namespace {

constexpr std::size_t kUsualBytes = 16 * 1024;

// Appends to a growing plan; every method answers the offset of what it added.
class Writer {
 public:
  // Offset of the header's end + 1: a NUL, the empty string.
  Writer() {
    bytes_.reserve(kUsualBytes);
    bytes_.resize(sizeof(wire::PlanHeader) + 1, 0);
  }

  std::uint32_t text(const std::string& value) {
    if (value.empty()) return static_cast<std::uint32_t>(sizeof(wire::PlanHeader));
    return add(value.c_str(), value.size() + 1);
  }
  std::uint32_t texts(const std::vector<std::string>& values) {
    std::vector<std::uint32_t> offsets;
    for (const std::string& value : values) offsets.push_back(text(value));
    return array(offsets);
  }
  template <typename T>
  std::uint32_t array(const std::vector<T>& values) {
    while (bytes_.size() % 8 != 0) bytes_.push_back(0);
    return add(values.data(), values.size() * sizeof(T));
  }
  std::vector<std::uint8_t> finish(wire::PlanHeader header) {
    bytes_.push_back(0);
    header.size = static_cast<std::uint32_t>(bytes_.size());
    std::memcpy(bytes_.data(), &header, sizeof header);
    return std::move(bytes_);
  }

 private:
  std::uint32_t add(const void* data, std::size_t size) {
    const auto offset = static_cast<std::uint32_t>(bytes_.size());
    const auto* begin = static_cast<const std::uint8_t*>(data);
    bytes_.insert(bytes_.end(), begin, begin + size);
    return offset;
  }
  std::vector<std::uint8_t> bytes_;
};

std::vector<wire::Step> write_steps(Writer& writer, std::span<const PlanStep> items) {
  std::vector<wire::Step> steps;
  steps.reserve(items.size());
  for (const PlanStep& item : items) {
    wire::Step step{};
    step.op = item.op;
    step.flags = item.flags;
    step.slot = item.slot;
    step.text = writer.text(item.text);
    step.text2 = writer.text(item.text2);
    step.a = item.a;
    step.b = item.b;
    step.c = item.c;
    steps.push_back(step);
  }
  return steps;
}

void write_program(Writer& writer, const Program& program, wire::PlanHeader& header) {
  header.program = writer.text(program.path);
  header.program_device = program.device;
  header.program_inode = program.inode;
  header.program_changed_s = program.changed_s;
  header.program_changed_ns = program.changed_ns;
}

Result<std::vector<std::uint8_t>> encode_with(const LaunchPlan& plan, std::span<const PlanStep> steps) {
  Writer writer;
  wire::PlanHeader header{};
  header.magic = wire::kMagic;
  header.version = wire::kVersion;
  header.step_count = static_cast<std::uint32_t>(steps.size());
  header.argv_count = static_cast<std::uint32_t>(plan.argv.size());
  header.argv = writer.texts(plan.argv);
  if (plan.program) write_program(writer, *plan.program, header);
  header.env_count = static_cast<std::uint32_t>(plan.env.size());
  header.env = writer.texts(plan.env);
  header.search_count = static_cast<std::uint32_t>(plan.search.size());
  header.search = writer.texts(plan.search);
  header.cwd = writer.text(plan.cwd);
  header.steps = writer.array(write_steps(writer, steps));
  header.filter_count = static_cast<std::uint32_t>(plan.filter.size());
  header.filter = writer.array(plan.filter);
  header.last_syscall = plan.last_syscall;
  header.watchdog = plan.watchdog ? 1 : 0;
  header.uid_first = plan.uid_first;
  header.uid_count = plan.uid_count;
  header.wall_time_ms = plan.wall_time_ms;
  header.memory_bytes = plan.memory_bytes;
  header.fault_step = plan.fault.step;
  header.fault = plan.fault.kind;
  header.fault_errno = plan.fault.sys_errno;
  for (const PlanStep& item : steps) {
    if (item.slot >= wire::kMaxSlots) return fail(ErrorCode::kBadInput, "too many mounts for one sandbox", "the limit is about 50");
  }
  if (steps.size() > wire::kMaxSteps) return fail(ErrorCode::kBadInput, "too many mounts and links for one sandbox");
  auto bytes = writer.finish(header);
  if (bytes.size() > wire::kMaxPlanBytes) {
    return fail(ErrorCode::kBadInput, "command line and environment are too long: together more than about 160 KiB",
                "put long argument lists into a file of the workspace");
  }
  return bytes;
}

}  // namespace

namespace {

Result<std::vector<std::uint8_t>> encode_first(const LaunchPlan& plan, std::uint32_t steps) {
  LaunchPlan early;
  early.uid_first = plan.uid_first;
  early.uid_count = plan.uid_count;
  auto bytes = encode_with(early, std::span(plan.steps).first(steps));
  if (bytes) reinterpret_cast<wire::PlanHeader*>(bytes->data())->kind = wire::Kind::kPrepare;
  return bytes;
}

}  // namespace

Result<std::vector<std::uint8_t>> encode_early(const LaunchPlan& plan) { return encode_first(plan, plan.early_steps); }

Result<std::vector<std::uint8_t>> encode_ready(const LaunchPlan& plan) { return encode_first(plan, plan.ready_steps); }

Result<std::vector<std::uint8_t>> encode(const LaunchPlan& plan) { return encode_with(plan, plan.steps); }

void hold(std::vector<std::uint8_t>& plan) { reinterpret_cast<wire::PlanHeader*>(plan.data())->held = 1; }

}  // namespace wardenv::sandbox
