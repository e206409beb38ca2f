// SPDX-License-Identifier: Apache-2.0
// Announcer: one sender for each webhook.
#include "engine/gate/announce.h"

namespace wardenv::engine {

void Announcer::announce(const policy::ApprovalSettings& settings, const policy::Approval& approval) {
  if (settings.webhook_url.empty()) return;
  const std::scoped_lock lock(mutex_);
  if (WebhookSender* sender = sender_for(settings)) sender->send(approval_event(approval));
}

WebhookSender* Announcer::sender_for(const policy::ApprovalSettings& settings) {
  for (const Sender& known : senders_) {
    if (known.url == settings.webhook_url && known.secret_env == settings.webhook_secret_env) return known.sender.get();
  }
  auto target = webhook_target(settings.webhook_url, settings.webhook_secret_env);
  if (!target) {
    notice_("approvals: " + target.error().message + " — " + target.error().hint);
    return nullptr;
  }
  auto sender = std::make_unique<WebhookSender>(std::move(*target), [notice = notice_](const Error& error) { notice("approvals: " + error.message); });
  senders_.push_back({settings.webhook_url, settings.webhook_secret_env, std::move(sender)});
  return senders_.back().sender.get();
}

}  // namespace wardenv::engine
