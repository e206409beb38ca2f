// SPDX-License-Identifier: Apache-2.0
// The proxy of one run: HTTP CONNECT, plain HTTP and SOCKS5 on one listening socket that the sandbox's init made inside. One thread.
#pragma once

#include <memory>
#include <vector>

#include "engine/egress/place.h"
#include "engine/egress/reporter.h"
#include "engine/egress/settings.h"
#include "sandbox/base/unique_fd.h"

namespace wardenv::engine {

class EgressProxy {
 public:
  // Reads the secrets of the rules. Presets must have been derived. Errors: kBadInput for caps and secrets that make no sense, kNotFound for a
  // secret that is not there, kHost.
  static Result<std::unique_ptr<EgressProxy>> make(const EgressSettings& settings, EgressSink sink);
  EgressProxy(const EgressProxy&) = delete;
  EgressProxy& operator=(const EgressProxy&) = delete;
  ~EgressProxy();   // stop()

  // Takes the listening socket over and starts the thread; once. Worth waiting with until somebody has connected: a run that asks for nothing
  // then has no thread. Where it can't be started the socket is closed, which the summary tells.
  void serve(UniqueFd listener);

  // Closes every connection and ends the thread; what came of them. Without a proxy nobody answers on the port: that is safe.
  EgressSummary stop();

 private:
  struct Impl;
  explicit EgressProxy(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace wardenv::engine
