// SPDX-License-Identifier: Apache-2.0
#include "tools/mcp/running_call.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>

#include "tools/mcp/strict_json.h"

namespace wardenv::mcp {
namespace {

using nlohmann::json;

constexpr auto kAnswerTime = std::chrono::minutes(10);   // as a requestState has; a thread waits meanwhile
constexpr auto kTaskAfter = std::chrono::seconds(2);

// The capability that a method of ours needs from the client.
std::string_view needed_for(const std::string& method) {
  if (method == "elicitation/create") return "elicitation";
  if (method == "sampling/createMessage") return "sampling";
  return "roots";
}

// Enough of a look at an answer that a handler can rely on its shape (ElicitResult, CreateMessageResult, ListRootsResult).
bool fits(const std::string& method, const json& answer) {
  if (!answer.is_object()) return false;
  if (method == "roots/list") {
    const json* roots = member(answer, "roots");
    return roots != nullptr && roots->is_array();
  }
  if (method == "sampling/createMessage") return member(answer, "content") != nullptr && member(answer, "role") != nullptr;
  const json* action = member(answer, "action");
  const json* content = member(answer, "content");
  return action != nullptr && (*action == "accept" || *action == "decline" || *action == "cancel") && (content == nullptr || content->is_object());
}

// A place among the questions that wait for an answer: half of the workers stay free of them, whatever clients leave unanswered.
class WaitingPlace {
 public:
  explicit WaitingPlace(Core& core) : core_(core), held_(++core.waiting <= std::max<std::size_t>(core.options.workers.threads / 2, 1)) {}
  WaitingPlace(const WaitingPlace&) = delete;
  WaitingPlace& operator=(const WaitingPlace&) = delete;
  ~WaitingPlace() { --core_.waiting; }

  [[nodiscard]] bool held() const { return held_; }

