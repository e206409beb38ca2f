// SPDX-License-Identifier: Apache-2.0
// run_in_venv, run_python.
#include "tools/mcp/tools/run_tools.h"

#include "engine/command_resolve.h"
#include "engine/project/project.h"
#include "tools/mcp/tools/handlers.h"
#include "tools/mcp/tools/progress.h"
#include "tools/mcp/tools/results.h"

namespace wardenv::mcp {
namespace {

constexpr std::size_t kMaxArguments = 1000;
constexpr std::size_t kMaxArgumentBytes = 96 << 10;
constexpr std::size_t kMaxInputBytes = 4 << 20;
constexpr std::uint64_t kMaxSeconds = 24 * 3600;

// Reads the program from its input, so that its length is not limited as an argument's is, and tells a traceback's lines.
// Runs as __main__, with the current folder first on the path, as `python -c` does.
constexpr const char* kRunInput = R"python(
import sys, linecache, traceback
def run(text, name="<code>"):
    linecache.cache[name] = (len(text), None, text.splitlines(True), name)
    scope = sys.modules["__main__"].__dict__
    for item in ("run", "linecache", "traceback"):
        scope.pop(item, None)
    try:
        exec(compile(text, name, "exec"), scope)
    except SystemExit:
        raise
    except BaseException as error:
        where = error.__traceback__
        while where and where.tb_frame.f_code.co_filename != name:
            where = where.tb_next
        traceback_of(type(error), error, where)
        sys.exit(1)
traceback_of = traceback.print_exception
run(sys.stdin.buffer.read().decode())
)python";

void read_limits(Call& call, WantedRun& wanted) {
  if (const auto seconds = call.arguments().number("timeout_seconds", 1, kMaxSeconds)) {
    wanted.request.limits.wall_time = std::chrono::seconds(*seconds);
    wanted.asked.emplace_back("timeout");
  }
}

void check_words(Call& call, const std::vector<std::string>& words) {
  std::size_t bytes = 0;
  for (const std::string& word : words) {
    bytes += word.size() + 1;
    if (word.find('\0') != std::string::npos) call.arguments().wrong("an argument contains a NUL character");
  }
  if (bytes > kMaxArgumentBytes) call.arguments().wrong("`command` and `args` are longer than 96 KiB together; hand large data over as `stdin`, or in a file by write_file");
}

ToolResult run_to_the_end(Call& call, WantedRun wanted) {
  look_up(call, wanted);
  auto admitted = call.admit(wanted.folder, wanted.request, wanted.asked);
  if (!admitted) return call.refusal();
  engine::RunReport report;
  if (auto ready = set_up(wanted, admitted->request); !ready) {
    report.error = ready.error();
  } else {
    Progress progress(call.context(), "running " + wanted.label, admitted->shown());
    report = call.service().engine.run(admitted->request, progress.io());
  }
  admitted->finish(call.service().gate, report);
  return report_result(report);
}

}  // namespace

WantedRun read_command(Call& call) {
  WantedRun wanted;
  wanted.folder = call.folder(true);
  const std::string command = call.arguments().text("command");
  std::vector<std::string> words{command};
  for (std::string& word : call.arguments().list("args", kMaxArguments)) words.push_back(std::move(word));
  if (command.find_first_of(" \t\n") != std::string::npos) {
    call.arguments().wrong("`command` is the name of one program, without arguments: put the rest into `args`, one item each, such as command \"python\", args "
                           "[\"-m\", \"pytest\", \"-x\"]; there is no shell");
  }
  check_words(call, words);
  if (auto text = call.arguments().optional_text("stdin")) {
    wanted.stdin_text = std::move(*text);
    wanted.has_stdin = true;
    if (wanted.stdin_text.size() > kMaxInputBytes) call.arguments().wrong("`stdin` is longer than 4 MiB; write it to a file by write_file");
  }
  read_limits(call, wanted);
  for (const std::string& word : words) wanted.label += (wanted.label.empty() ? "" : " ") + word;
  wanted.label = printable(wanted.label.substr(0, 200));
  wanted.request.argv = std::move(words);
  return wanted;
}

void look_up(Call& call, WantedRun& wanted) {
  if (call.arguments().problem()) return;
  const auto project = engine::find_project(wanted.folder);
  wanted.found = project ? Status() : tl::unexpected(project.error());
  if (!project) return;
  const auto granted = call.foresee(wanted.folder, wanted.request, wanted.asked).venv;
  wanted.venv = granted.value_or(project->venv);
  if (!granted) wanted.venv_within = project->folder.path();
  wanted.command = engine::look_up_command(wanted.request.argv.front(), wanted.venv, wanted.folder.path());
  call.will_use(wanted.venv, wanted.command.get());
  wanted.judged = call.judged(wanted.folder);
}

// Where the policy was edited between the two so that another environment is granted, the engine refuses the command.
Status set_up(const WantedRun& wanted, engine::RunRequest& request) {
  WARDENV_TRY(wanted.found);
  if (!request.venv) {
    request.venv = wanted.venv;
    request.venv_within = wanted.venv_within;
  }
  request.command = wanted.command;
  request.judged = wanted.judged;
  if (wanted.has_stdin) {
    request.stdin_mode = engine::StdinMode::kText;
    request.stdin_text = wanted.stdin_text;
  } else {
    request.stdin_mode = engine::StdinMode::kNull;   // ours is the wire of the protocol, whatever a profile says
  }
  return {};
}

ToolResult call_run_in_venv(Call& call) { return run_to_the_end(call, read_command(call)); }

ToolResult call_run_python(Call& call) {
  WantedRun wanted;
  wanted.folder = call.folder(false);
  wanted.stdin_text = call.arguments().text("code");
  wanted.has_stdin = true;
  if (wanted.stdin_text.size() > kMaxInputBytes) call.arguments().wrong("`code` is longer than 4 MiB; write it to a file by write_file and run that");
  std::vector<std::string> words{"python", "-c", kRunInput};
  for (std::string& word : call.arguments().list("args", kMaxArguments)) words.push_back(std::move(word));
  check_words(call, words);
  read_limits(call, wanted);
  wanted.request.argv = std::move(words);
  wanted.label = "python";
  return run_to_the_end(call, wanted);
}

}  // namespace wardenv::mcp
