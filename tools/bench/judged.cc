// SPDX-License-Identifier: Apache-2.0
// wardenv-bench-judged: what a policy adds to `wardenv run`, from start to exit: without one, with one that counts nothing, with a durable quota.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "tools/bench/latency.h"
#include "tools/bench/statistics.h"

namespace wardenv::bench {
namespace {

constexpr const char* kRules = R"(
version: "1"
default: deny
tools:
  run_in_venv:
    commands:
      "true": {}
      pytest: {preset: pytest}
      python: {flags: {-m: {enum: [unittest, json.tool]}}, after: {-m: rest}}
    deny_if: [{arg: args, op: contains, value: "--evil"}]
)";
constexpr const char* kLimit = "    limits: [{counter: run_in_venv_rate, window: minute, max: 1000000}]\n";

struct Options {
  std::string folder = "/var/tmp";
  std::string wardenv = std::filesystem::read_symlink("/proc/self/exe").parent_path().string() + "/wardenv";
  int rounds = 400;
  unsigned seed = 1;
};

// A temporary folder, removed at the end.
class Place {
 public:
  explicit Place(const std::string& base) {
    std::string name = base + "/wardenv-bench-judged.XXXXXX";
    if (::mkdtemp(name.data()) != nullptr) path_ = name;
    if (!path_.empty()) std::filesystem::create_directory(path_ + "/workspace");
  }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
  ~Place() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  [[nodiscard]] const std::string& path() const { return path_; }
  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(path_ + "/" + name) << text;
    return path_ + "/" + name;
  }

 private:
  std::string path_{};
};

// `policy`: empty for none. Each contestant has a state folder of its own.
Contestant contestant(const Options& options, const Place& place, const std::string& name, const std::string& label, const std::string& policy) {
  Command command{.argv = {options.wardenv, "run", "--no-venv", "--workspace", place.path() + "/workspace"}};
  command.env.push_back("WARDENV_STATE=" + place.path() + "/state-" + name);
  if (!policy.empty()) command.argv.insert(command.argv.end(), {"--policy", policy});
  command.argv.insert(command.argv.end(), {"--", "true"});
  return {.name = name, .label = label, .prepare = [command](const Payload&) { return [command] { return run_timed(command); }; }};
}

std::vector<Contestant> contestants(const Options& options, const Place& place) {
  const std::string plain = place.write("plain.yaml", kRules);
  const std::string counted = place.write("counted.yaml", std::string(kRules) + kLimit);
  return {contestant(options, place, "none", "no policy", ""), contestant(options, place, "plain", "policy, audit log", plain),
          contestant(options, place, "counted", "policy, durable quota, audit log", counted)};
}

int print(const std::vector<Contestant>& all, const std::vector<Series>& measured) {
  int failures = 0;
  const double alone = summarise(measured.front().ms).p50;
  std::printf("%-34s %6s %8s %8s %8s %14s\n", "`wardenv run -- true`, ms", "n", "min", "p50", "p99", "p50 added");
  for (std::size_t i = 0; i < all.size(); ++i) {
    const Summary sum = summarise(measured[i].ms);
    std::printf("%-34s %6zu %8.2f %8.2f %8.2f %14.2f\n", all[i].label.c_str(), sum.count, sum.min, sum.p50, sum.p99, sum.p50 - alone);
    failures += measured[i].failures;
    if (measured[i].failures > 0) std::fprintf(stderr, "wardenv-bench-judged: %s: %d failed: %s\n", all[i].label.c_str(), measured[i].failures, measured[i].first_failure.c_str());
  }
  return failures == 0 ? 0 : 1;
}

}  // namespace
}  // namespace wardenv::bench

int main(int argc, char** argv) {
  using namespace wardenv::bench;
  Options options;
  CLI::App app("Measures what a policy adds to `wardenv run`, interleaved, from start to exit.");
  app.add_option("--folder", options.folder, "where state and workspace are made; a real disk (default: /var/tmp)");
  app.add_option("--wardenv", options.wardenv, "the wardenv program")->check(CLI::ExistingFile);
  app.add_option("--rounds", options.rounds, "runs of each")->capture_default_str()->check(CLI::PositiveNumber);
  app.add_option("--seed", options.seed, "of the order of the runs")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  const Place place(options.folder);
  if (place.path().empty()) return std::fputs("wardenv-bench-judged: can't make a folder there\n", stderr), 1;
  const std::vector<Contestant> all = contestants(options, place);
  return print(all, measure_latency(all, {.name = "true"}, {.rounds = options.rounds, .seed = options.seed}));
}
