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

// Without /proc each start counts as a boot of its own: then the wall clock bridges them.
std::string read_boot_id() {
  char text[64];
  const UniqueFd file(::open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC));
  const ssize_t length = file.valid() ? ::read(file.get(), text, sizeof text) : -1;
  const std::string id = length > 0 ? std::string(text, static_cast<std::size_t>(length)).substr(0, static_cast<std::size_t>(length) - 1) : "";
  if (id.empty()) return "unknown " + std::to_string(read_clock(CLOCK_REALTIME).count());
  char space[64] = {};   // time_namespaces(7): containers may shift CLOCK_BOOTTIME
  return ::readlink("/proc/self/ns/time", space, sizeof space - 1) > 0 ? id + " " + space : id;
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
