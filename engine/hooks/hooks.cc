// SPDX-License-Identifier: Apache-2.0
// Hooks: what is asked, what is believed.
#include "engine/hooks/hooks.h"

#include <unistd.h>

#include <exception>
#include <nlohmann/json.hpp>

#include "engine/cancel.h"
#include "engine/hooks/answer.h"
#include "engine/hooks/program.h"
#include "engine/post/post.h"

namespace wardenv::engine {
namespace {

using Json = nlohmann::ordered_json;
using std::chrono::steady_clock;

constexpr int kMaxDepth = 256;   // of arguments: writing them recurses

HookAnswer deny(const Hook& hook, const std::string& what) {
  return {HookDecision::kDeny, "hook `" + hook.name + "` did not judge: " + what, hook.name};
}

HookAnswer cancelled(const Hook& hook) {
  return {HookDecision::kDeny, "the call was cancelled while hook `" + hook.name + "` was asked; nothing was done", hook.name, true};
}

// The body of the answer of an OPA server, at `hook.http`.
Result<std::string> ask_http(const Hook& hook, const std::string& event_json, steady_clock::time_point deadline, int cancel_fd) {
  const auto as_subject = [](const Error& error) { return fail(error.code, "it " + error.message, error.hint); };
  const auto url = post::parse_url(hook.http, post::Schemes::kHttp);
  if (!url) return as_subject(url.error());
  auto answer = post::send(*url, {.headers = {}, .body = "{\"input\":" + event_json + "}"}, deadline, hooks::kMaxAnswerBytes, cancel_fd);
  if (!answer) return as_subject(answer.error());
  if (answer->status != 200) return fail(ErrorCode::kHost, "it answered with HTTP status " + std::to_string(answer->status));
  return std::move(answer->body);
}

Result<HookAnswer> put_question(const Hook& hook, const std::string& event_json, int cancel_fd) {
  const auto deadline = steady_clock::now() + hook.timeout;
  if (hook.run.empty() == hook.http.empty()) return fail(ErrorCode::kBadInput, "it is neither a program nor a URL");
  if (hook.http.empty()) {
    const auto output = hooks::ask_program(hook.run, event_json, deadline, hooks::kMaxAnswerBytes, cancel_fd);
    return output ? hooks::read_program_answer(*output) : tl::unexpected(output.error());
  }
  const auto body = ask_http(hook, event_json, deadline, cancel_fd);
  return body ? hooks::read_http_answer(*body) : tl::unexpected(body.error());
}

}  // namespace

std::string hook_event_json(const HookEvent& event) try {
  bool deep = false;
  const auto watch = [&deep](int depth, Json::parse_event_t, Json&) {
    deep = deep || depth > kMaxDepth;
    return !deep;
  };
  Json arguments = Json::parse(event.arguments_json, watch, false);
  if (deep || !arguments.is_object()) return {};
  Json document{{"event", event.event}, {"tool", event.tool},     {"arguments", std::move(arguments)},
                {"grant", event.grant}, {"run_id", event.run_id}, {"profile", event.profile}};
  if (!event.outcome.empty()) document["outcome"] = event.outcome;
  return document.dump(-1, ' ', true, Json::error_handler_t::replace);
} catch (const std::exception&) {
  return {};
}

HookAnswer ask(const Hook& hook, const std::string& event_json, int cancel_fd) try {
  if (event_json.empty()) return deny(hook, "the call can't be put to it as JSON");
  if (is_cancelled(cancel_fd)) return cancelled(hook);
  auto answer = put_question(hook, event_json, cancel_fd);
  if (!answer && is_cancelled(cancel_fd)) return cancelled(hook);
  if (!answer) return deny(hook, answer.error().message);
  answer->hook = hook.name;
  if (answer->reason.empty() && answer->decision > HookDecision::kAllow) answer->reason = "hook `" + hook.name + "` says so";
  return std::move(*answer);
} catch (const std::exception& failure) {
  return deny(hook, failure.what());
}

std::string hook_program(const std::string& name) {
  if (name.find('/') != std::string::npos) return name;
  for (const char* folder : {"/usr/local/bin/", "/usr/bin/", "/bin/"}) {
    if (::access((folder + name).c_str(), X_OK) == 0) return folder + name;
  }
  return name;
}

}  // namespace wardenv::engine
