// SPDX-License-Identifier: Apache-2.0
// Tells a URL that a call waits.
#include "engine/webhook/webhook.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <condition_variable>
#include <cstdlib>
#include <ctime>
#include <deque>
#include <mutex>
#include <nlohmann/json.hpp>
#include <system_error>
#include <thread>

#include "engine/post/post.h"

namespace wardenv::engine {
namespace {

constexpr std::size_t kMostWaiting = 100;
constexpr auto kOneTakes = std::chrono::seconds(5);
constexpr auto kEndTakes = std::chrono::seconds(6);

std::string utc(policy::WallTime time) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(std::chrono::floor<std::chrono::seconds>(time));
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  char text[40];
  return std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts) > 0 ? text : "";
}

tl::unexpected<Error> as_subject(const Error& error) { return fail(error.code, "the webhook " + error.message, error.hint); }

Result<post::Url> parse(const std::string& url) {
  auto parsed = post::parse_url(url, post::Schemes::kHttpAndHttps);
  if (!parsed) return as_subject(parsed.error());
  return parsed;
}

}  // namespace

Result<WebhookTarget> webhook_target(const std::string& url, const std::string& secret_env) {
  if (const auto parsed = parse(url); !parsed) return tl::unexpected(parsed.error());
  const char* secret = secret_env.empty() ? nullptr : std::getenv(secret_env.c_str());
  if (secret == nullptr || *secret == '\0') {
    return fail(ErrorCode::kBadInput, "the webhook's secret is not there: the variable `" + secret_env + "` is not set", "set it where wardenv is started");
  }
  return WebhookTarget{url, secret};
}

std::string approval_event(const policy::Approval& approval) {
  nlohmann::ordered_json keys = nlohmann::ordered_json::array();
  const auto arguments = nlohmann::json::parse(approval.call.arguments_json, nullptr, false);
  if (arguments.is_object()) {
    for (const auto& [key, value] : arguments.items()) keys.push_back(key);
  }
  const nlohmann::ordered_json event{{"event", "approval_required"}, {"id", approval.id}, {"tool", approval.call.tool}, {"argument_keys", keys},
                                     {"grant", approval.call.grant}, {"cwd", approval.call.cwd}, {"workspace", approval.call.workspace}, {"venv", approval.call.venv}, {"program", approval.call.program}, {"rule", approval.call.rule}, {"reason", approval.reason},
                                     {"fingerprint", approval.fingerprint}, {"created_at", utc(approval.created_at)}, {"expires_at", utc(approval.expires_at)},
                                     {"approve", "wardenv approvals approve " + approval.id}};
  return event.dump(-1, ' ', true, nlohmann::ordered_json::error_handler_t::replace);
}

std::string webhook_signature(const std::string& secret, const std::string& body) {
  unsigned char code[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  if (HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()), reinterpret_cast<const unsigned char*>(body.data()), body.size(), code, &size) == nullptr) return {};
  std::string text = "sha256=";
  for (unsigned int i = 0; i < size; ++i) {
    text += "0123456789abcdef"[code[i] >> 4];
    text += "0123456789abcdef"[code[i] & 15];
  }
  return text;
}

// Shared with the thread, which may outlive the sender where a name takes long to be resolved.
struct WebhookSender::Impl {
  WebhookTarget target{};
  std::function<void(const Error&)> on_failure{};
  std::mutex mutex{};
  std::condition_variable changed{};
  std::deque<std::string> waiting{};
  bool ending = false;
  bool ended = false;

  Status deliver(const std::string& body) const {
    const auto url = parse(target.url);
    if (!url) return tl::unexpected(url.error());
    std::vector<post::Header> headers;
    if (!target.secret.empty()) {
      headers.push_back({"X-Wardenv-Signature", webhook_signature(target.secret, body)});
      if (headers.back().value.empty()) return fail(ErrorCode::kInternal, "the webhook could not be signed");
    }
    const auto answer = post::send(*url, {std::move(headers), body}, std::chrono::steady_clock::now() + kOneTakes, 0);
    if (!answer) return as_subject(answer.error());
    if (answer->status < 200 || answer->status > 299) return fail(ErrorCode::kHost, "the webhook answered with HTTP status " + std::to_string(answer->status));
    return {};
  }

  void report(const Error& error) {
    const std::scoped_lock lock(mutex);
    if (on_failure) on_failure(error);
  }

  void work() {
    std::unique_lock lock(mutex);
    while (true) {
      changed.wait(lock, [this] { return ending || !waiting.empty(); });
      if (waiting.empty()) break;
      const std::string body = std::move(waiting.front());
      waiting.pop_front();
      lock.unlock();
      const Status sent = deliver(body);
      if (!sent) report(sent.error());
      lock.lock();
    }
    ended = true;
    changed.notify_all();
  }
};

WebhookSender::WebhookSender(WebhookTarget target, std::function<void(const Error&)> on_failure)
    : impl_(std::make_shared<Impl>()) {
  impl_->target = std::move(target);
  impl_->on_failure = std::move(on_failure);
  try {
    std::thread([impl = impl_] { impl->work(); }).detach();
  } catch (const std::system_error&) {
    impl_->ended = true;   // no thread to be had: send() drops
  }
}

WebhookSender::~WebhookSender() {
  std::unique_lock lock(impl_->mutex);
  impl_->ending = true;
  impl_->changed.notify_all();
  impl_->changed.wait_for(lock, kEndTakes, [this] { return impl_->ended; });
  impl_->waiting.clear();
  impl_->on_failure = nullptr;
}

void WebhookSender::send(std::string body) {
  {
    const std::scoped_lock lock(impl_->mutex);
    if (!impl_->ended && impl_->waiting.size() < kMostWaiting) {
      impl_->waiting.push_back(std::move(body));
      impl_->changed.notify_all();
      return;
    }
  }
  impl_->report({ErrorCode::kHost, "too much waits for the webhook, or nothing can send: one message was dropped", "", 0});
}

}  // namespace wardenv::engine
