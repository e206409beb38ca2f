// SPDX-License-Identifier: Apache-2.0
// The options of wardenv-bench.
#include "tools/bench/options.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <filesystem>

namespace wardenv::bench {
namespace {

constexpr const char* kExamples =
    "\nExamples:\n"
    "  wardenv-bench --quick                              everything, in about a minute\n"
    "  wardenv-bench --json bench.json                    everything, with enough rounds for a p99\n"
    "  wardenv-bench --parts gaps --only exec,library     two contestants, with 100 ms of quiet before each call\n"
    "  wardenv-bench --parts memory --output-size 1G      what the engine's and the launcher's memory do\n"
    "\nExit status: 0, 1 where a contestant failed or a measurement could not be made, 2 for a wrong option.\n";

struct Amounts {
  int rounds;
  int gap_rounds;
  int slices;
  int overshoot_runs;
  std::uint64_t output_bytes;
};
constexpr Amounts kFull{400, 110, 6, 10, 10'000'000'000};
constexpr Amounts kQuick{60, 18, 1, 3, 1'000'000'000};

std::string own_folder() { return std::filesystem::read_symlink("/proc/self/exe").parent_path().string(); }

void fill_in(Options& options) {
  const Amounts& amounts = options.quick ? kQuick : kFull;
  if (options.rounds == 0) options.rounds = amounts.rounds;
  if (options.gap_rounds == 0) options.gap_rounds = amounts.gap_rounds;
  if (options.slices == 0) options.slices = amounts.slices;
  if (options.overshoot_runs == 0) options.overshoot_runs = amounts.overshoot_runs;
  if (options.output_bytes == 0) options.output_bytes = amounts.output_bytes;
}

void declare(CLI::App& app, Options& options) {
  app.add_option("--json", options.json, "write the numbers to this file too");
  app.add_flag("--quick", options.quick, "fewer rounds: about a minute, no p99 worth the name");
  app.add_option("--wardenv", options.wardenv, "the wardenv program")->check(CLI::ExistingFile);
  app.add_option("--hog", options.hog, "the wardenv-bench-hog program")->check(CLI::ExistingFile);
  app.add_option("--parts", options.parts, "latency,gaps,throughput,memory,watchdog")
      ->delimiter(',')
      ->check(CLI::IsMember(std::vector<std::string>(std::begin(kParts), std::end(kParts))));
  app.add_option("--only", options.only, "names of contestants, as in the JSON")->delimiter(',');
  app.add_option("--rounds", options.rounds, "calls of each contestant, back to back")->check(CLI::PositiveNumber);
  app.add_option("--gap-rounds", options.gap_rounds, "calls of each contestant, with quiet before each")
      ->check(CLI::PositiveNumber);
  app.add_option("--gap-ms", options.gap_ms, "the quiet")->capture_default_str()->check(CLI::PositiveNumber);
  app.add_option("--seed", options.seed, "of the order of the calls")->capture_default_str();
  app.add_option("--output-size", options.output_bytes, "what the command prints in the memory test, e.g. 10G")
      ->transform(CLI::AsSizeValue(true));
  app.add_option("--slices", options.slices, "half seconds for each throughput number")->check(CLI::PositiveNumber);
  app.add_option("--overshoot-runs", options.overshoot_runs, "runs of the watchdog test")->check(CLI::PositiveNumber);
  app.add_option("--uid", options.user, "the ordinary user that root becomes for the watchdog test")
      ->capture_default_str();
}

}  // namespace

bool Options::wants(const std::string& part) const {
  return std::find(parts.begin(), parts.end(), part) != parts.end();
}

Options parse_options(int argc, char** argv) {
  Options options{.wardenv = own_folder() + "/wardenv", .hog = own_folder() + "/wardenv-bench-hog"};
  CLI::App app("Measures what starting a sandbox costs: wardenv and its peers, interleaved in one run.",
               "wardenv-bench");
  app.footer(kExamples);
  declare(app, options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int status = app.exit(error);
    std::exit(status == 0 ? 0 : 2);
  }
  fill_in(options);
  return options;
}

}  // namespace wardenv::bench
