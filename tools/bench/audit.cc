// SPDX-License-Identifier: Apache-2.0
// wardenv-bench-audit: what the audit log costs: appending with and without sync, alone and at once, beside the bare disk; verifying.
#include <fcntl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "engine/audit/log.h"
#include "engine/audit/verify.h"
#include "sandbox/base/unique_fd.h"

namespace wardenv::bench {
namespace {

using Clock = std::chrono::steady_clock;
using engine::AuditLog;
using engine::Durable;

struct Figures {
  double p50_us = 0;
  double p99_us = 0;
  double per_second = 0;
};

Figures figures_of(std::vector<double> us, double seconds) {
  if (us.empty()) return {};
  std::sort(us.begin(), us.end());
  return {us[us.size() / 2], us[us.size() * 99 / 100], static_cast<double>(us.size()) / seconds};
}

void print(const char* what, unsigned callers, const Figures& figures) {
  std::printf("%-34s %3u %12.1f %12.1f %14.0f\n", what, callers, figures.p50_us, figures.p99_us, figures.per_second);
  std::fflush(stdout);
}

// Runs `once` in so many threads for so long; it answers whether it worked.
template <typename Once>
Figures measure(unsigned callers, std::chrono::milliseconds length, const Once& once) {
  std::vector<std::vector<double>> times(callers);
  std::atomic<bool> failed = false;
  std::vector<std::thread> threads;
  const auto begin = Clock::now();
  for (unsigned i = 0; i < callers; ++i) {
    threads.emplace_back([&, i] {
      while (!failed && Clock::now() - begin < length) {
        const auto before = Clock::now();
        if (!once()) failed = true;
        times[i].push_back(std::chrono::duration<double, std::micro>(Clock::now() - before).count());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  std::vector<double> all;
  for (const auto& some : times) all.insert(all.end(), some.begin(), some.end());
  return failed ? Figures{} : figures_of(std::move(all), seconds);
}

engine::AuditRecord record() {
  engine::AuditRecord admission;
  admission.event = "admit";
  admission.run_id = "01JAAAAAAAAAAAAAAAAAAAAAAA";
  admission.grant = "agent";
  admission.session = "session";
  admission.tool = "run_in_venv";
  admission.arguments_json = R"({"current_working_dir":"/src/app","command":"pytest","args":["-x","tests"]})";
  admission.decision = "allow";
  admission.rule = "/tools/run_in_venv";
  admission.policy_digest = std::string(64, 'd');
  admission.profile = "default";
  return admission;
}

// What one write of a record's size and its fdatasync cost here: nothing durable can be cheaper.
void bare_disk(const std::string& folder, std::chrono::milliseconds length) {
  const std::string path = folder + "/bare";
  const UniqueFd file(::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  const std::string text(700, 'x');
  print("bare write + fdatasync", 1, measure(1, length, [&] {
          return ::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()) && ::fdatasync(file.get()) == 0;
        }));
  ::unlink(path.c_str());
}

bool append(const std::string& folder, std::chrono::milliseconds length) {
  const engine::AuditRecord admission = record();
  for (const Durable durable : {Durable::kYes, Durable::kNo}) {
    for (const unsigned callers : {1U, 16U}) {
      auto log = AuditLog::open(folder + "/audit", {});
      if (!log) return std::fprintf(stderr, "wardenv-bench-audit: %s\n", log.error().message.c_str()), false;
      print(durable == Durable::kYes ? "append, on disk (sync on)" : "append, with the kernel (sync off)", callers,
            measure(callers, length, [&] { return (*log)->append(admission, durable).has_value(); }));
    }
  }
  return true;
}

bool verify(const std::string& folder) {
  const auto begin = Clock::now();
  const auto verdict = engine::verify_audit_log(folder + "/audit");
  const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  if (!verdict || verdict->problem) return std::fprintf(stderr, "wardenv-bench-audit: the log does not verify\n"), false;
  std::printf("\nverify: %llu records, %.1f MB: %.0f MB/s\n", static_cast<unsigned long long>(verdict->records), static_cast<double>(verdict->bytes) / 1e6,
              static_cast<double>(verdict->bytes) / 1e6 / seconds);
  return true;
}

}  // namespace
}  // namespace wardenv::bench

int main(int argc, char** argv) {
  CLI::App app("What the audit log costs. Example: wardenv-bench-audit --folder /var/tmp --milliseconds 2000");
  std::string parent = "/var/tmp";
  unsigned length = 2000;
  app.add_option("--folder", parent, "where the log is made, and removed again: the disk that counts");
  app.add_option("--milliseconds", length, "of each measurement");
  CLI11_PARSE(app, argc, argv);
  std::string folder = parent + "/wardenv-bench-audit.XXXXXX";
  if (::mkdtemp(folder.data()) == nullptr) return std::perror("wardenv-bench-audit"), 1;
  std::printf("%-34s %3s %12s %12s %14s\n", "", "at", "p50 us", "p99 us", "records/s");
  const std::chrono::milliseconds each(length);
  wardenv::bench::bare_disk(folder, each);
  const bool good = wardenv::bench::append(folder, each) && wardenv::bench::verify(folder);
  std::error_code ignored;
  std::filesystem::remove_all(folder, ignored);
  return good ? 0 : 1;
}
