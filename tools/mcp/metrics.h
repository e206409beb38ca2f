// SPDX-License-Identifier: Apache-2.0
// Counts what the server does, for /metrics (prometheus-cpp).
#pragma once

#include <cstddef>
#include <functional>
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

  // All of it in the text format of Prometheus, with what is the case now; of tools only those that `shown` says yes to.
  using Shown = std::function<bool(std::string_view tool)>;
  [[nodiscard]] std::string text(const ServerLoad& load, std::size_t connections, const Shown& shown) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace wardenv::mcp
