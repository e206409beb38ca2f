// SPDX-License-Identifier: Apache-2.0
// Announcer: tells the policy's webhook of each call that newly waits for a person.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "engine/webhook/webhook.h"
#include "policy/core/document.h"

namespace wardenv::engine {

// Thread-safe. Nothing waits for it but its end, seconds at most; what goes wrong is a notice: the call waits all the same.
class Announcer {
 public:
  explicit Announcer(std::function<void(std::string_view)> notice) : notice_(std::move(notice)) {}
  // Does nothing where the policy names no webhook.
  void announce(const policy::ApprovalSettings& settings, const policy::Approval& approval);

 private:
  struct Sender {
    std::string url{};
    std::string secret_env{};
    std::unique_ptr<WebhookSender> sender{};
  };
  WebhookSender* sender_for(const policy::ApprovalSettings& settings);

  std::function<void(std::string_view)> notice_;
  std::mutex mutex_{};
  std::vector<Sender> senders_{};   // one for each webhook that a version of the policy named
};

}  // namespace wardenv::engine