 private:
  Core& core_;
  const bool held_;
};

void append_number(std::string& out, double value) {
  if (!std::isfinite(value)) value = 0;
  out += to_text(value == std::floor(value) && std::abs(value) < 1e15 ? json(static_cast<std::int64_t>(value)) : json(value));
}

}  // namespace

RunningCall::RunningCall(Core& core, ExchangePtr exchange) : core_(core), exchange_(std::move(exchange)) {}

std::optional<std::string> RunningCall::prepare() {
  const std::string* name = exchange_->text_param("name");
  if (name == nullptr) return "`name` must be a string";
  name_ = *name;
  const json* arguments = exchange_->param("arguments");
  if (arguments != nullptr && !arguments->is_object()) return "`arguments` must be an object";
  const json* token = exchange_->meta("progressToken");
  if (token != nullptr && !token->is_string() && !token->is_number_integer()) return "`progressToken` must be a string or an integer";
  if (token != nullptr) token_ = to_text(*token);
  return exchange_->era == Era::kModern ? take_responses() : std::nullopt;
}

StateBinding RunningCall::binding() const { return {exchange_->caller.grant, exchange_->message.method, name_, arguments_}; }

std::optional<std::string> RunningCall::take_responses() {
  const json* responses = exchange_->param("inputResponses");
  const json* state = exchange_->param("requestState");
  if (responses != nullptr && !responses->is_object()) return "`inputResponses` must be an object";
  if (state != nullptr && !state->is_string()) return "`requestState` must be a string";
  if (responses != nullptr) {
    for (const auto& [key, response] : responses->items()) responses_[key] = to_text(response);
  }
  if (state == nullptr) return std::nullopt;
  const json* arguments = exchange_->param("arguments");
  arguments_ = arguments == nullptr ? "{}" : to_text(*arguments);
  resumed_ = core_.states.open(state->get_ref<const std::string&>(), binding());
  if (!resumed_) return "`requestState` is not one of ours for this request, has expired, or was used before: call again without it";
  return std::nullopt;
}

bool RunningCall::begin() {
  if (exchange_->channel && !exchange_->channel->begin(exchange_->message.id, weak_from_this())) {
    exchange_->refuse(kInvalidRequest, "a request with this id is under way");
    return false;
  }
  exchange_->sink->bind(weak_from_this());
  {
    std::lock_guard lock(core_.mutex);
    if (!core_.closing) core_.running.insert(shared_from_this());
    if (!core_.closing) return true;
  }
  refuse(kBusy, "the server is shutting down", {});
  return false;
}

std::shared_ptr<Task> RunningCall::task() const {
  std::lock_guard lock(mutex_);
  return task_;
}

bool RunningCall::can_be_task() const {
  return exchange_->era == Era::kModern && exchange_->knows_tasks() && exchange_->message.method == "tools/call";
}

void RunningCall::leave() {
  if (exchange_->channel) exchange_->channel->end(exchange_->message.id);
  std::lock_guard lock(core_.mutex);
  core_.running.erase(shared_from_this());
}

bool RunningCall::end(std::string_view ending) {
  {
    std::lock_guard lock(mutex_);
    if (over_) return false;
    over_ = true;
  }
  leave();
  if (core_.options.observer != nullptr) {
    const std::string_view label = exchange_->message.method == "tools/call" ? std::string_view(name_) : "prompts/get";   // names that exist only
    core_.options.observer->call(label, ending, std::chrono::duration<double>(std::chrono::steady_clock::now() - since_).count());
  }
  return true;
}

void RunningCall::done(std::string members, std::string_view ending) {
  if (!end(ending)) return;
  const auto task = this->task();
  if (!task) return core_.answer(*exchange_, members);
  if (task->complete("{" + core_.modern(members) + "}")) tell_task(core_, *task);
}

void RunningCall::refuse(int code, std::string_view text, std::string_view data) {
  if (!end("refused")) return;
  const auto task = this->task();
  if (!task) return exchange_->refuse(code, text, data);
  std::string error = "{\"code\":" + std::to_string(code) + ",\"message\":" + json_string(text);
  if (!data.empty()) error.append(",\"data\":").append(data);
  if (task->fail(error + "}")) tell_task(core_, *task);
}

void RunningCall::need_input() {
  if (task() || wanted_.empty()) return refuse(kInternalError, "the tool wants input that it did not ask for", {});
  if (end("input_required")) exchange_->sink->finish(result_message(exchange_->message.id, core_.modern(wanted_, "input_required")), 200);
}

// Ended before the handler hears of it: what it says then is dropped, and nothing answers what was cancelled.
void RunningCall::cancel() {
  if (cancelled_.exchange(true)) return;
  const auto task = this->task();
  const bool was_under_way = task ? task->cancel() : end("cancelled");
  {
    std::lock_guard lock(mutex_);
    if (cancel_fd_.valid()) eventfd_write(cancel_fd_.get(), 1);
  }
  if (exchange_->channel) exchange_->channel->wake();
  if (!was_under_way) return;
  if (task) return tell_task(core_, *task);
  exchange_->sink->abandon();
  if (const auto late = this->task(); late && late->cancel()) tell_task(core_, *late);   // it became one meanwhile
}

int RunningCall::cancel_fd() {
  std::lock_guard lock(mutex_);
  if (!cancel_fd_.valid()) cancel_fd_.reset(eventfd(cancelled_.load() ? 1 : 0, EFD_CLOEXEC));
  return cancel_fd_.get();
}

void RunningCall::progress(double done, std::optional<double> total, std::string_view message) {
  if (const auto task = this->task()) {
    if (task->say(message)) tell_task(core_, *task);
    return;
  }
  if (long_running_ == LongRunning::kYes && std::chrono::steady_clock::now() - since_ > kTaskAfter && become_task()) return;
  if (token_.empty()) return;
  std::string members = "\"progressToken\":" + token_ + ",\"progress\":";
  append_number(members, done);
  if (total) append_number(members += ",\"total\":", *total);
  if (!message.empty()) members += ",\"message\":" + json_string(message);
  std::lock_guard lock(mutex_);   // held over the sending: nothing may come after the end, or in another order
  if (over_ || task_ || (progressed_ && done <= *progressed_)) return;
  progressed_ = done;
  exchange_->sink->send(notification("notifications/progress", members));
}

void RunningCall::log(LogLevel level, std::string_view logger, std::string_view data) {
  if (task()) return;   // SEP-2663: none for tasks
  if (exchange_->era == Era::kModern) {
    const json* wanted = exchange_->meta(kMetaLogLevel);
    if (wanted == nullptr || level < log_level_of(wanted->get_ref<const std::string&>()).value_or(LogLevel::kEmergency)) return;
  } else if (level < exchange_->channel->log_level()) {
    return;
  }
  std::string members = std::string("\"level\":\"") + name_of(level) + "\"";
  if (!logger.empty()) members += ",\"logger\":" + json_string(logger);
  members.append(",\"data\":").append(data);
  std::lock_guard lock(mutex_);
  if (!over_ && !task_) exchange_->sink->send(notification("notifications/message", members));
}

Answers RunningCall::ask(std::span<const InputRequest> requests, std::string_view state) {
  for (const InputRequest& request : requests) {
    if (!client_can(needed_for(request.method))) return {AskState::kUnsupported, {}};
  }
  if (cancelled()) return {AskState::kCancelled, {}};
  const auto task = this->task();
  if (!task && exchange_->era == Era::kModern) return ask_modern(requests, state);   // the call comes again: nothing waits
  const WaitingPlace place(core_);
  if (!may_wait_ || !place.held()) return {AskState::kUnsupported, {}};
  return task ? task->ask(requests, [&] { tell_task(core_, *task); }) : ask_legacy(requests);
}

Answers RunningCall::ask_legacy(std::span<const InputRequest> requests) {
  Answers answers{AskState::kAnswered, {}};
  for (const InputRequest& request : requests) {
    const std::string id = exchange_->channel->new_ask();
    const bool sent = exchange_->sink->send(wardenv::mcp::request(id, request.method, request.params));
    const auto answer = exchange_->channel->wait_answer(id, [&] { return !sent || cancelled(); }, kAnswerTime);
    if (!answer) return {sent ? AskState::kCancelled : AskState::kUnsupported, {}};
    json parsed;
    if (answer->failed || parse_strict(*answer->result, parsed) || !fits(request.method, parsed)) return {AskState::kFailed, {}};
    answers.by_key[request.key] = *answer->result;
  }
  return answers;
}

Answers RunningCall::ask_modern(std::span<const InputRequest> requests, std::string_view state) {
  Answers answers{AskState::kAnswered, {}};
  std::string questions;
  // Where the question had a state, an answer without it answers nothing.
  const bool stands = state.empty() || resumed_;
  for (const InputRequest& request : requests) {
    const auto at = responses_.find(request.key);
    json parsed;
    if (stands && at != responses_.end() && !parse_strict(at->second, parsed) && fits(request.method, parsed)) {
      answers.by_key[request.key] = at->second;
    } else {
      answers.state = AskState::kPending;
    }
    questions += (questions.empty() ? "" : ",") + json_string(request.key) + ":{\"method\":" + json_string(request.method) +
                 (request.params.empty() ? "" : ",\"params\":" + request.params) + "}";
  }
  if (answers.state == AskState::kAnswered) return answers;
  wanted_ = "\"inputRequests\":{" + questions + "}";
  if (state.empty()) return answers;
  const json* arguments = exchange_->param("arguments");
  arguments_ = arguments == nullptr ? "{}" : to_text(*arguments);
  wanted_ += ",\"requestState\":" + json_string(core_.states.seal(state, binding()));
  return answers;
}

bool RunningCall::become_task() {
  std::lock_guard becoming(becoming_);
  if (task()) return true;
  if (!can_be_task() || cancelled()) return false;
  auto task = core_.tasks.create(exchange_->caller.grant, weak_from_this());
  if (!task) return false;
  bool too_late = false;
  {
    std::lock_guard lock(mutex_);
    too_late = over_;
    if (!too_late) task_ = task;
  }
  if (too_late) return task->fail(R"({"code":-32603,"message":"the call ended before it was a task"})"), false;
  if (exchange_->channel) exchange_->channel->end(exchange_->message.id);   // the request is answered; only tasks/cancel reaches it now
  exchange_->sink->bind({});
  exchange_->sink->finish(result_message(exchange_->message.id, core_.modern(task->members(), "task")), 200);
  return true;
}

void RunningCall::close_stream() {
  if (exchange_->era == Era::kLegacy) exchange_->sink->suspend();
}

}  // namespace wardenv::mcp
