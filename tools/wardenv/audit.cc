// SPDX-License-Identifier: Apache-2.0
// wardenv audit: show, verify, head, follow.
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "engine/audit/read.h"
#include "engine/audit/verify.h"
#include "engine/spec_builder.h"
#include "sandbox/base/unique_fd.h"
#include "tools/options/text.h"
#include "tools/wardenv/commands.h"

namespace wardenv::cli {
namespace {

constexpr const char* kHelp =
    "Usage: wardenv audit show   [--json] [--since TIME] [--tool NAME] [--run ID] [--last N]\n"
    "       wardenv audit follow [--json] [--since TIME] [--tool NAME] [--run ID] [--last N]\n"
    "       wardenv audit verify [--json] [--head FILE]\n"
    "       wardenv audit head\n\n"
    "The log of every call that was judged, and of how it ended, in the folder `audit` of the state folder.\n\n"
    "  show     print records, oldest first\n"
    "  follow   print the last records (--last, default 10) and go on with new ones until interrupted\n"
    "  verify   check every record, the chain and the end; exit 1 at the first that was changed, cut, moved or put in, and say where\n"
    "  head     print where the log stands, signed. Keep it elsewhere: with it `verify` finds even a log rewritten by who has its key\n\n"
    "Options:\n"
    "  --json        records as they are in the log; the verdict as JSON\n"
    "  --since TIME  not before: 90m, 2d (ago), 2026-01-31, 2026-01-31T12:00:00Z\n"
    "  --tool NAME   only of that tool\n"
    "  --run ID      only of that run\n"
    "  --last N      only the newest N\n"
    "  --head FILE   the log must go on from this head\n"
    "  --folder DIR  a log elsewhere, for example a copy\n\n"
    "Examples:\n"
    "  wardenv audit show --since 1h --tool run_in_venv\n"
    "  wardenv audit head > /media/elsewhere/head.json\n"
    "  wardenv audit verify --head /media/elsewhere/head.json\n"
    "  wardenv audit follow --json | jq .decision\n";

struct Options {
  std::string action{};
  engine::AuditFilter filter{};
  std::string since{};
  std::string head_file{};
  std::string folder{};
  bool json = false;
};

Error bad(std::string message) { return {ErrorCode::kBadInput, std::move(message), "`wardenv audit --help` shows how", 0}; }

// What is understood beside --json and --folder.
bool fits(const Options& options) {
  const engine::AuditFilter& filter = options.filter;
  const bool filtered = !options.since.empty() || !filter.tool.empty() || !filter.run_id.empty() || filter.last != 0;
  if (options.action == "show" || options.action == "follow") return options.head_file.empty();
  return !filtered && (options.action == "verify" || (options.head_file.empty() && !options.json));
}

Result<Options> parse(const Arguments& arguments) {
  CLI::App app;
  Options options;
  app.set_help_flag();
  app.add_option("action", options.action)->required()->check(CLI::IsMember({"show", "follow", "verify", "head"}));
  app.add_flag("--json", options.json);
  app.add_option("--since", options.since);
  app.add_option("--tool", options.filter.tool);
  app.add_option("--run", options.filter.run_id);
  app.add_option("--last", options.filter.last)->check(CLI::Range(std::uint64_t{1}, std::uint64_t{100'000}));
  app.add_option("--head", options.head_file);
  app.add_option("--folder", options.folder);
  try {
    app.parse(Arguments(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::Error& error) {
    return tl::unexpected(bad(std::string("audit: ") + tools::visible(error.what())));
  }
  if (!fits(options)) return tl::unexpected(bad("audit " + options.action + " does not take all of these options"));
  if (!options.since.empty()) {
    auto since = engine::parse_audit_time(options.since);
    if (!since) return tl::unexpected(since.error());
    options.filter.since = std::move(*since);
  }
  if (options.folder.empty()) options.folder = engine::state_folder() + "/audit";
  return options;
}

// A line as it is, but for what would drive a terminal: a log that was tampered with may hold anything.
engine::AuditSink printer(const Options& options) {
  return [json = options.json](std::string_view line) {
    const std::string text = json ? tools::visible(line) : engine::audit_line_text(line);
    const bool good = std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fputc('\n', stdout) != EOF;
    return good ? engine::GoOn::kYes : engine::GoOn::kNo;
  };
}

int finish(const Status& status) {
  if (!status) return complain(status.error());
  return written();
}

int follow(const Options& options) {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&signals, number);
  ::sigprocmask(SIG_BLOCK, &signals, nullptr);
  const UniqueFd stop(::signalfd(-1, &signals, SFD_CLOEXEC));
  if (!stop.valid()) return complain(fail_errno(ErrorCode::kHost, "signalfd").value());
  const engine::AuditSink print = printer(options);
  const auto flushed = [&print](std::string_view line) { return print(line) == engine::GoOn::kYes && std::fflush(stdout) == 0 ? engine::GoOn::kYes : engine::GoOn::kNo; };
  engine::AuditFilter filter = options.filter;
  if (filter.last == 0 && filter.since.empty()) filter.last = 10;
  return finish(engine::follow_audit_log(options.folder, filter, flushed, stop.get()));
}

Result<std::optional<engine::AuditHead>> read_head(const std::string& path) {
  if (path.empty()) return std::optional<engine::AuditHead>();
  std::ifstream file(path, std::ios::binary);
  if (!file) return fail(ErrorCode::kNotFound, "`" + tools::visible(path) + "` can't be read", "give a file that `wardenv audit head` printed");
  std::string text(4096, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  auto head = engine::audit_head_from_json(text);
  if (!head) return tl::unexpected(head.error());
  return std::optional(std::move(*head));
}

nlohmann::ordered_json verdict_json(const engine::AuditVerdict& verdict) {
  nlohmann::ordered_json out{{"ok", !verdict.problem}, {"records", verdict.records}, {"files", verdict.files}, {"bytes", verdict.bytes},
                             {"first_seq", verdict.first_seq}, {"last_seq", verdict.last_seq}, {"last_hash", verdict.last_hash}, {"problem", nullptr},
                             {"notes", verdict.notes}};
  if (const auto& problem = verdict.problem) {
    out["problem"] = {{"kind", problem->kind}, {"message", problem->message}, {"file", problem->file}, {"line", problem->line}, {"seq", problem->seq}};
  }
  return out;
}

std::string place(const engine::AuditProblem& problem) {
  std::string text = problem.file;
  if (problem.line != 0) text += ":" + std::to_string(problem.line);
  if (problem.seq != 0) text += (text.empty() ? "record " : ": record ") + std::to_string(problem.seq);
  return text + (text.empty() ? "" : ": ");
}

void print_verdict(const engine::AuditVerdict& verdict) {
  const std::string count = std::to_string(verdict.records) + " records in " + std::to_string(verdict.files) + " files";
  if (verdict.problem) {
    std::printf("BROKEN  %s%s\n        %s before it hold\n", tools::visible(place(*verdict.problem)).c_str(), tools::visible(verdict.problem->message).c_str(), count.c_str());
  } else {
    std::printf("ok      %s, %llu to %llu\n", count.c_str(), static_cast<unsigned long long>(verdict.first_seq), static_cast<unsigned long long>(verdict.last_seq));
  }
  for (const std::string& note : verdict.notes) std::printf("note    %s\n", tools::visible(note).c_str());
}

int verify(const Options& options) {
  const auto head = read_head(options.head_file);
  if (!head) return complain(head.error());
  const auto verdict = engine::verify_audit_log(options.folder, *head);
  if (!verdict) return complain(verdict.error());
  options.json ? (void)std::puts(verdict_json(*verdict).dump(2, ' ', true, nlohmann::ordered_json::error_handler_t::replace).c_str()) : print_verdict(*verdict);
  return written(verdict->problem ? 1 : 0);
}

int head(const Options& options) {
  const auto signed_head = engine::sign_audit_head(options.folder);
  if (!signed_head) return complain(signed_head.error());
  std::puts(engine::audit_head_to_json(*signed_head).c_str());
  return written();
}

}  // namespace

int audit_command(const Arguments& arguments) {
  if (arguments.empty() || arguments[0] == "--help" || arguments[0] == "-h") {
    std::fputs(kHelp, arguments.empty() ? stderr : stdout);
    return written(arguments.empty() ? kCannot : 0);
  }
  const auto options = parse(arguments);
  if (!options) return complain(options.error());
  if (options->action == "verify") return verify(*options);
  if (options->action == "head") return head(*options);
  if (options->action == "follow") return follow(*options);
  return finish(engine::read_audit_log(options->folder, options->filter, printer(*options)));
}

}  // namespace wardenv::cli
