// SPDX-License-Identifier: Apache-2.0
// An open `subscriptions/listen` (2026-07-28, "Subscriptions").
#pragma once

#include <memory>
#include <set>
#include <string>

#include "tools/mcp/core.h"

namespace wardenv::mcp {

// What its client asked for, and we have.
struct Filter {
  bool tools = false;
  bool prompts = false;
  bool resources = false;
  std::set<std::string> uris{};
  std::set<std::string> tasks{};
};

class Listener : public Cancellable, public std::enable_shared_from_this<Listener> {
 public:
  Listener(Core& core, const Exchange& exchange, Filter filter);

  bool acknowledge();   // false: the client cannot be reached
  // `params`: further members of the notification's params.
  bool send(std::string_view method, std::string_view params = {});
  // Ends it from our side, with the answer that the specification asks for.
  void close();
  void cancel() override;   // the client ended it

  [[nodiscard]] const Filter& filter() const { return filter_; }
  [[nodiscard]] const std::string& grant() const { return grant_; }

 private:
  void forget();

  Core& core_;
  const std::string id_;
  const std::string grant_;
  const Filter filter_;
  std::shared_ptr<Sink> sink_;
  std::shared_ptr<Channel> channel_;
};

}  // namespace wardenv::mcp
