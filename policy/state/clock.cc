// SPDX-License-Identifier: Apache-2.0
// The host's clocks.
#include "policy/state/clock.h"

#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include "sandbox/base/unique_fd.h"

namespace wardenv::policy {
namespace {

std::chrono::milliseconds read_clock(clockid_t id) {
  timespec now{};
  ::clock_gettime(id, &now);
  return std::chrono::milliseconds(static_cast<std::int64_t>(now.tv_sec) * 1000 + now.tv_nsec / 1'000'000);
}

std::string read_text(const char* path) {
  char text[256];
  const UniqueFd file(::open(path, O_RDONLY | O_CLOEXEC));
  const ssize_t length = file.valid() ? ::read(file.get(), text, sizeof text) : -1;
  return std::string(text, length > 0 ? static_cast<std::size_t>(length) : 0);
}

// Without /proc each start counts as a boot of its own: then the wall clock bridges them. Containers may shift CLOCK_BOOTTIME (time_namespaces(7)): the
// offsets tell, unlike the number of the namespace, which the kernel gives to another one later.
std::string read_boot_id() {
  const std::string id = read_text("/proc/sys/kernel/random/boot_id");
  const std::string boot = id.substr(0, id.find('\n'));
  if (boot.empty()) return "unknown " + std::to_string(read_clock(CLOCK_REALTIME).count());
  const std::string offsets = read_text("/proc/self/timens_offsets");   // none: before Linux 5.6
  const std::size_t shift = offsets.find("boottime");
  return shift == std::string::npos ? boot : boot + " " + offsets.substr(shift, offsets.find('\n', shift) - shift);
}

class SystemClock final : public Clock {
 public:
  [[nodiscard]] Instant now() const override { return {read_clock(CLOCK_REALTIME), read_clock(CLOCK_BOOTTIME)}; }
  [[nodiscard]] std::string boot_id() const override { return boot_id_; }

 private:
  std::string boot_id_ = read_boot_id();
};

}  // namespace

std::shared_ptr<const Clock> system_clock() {
  static const std::shared_ptr<const Clock> clock = std::make_shared<SystemClock>();
  return clock;
}

}  // namespace wardenv::policy
