// SPDX-License-Identifier: Apache-2.0
// Tells a URL of the policy that a call waits for a person: signed, once, and nobody waits for it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "policy/approvals/store.h"
#include "sandbox/base/error.h"

namespace wardenv::engine {

struct WebhookTarget {
  std::string url{};       // http:// or https://
  std::string secret{};    // never empty: what is sent is signed
};

// Checks the URL and reads the secret from the environment. Error kBadInput: no such URL, or the variable is not set: then nothing
// could be signed, and a receiver that checks would drop it.
Result<WebhookTarget> webhook_target(const std::string& url, const std::string& secret_env);

// The JSON that is sent: {"event": "approval_required", "id", "tool", "argument_keys", "grant", "cwd", "workspace", "venv", "program", "rule", "reason", "fingerprint", "created_at",
// "expires_at", "approve"}. Names of arguments, not their values: those are shown by `wardenv approvals show`.
std::string approval_event(const policy::Approval& approval);

// "sha256=" and the HMAC-SHA256 (RFC 2104) of the body in hex: the header X-Wardenv-Signature. Empty where it could not be made.
std::string webhook_signature(const std::string& secret, const std::string& body);

// One thread sends what was handed in, in order, each at most once and within five seconds.
class WebhookSender {
 public:
  // `on_failure` hears one line for each that was not delivered, from the sending thread or from send().
  WebhookSender(WebhookTarget target, std::function<void(const Error&)> on_failure);
  // Waits for what is still to be sent, six seconds at most.
  ~WebhookSender();
  WebhookSender(const WebhookSender&) = delete;
  WebhookSender& operator=(const WebhookSender&) = delete;

  // Never waits. Where a hundred are waiting already, it is dropped and on_failure hears of it.
  void send(std::string body);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace wardenv::engine
