// SPDX-License-Identifier: Apache-2.0
// The flat bytes of plan_wire.h -> LaunchPlan: what the launcher was sent, to look at.
#include <algorithm>
#include <cstring>
#include <stdexcept>

#include "sandbox/plan.h"

namespace wardenv::sandbox {
namespace {

class Reader {
 public:
  explicit Reader(const std::vector<std::uint8_t>& bytes) : bytes_(bytes) { std::memcpy(&header, bytes.data(), sizeof header); }
  wire::PlanHeader header{};

  [[nodiscard]] std::string text(std::uint32_t offset) const { return reinterpret_cast<const char*>(&bytes_.at(offset)); }
  template <typename T>
  [[nodiscard]] std::vector<T> array(std::uint32_t offset, std::uint32_t count) const {
    if (offset > bytes_.size() || count > (bytes_.size() - offset) / sizeof(T)) throw std::out_of_range("array");
    std::vector<T> values(count);
    if (count > 0) std::memcpy(values.data(), bytes_.data() + offset, count * sizeof(T));
    return values;
  }
  [[nodiscard]] std::vector<std::string> texts(std::uint32_t offset, std::uint32_t count) const {
    std::vector<std::string> values;
    for (std::uint32_t at : array<std::uint32_t>(offset, count)) values.push_back(text(at));
    return values;
  }

 private:
  const std::vector<std::uint8_t>& bytes_;
};

PlanStep read_step(const Reader& reader, const wire::Step& step) {
  PlanStep item{.op = step.op, .flags = step.flags, .slot = step.slot, .text = reader.text(step.text), .text2 = {},
                .a = step.a, .b = step.b, .c = step.c};
  if (step.op == wire::Op::kFile) {
    const auto content = reader.array<char>(step.text2, static_cast<std::uint32_t>(std::min<std::uint64_t>(step.b, UINT32_MAX)));
    item.text2.assign(content.begin(), content.end());
  } else {
    item.text2 = reader.text(step.text2);
  }
  return item;
}

std::optional<Program> read_program(const Reader& reader) {
  const wire::PlanHeader& header = reader.header;
  if (header.program == 0) return std::nullopt;
  return Program{reader.text(header.program), header.program_device, header.program_inode, header.program_changed_s, header.program_changed_ns};
}

}  // namespace

Result<LaunchPlan> decode(const std::vector<std::uint8_t>& bytes) try {
  if (bytes.size() < sizeof(wire::PlanHeader)) return fail(ErrorCode::kBadInput, "a plan is longer than that");
  const Reader reader(bytes);
  const wire::PlanHeader& header = reader.header;
  if (header.magic != wire::kMagic || header.size != bytes.size() || bytes.back() != 0) return fail(ErrorCode::kBadInput, "not a plan");
  LaunchPlan plan;
  for (const wire::Step& step : reader.array<wire::Step>(header.steps, header.step_count)) plan.steps.push_back(read_step(reader, step));
  plan.argv = reader.texts(header.argv, header.argv_count);
  plan.program = read_program(reader);
  plan.env = reader.texts(header.env, header.env_count);
  plan.search = reader.texts(header.search, header.search_count);
  plan.cwd = reader.text(header.cwd);
  plan.filter = reader.array<seccomp::Instruction>(header.filter, header.filter_count);
  plan.last_syscall = header.last_syscall;
  plan.watchdog = header.watchdog != 0;
  plan.uid_first = header.uid_first;
  plan.uid_count = header.uid_count;
  plan.wall_time_ms = header.wall_time_ms;
  plan.memory_bytes = header.memory_bytes;
  plan.fault = {header.fault_step, header.fault, header.fault_errno};
  return plan;
} catch (const std::exception&) {
  return fail(ErrorCode::kBadInput, "not a plan");
}

}  // namespace wardenv::sandbox
