// SPDX-License-Identifier: Apache-2.0
// start_run, run_status, cancel_run, list_runs.
#include <nlohmann/json.hpp>

#include "engine/report_json.h"
#include "tools/mcp/tools/handlers.h"
#include "tools/mcp/tools/results.h"
#include "tools/mcp/tools/run_tools.h"

namespace wardenv::mcp {
namespace {

using json = nlohmann::ordered_json;

constexpr std::uint64_t kMaxWaitSeconds = 20;
constexpr int kMaxWaiting = 2;   // threads that answer calls are few
constexpr std::uint64_t kMaxOutputBytes = 256 << 10;
constexpr std::uint64_t kFarAway = 1ULL << 53;   // beyond it not every JSON reader is exact

json summary_object(const engine::JobSummary& summary) {
  return {{"run_id", summary.id},
          {"command", printable(summary.label)},
          {"state", engine::to_string(summary.state)},
          {"age_ms", summary.age.count()},
          {"stdout_bytes", summary.stdout_bytes},
          {"stderr_bytes", summary.stderr_bytes}};
}

// Whole characters only, so that parts put together are the text again. What is no UTF-8 at all is shown as such.
std::size_t whole_characters(std::string_view bytes) {
  for (std::size_t back = 1; back <= 3 && back <= bytes.size(); ++back) {
    const auto byte = static_cast<unsigned char>(bytes[bytes.size() - back]);
    if (byte < 0x80) break;
    if (byte < 0xc0) continue;
    const std::size_t length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
    return length > back ? bytes.size() - back : bytes.size();
  }
  return bytes.size();
}

void add_part(json& object, const std::string& stream, engine::OutputPart part, engine::JobState state) {
  if (state != engine::JobState::kEnded || part.next() < part.total) {
    const std::size_t whole = whole_characters(part.bytes);
    if (whole > 0) part.bytes.resize(whole);
  }
  object[stream] = printable(part.bytes);
  object[stream + "_offset"] = part.from;
  object["next_" + stream + "_offset"] = part.next();
}

json status_object(const engine::JobStatus& status) {
  json object = summary_object(status.summary);
  add_part(object, "stdout", status.out, status.summary.state);
  add_part(object, "stderr", status.err, status.summary.state);
  object["report"] = status.report ? report_object(*status.report) : json(nullptr);
  object["error"] = nullptr;
  return object;
}

// A tool that looks after runs: admitted like any other, and runs nothing.
template <typename Work>
ToolResult look_after(Call& call, Work work) {
  const engine::Place folder{call.service().workspaces.real_dirs()[0], "", ""};
  auto admitted = call.admit(folder);
  if (!admitted) return call.refusal();
  ToolResult result = work(owner_of(call.context().caller()));
  const auto withheld = admitted->finish(call.service().gate, result.ending == Ending::kDone ? "done" : "failed", engine::Entered::kYes);
  return withheld ? withheld_result(*withheld) : std::move(result);
}

// Output that a hook may withhold comes when the hook has seen it, at the end.
engine::RunReport run_in_background(Service& service, const Admitted& admitted, const engine::RunIo& io) {
  const bool withheld = admitted.shown() == Shown::kNothing;
  engine::RunIo quiet;
  quiet.cancel_fd = io.cancel_fd;
  engine::RunReport report = service.engine.run(admitted.request, withheld ? quiet : io);
  admitted.finish(service.gate, report);
  if (!withheld) return report;
  io.on_stdout(report.out.text);
  io.on_stderr(report.err.text);
  return report;
}

}  // namespace

ToolResult call_start_run(Call& call) {
  WantedRun wanted = read_command(call);
  call.judge_also_as("run_in_venv");
  look_up(call, wanted);
  auto admitted = call.admit(wanted.folder, wanted.request, wanted.asked);
  if (!admitted) return call.refusal();
  Service& service = call.service();
  auto ready = set_up(wanted, admitted->request);
  Result<std::string> id = ready ? service.jobs.start(owner_of(call.context().caller()), wanted.label,
                                                      [&service, admitted = *admitted](const engine::RunIo& io) { return run_in_background(service, admitted, io); },
                                                      call.context().caller().grant)   // many sessions have no more places than one
                                 : Result<std::string>(tl::unexpected(ready.error()));
  if (!id) {
    admitted->drop(service.gate, "failed");
    return error_result(id.error());
  }
  return object_result({{"run_id", *id}, {"state", "running"}, {"error", nullptr}});
}

ToolResult call_run_status(Call& call) {
  const std::string id = call.arguments().text("run_id");
  engine::JobQuery query;
  query.stdout_from = call.arguments().number("stdout_offset", 0, kFarAway).value_or(0);
  query.stderr_from = call.arguments().number("stderr_offset", 0, kFarAway).value_or(0);
  query.max_bytes = call.arguments().number("max_bytes", 1, kMaxOutputBytes).value_or(query.max_bytes);
  query.wait = std::chrono::seconds(call.arguments().number("wait_seconds", 0, kMaxWaitSeconds).value_or(0));
  return look_after(call, [&](const std::string& owner) {
    std::atomic<int>& waiting = call.service().waiting;
    if (++waiting > kMaxWaiting) query.wait = {};
    query.cancel_fd = query.wait.count() > 0 ? call.context().cancel_fd() : -1;
    auto status = call.service().jobs.status(owner, id, query);
    --waiting;
    return status ? object_result(status_object(*status)) : error_result(status.error());
  });
}

ToolResult call_cancel_run(Call& call) {
  const std::string id = call.arguments().text("run_id");
  return look_after(call, [&](const std::string& owner) {
    auto summary = call.service().jobs.cancel(owner, id);
    if (!summary) return error_result(summary.error());
    json object = summary_object(*summary);
    object["error"] = nullptr;
    return object_result(object);
  });
}

ToolResult call_list_runs(Call& call) {
  return look_after(call, [&](const std::string& owner) {
    json runs = json::array();
    for (const auto& summary : call.service().jobs.list(owner)) runs.push_back(summary_object(summary));
    return object_result({{"runs", runs}, {"error", nullptr}});
  });
}

}  // namespace wardenv::mcp
