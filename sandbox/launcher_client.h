// SPDX-License-Identifier: Apache-2.0
// LauncherClient: starts wardenv-launcher and hands it plans. One of the three seams for tests.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "sandbox/base/error.h"
#include "sandbox/base/unique_fd.h"

namespace wardenv::sandbox {

// Descriptors of the command, and those that the plan's slots name. Not owned.
struct LaunchFds {
  int in = -1;
  int out = -1;
  int err = -1;
  std::vector<int> slots;
};

class LauncherClient {
 public:
  // Starts the program. REQUIRES: the calling thread lives as long as the client.
  static Result<LauncherClient> start(const std::string& program);
  LauncherClient(LauncherClient&&) noexcept;
  LauncherClient& operator=(LauncherClient&&) noexcept;
  ~LauncherClient();  // dismiss() and wait()

  // Takes over a launcher that is a child of this process already: our end of its socket, and its process id. `apart`: see launch/cpus.cc.
  static LauncherClient adopt(UniqueFd socket, int pid, bool apart);

  // Applies the first steps of a plan ahead (encode_early); `slots` are those of the plan's control group. The answer is for `submit_to`.
  Result<UniqueFd> prepare(const std::vector<std::uint8_t>& early_plan, const std::vector<int>& slots) const;

  // Starts what was prepared, with the whole plan; events arrive on `control`, as after submit().
  Status submit_to(const UniqueFd& control, const std::vector<std::uint8_t>& plan, const LaunchFds& fds) const;

  // Sends one plan; thread-safe. Answers our end of the run's control socket, on which wire::Event records arrive;
  // one byte written to it, or closing it, cancels the run. Error kLauncher where the launcher is gone.
  Result<UniqueFd> submit(const std::vector<std::uint8_t>& plan, const LaunchFds& fds) const;

  // The command of a plan that was held may be executed now. False where nobody takes the word any more: then it never is.
  static bool let_in(const UniqueFd& control);

  // End-of-file for the launcher: it kills what it runs, and ends. Nothing can be submitted any more.
  void dismiss();

  // After dismiss(): until it has ended.
  void wait();

  [[nodiscard]] int pid() const;

 private:
  struct Impl;
  explicit LauncherClient(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

struct LauncherEnds {
  UniqueFd ours;
  UniqueFd theirs;
};

// Two ends of a socket. Whoever has `ours` gives orders to the launcher: neither passes for a standard stream. Error kHost.
Result<LauncherEnds> make_ends();

// The launcher takes plans from us alone, so it has to be told who sends what. Error kHost.
Status tell_sender(const UniqueFd& theirs);

// Where the launcher is installed: beside the running program, or in ../libexec/wardenv. Error kHost where it is in neither place.
Result<std::string> find_launcher();

}  // namespace wardenv::sandbox
