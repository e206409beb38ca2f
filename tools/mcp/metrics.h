// SPDX-License-Identifier: Apache-2.0
// Counts what the server does, for /metrics (prometheus-cpp).
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "tools/mcp/server.h"

namespace wardenv::mcp {

class Metrics : public Observer {
 public:
  Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;
  ~Metrics() override;

  void request(std::string_view method, Era era) override;
  void call(std::string_view tool, std::string_view ending, double seconds) override;

  // All of it in the text format of Prometheus, with what is the case now.
  [[nodiscard]] std::string text(const ServerLoad& load, std::size_t connections) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace wardenv::mcp
