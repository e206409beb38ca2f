// SPDX-License-Identifier: Apache-2.0
// tools/call and prompts/get: in the pool, on the thread that read the message, or as a task.
#include "tools/mcp/running_call.h"
#include "tools/mcp/strict_json.h"

namespace wardenv::mcp {
namespace {

using nlohmann::json;

constexpr const char* kBusyText = "busy: as many calls run and wait as this server takes; nothing was done, call again in a few seconds";

const json& arguments_of(const Exchange& exchange) {
  static const json none = json::object();   // `arguments` may be left out
  const json* arguments = exchange.param("arguments");
  return arguments == nullptr ? none : *arguments;
}

void finish(RunningCall& call, const ToolResult& result) {
  switch (result.ending) {
    case Ending::kDone: return call.done(call_result_members(result), "done");
    case Ending::kFailed: return call.done(call_result_members(result), "failed");
    case Ending::kInputRequired: return call.need_input();
    case Ending::kProtocolError: return call.refuse(result.error_code, result.error_message, result.error_data);
  }
}

void run(Core& core, RunningCall& call) {
  if (call.cancelled()) return;   // while it waited for a thread
  finish(call, core.features.call_tool(*call.exchange().text_param("name"), arguments_of(call.exchange()), call));
}

void run_prompt(Core& core, RunningCall& call) {
  if (call.cancelled()) return;
  const PromptResult result = core.features.get_prompt(*call.exchange().text_param("name"), arguments_of(call.exchange()), call);
  if (result.ending == Ending::kInputRequired) return call.need_input();
  if (result.ending == Ending::kProtocolError) return call.refuse(result.error_code, result.error_message, {});
  call.done(prompt_result_members(result), "done");
}

// Null: refused, and said so.
std::shared_ptr<RunningCall> prepared(Core& core, const ExchangePtr& exchange) {
  auto call = std::make_shared<RunningCall>(core, exchange);
  if (const auto problem = call->prepare()) {
    exchange->refuse(kInvalidParams, *problem);
    return nullptr;
  }
  return call->begin() ? call : nullptr;
}

void submit(Core& core, Pool& pool, const std::shared_ptr<RunningCall>& call) {
  if (!pool.submit([&core, call] { run(core, *call); })) finish(*call, failed(kBusyText));
}

// What is hidden and what never was are answered alike, and as late: after it was noted.
void refuse_unknown(Core& core, const ExchangePtr& exchange) {
  const auto note = [&core, exchange] {
    const std::string& name = *exchange->text_param("name");
    core.features.note_unknown(name, arguments_of(*exchange), exchange->caller);
    exchange->refuse(kInvalidParams, "unknown tool `" + name.substr(0, 128) + "`");
  };
  if (!core.quick.submit(note)) exchange->refuse(kBusy, kBusyText);
}

}  // namespace

void call_tool(Core& core, const ExchangePtr& exchange) {
  const std::string* name = exchange->text_param("name");
  const Lane lane = name == nullptr ? Lane::kInline : core.features.lane_of(*name, exchange->caller);
  if (lane == Lane::kUnknown) return refuse_unknown(core, exchange);
  const LongRunning long_running = name == nullptr ? LongRunning::kNo : facts_of(core, *name, exchange->caller).long_running;
  if (long_running == LongRunning::kRequired && !exchange->knows_tasks()) {
    return exchange->refuse(kMissingCapability, "this tool needs the extension io.modelcontextprotocol/tasks", kTasksMissing);
  }
  const auto call = prepared(core, exchange);
  if (!call) return;
  call->set_long_running(long_running);
  call->set_may_wait(lane == Lane::kWorker);
  if (long_running == LongRunning::kRequired && !call->become_task()) return finish(*call, failed(kBusyText));
  if (lane == Lane::kInline) return run(core, *call);
  submit(core, lane == Lane::kQuick ? core.quick : core.workers, call);
}

void get_prompt(Core& core, const ExchangePtr& exchange) {
  const auto call = prepared(core, exchange);
  if (!call) return;
  if (!core.quick.submit([&core, call] { run_prompt(core, *call); })) call->refuse(kBusy, kBusyText, {});
}

void cancel_running(Core& core) {
  std::set<std::shared_ptr<RunningCall>> all;
  {
    std::lock_guard lock(core.mutex);
    all = core.running;
  }
  for (const auto& call : all) call->cancel();
}

}  // namespace wardenv::mcp
