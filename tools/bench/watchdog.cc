// SPDX-License-Identifier: Apache-2.0
// How far the fastest allocation gets past --memory, as an ordinary user.
#include "tools/bench/watchdog.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "tools/bench/process.h"

namespace wardenv::bench {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kLimit = 256ULL << 20;
constexpr std::uint64_t kStop = 16 * kLimit;  // if nobody stops it: the host must live on

// The other user may be unable to enter the folder of the build: everything is copied to where it can.
struct Cell {
  std::string folder;
  [[nodiscard]] std::string wardenv() const { return folder + "/wardenv"; }
  [[nodiscard]] std::string hog() const { return folder + "/work/hog"; }
  [[nodiscard]] std::string progress() const { return folder + "/work/progress"; }
  [[nodiscard]] std::string report() const { return folder + "/work/report.json"; }
};

Cell make_cell(const Site& site, const OvershootPlan& plan) {
  const Cell cell{site.folder() + "/overshoot"};
  fs::create_directories(cell.folder + "/work");
  fs::copy_file(plan.wardenv, cell.wardenv());
  for (const char* name : {"wardenv-launcher", "wardenv-cli"}) {
    fs::copy_file(fs::path(plan.wardenv).parent_path() / name, cell.folder + "/" + name);
  }
  fs::copy_file(plan.hog, cell.hog());
  if (::geteuid() == 0 && ::chown((cell.folder + "/work").c_str(), plan.user, plan.user) != 0) {
    throw fs::filesystem_error("chown", std::error_code(errno, std::generic_category()));
  }
  return cell;
}

Command hog_command(const Cell& cell, const std::string& pages, const OvershootPlan& plan) {
  const std::string cores = std::to_string(std::max(1U, std::thread::hardware_concurrency()));
  Command command;
  command.argv = {cell.wardenv(),
                  "run",
                  "--json",
                  "--no-venv",
                  "--workspace",
                  cell.folder + "/work",
                  "--memory",
                  std::to_string(kLimit),
                  "--cpu",
                  cores,
                  "--timeout",
                  "10s",
                  "--",
                  cell.hog(),
                  pages,
                  "4",
                  std::to_string(kStop),
                  cell.progress()};
  command.stdout_path = cell.report();
  command.run_as = ::geteuid() == 0 ? plan.user : 0;
  return command;
}

void reset(const Cell& cell) {
  const char zeroes[4096] = {};
  fs::remove(cell.report());
  std::ofstream(cell.progress(), std::ios::binary | std::ios::trunc).write(zeroes, sizeof zeroes);
  fs::permissions(cell.progress(), fs::perms::all);
}

std::uint64_t touched(const Cell& cell) {
  std::uint64_t bytes = 0;
  std::ifstream(cell.progress(), std::ios::binary).read(reinterpret_cast<char*>(&bytes), sizeof bytes);
  return bytes;
}

// A run that did not end by the limit says nothing about the limit.
void take_report(const Cell& cell, Overshoot& worst) {
  const auto report = nlohmann::json::parse(std::ifstream(cell.report()));
  const std::string outcome = report.at("outcome");
  if (outcome != "memory_exceeded") worst.error = "outcome " + outcome + ": " + report.at("error").dump();
  worst.held_by = report.at("enforced").at("memory");
  worst.peak_bytes = std::max<std::uint64_t>(worst.peak_bytes, report.at("usage").at("peak_memory_bytes"));
  worst.touched_bytes = std::max(worst.touched_bytes, touched(cell));
}

Overshoot worst_of(const Cell& cell, const std::string& pages, const OvershootPlan& plan) {
  Overshoot worst{.pages = pages, .runs = plan.runs, .limit_bytes = kLimit};
  const Command command = hog_command(cell, pages, plan);
  for (int run = 0; run < plan.runs && worst.error.empty(); ++run) {
    reset(cell);
    run_timed(command);
    take_report(cell, worst);
  }
  return worst;
}

}  // namespace

std::vector<Overshoot> measure_overshoot(const Site& site, const OvershootPlan& plan) {
  try {
    const Cell cell = make_cell(site, plan);
    return {worst_of(cell, "small", plan), worst_of(cell, "huge", plan)};
  } catch (const std::exception& error) {
    return {{.error = error.what()}};
  }
}

}  // namespace wardenv::bench
