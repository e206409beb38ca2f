// SPDX-License-Identifier: Apache-2.0
// wardenv approvals: list, show, approve, deny.
#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <nlohmann/json.hpp>

#include "engine/gate/config.h"
#include "engine/gate/stores.h"
#include "engine/spec_builder.h"
#include "tools/wardenv/approval_text.h"
#include "tools/wardenv/commands.h"

namespace wardenv::cli {
namespace {

constexpr const char* kHelp =
    "Usage: wardenv approvals list [--all] [--json]\n"
    "       wardenv approvals show ID [--json]\n"
    "       wardenv approvals approve ID [--as NAME] [--yes]\n"
    "       wardenv approvals deny ID [--as NAME] [--reason TEXT]\n\n"
    "Calls that a policy's `require_approval` made wait for a person. An approval is good for one call, the very one that is shown, until its\n"
    "time ends; then the caller must make that call again.\n\n"
    "  list     what waits or is approved and not yet used; --all: what was denied, used or ended too\n"
    "  show     exactly what will run: every argument quoted, control and invisible characters escaped; and what its profile grants: network, files,\n"
    "           names of variables, limits\n"
    "  approve  show it, ask, and approve; where there is no terminal to ask at, only with --yes\n"
    "  deny     deny it; the caller is told the reason\n\n"
    "Options:\n"
    "  --all          what has ended too\n"
    "  --json         JSON: `list` an array, `show` an object\n"
    "  --as NAME      who decides, for the record (default: $SUDO_USER, $LOGNAME, $USER or the user id)\n"
    "  --yes          don't ask\n"
    "  --reason TEXT  why not\n"
    "  --config FILE  the configuration that names the state folder\n\n"
    "Examples:\n"
    "  wardenv approvals list\n"
    "  wardenv approvals approve k7p2-m9xq-3dfw\n"
    "  wardenv approvals deny k7p2-m9xq-3dfw --reason \"use the staging folder\"\n\n"
    "Exit status: 0 done; 1 there is no such approval, it is not pending, or nobody said yes; 125 wardenv could not do its job.\n";
constexpr int kNo = 1;

struct Options {
  std::string action{};
  std::string id{};
  std::string as{};
  std::string reason{};
  std::optional<std::string> config{};
  bool all = false;
  bool json = false;
  bool yes = false;
};

bool fits(const Options& options) {
  const bool list = options.action == "list";
  const bool approve = options.action == "approve";
  const bool deny = options.action == "deny";
  return list == options.id.empty() && (list || !options.all) && (list || options.action == "show" || !options.json) && (approve || !options.yes) &&
         (approve || deny || options.as.empty()) && (deny || options.reason.empty());
}

Result<Options> parse(const Arguments& arguments) {
  CLI::App app;
  Options options;
  std::string config;
  app.set_help_flag();
  app.add_option("action", options.action)->required()->check(CLI::IsMember({"list", "show", "approve", "deny"}));
  app.add_option("id", options.id);
  app.add_option("--as", options.as);
  app.add_option("--reason", options.reason);
  app.add_option("--config", config);
  app.add_flag("--all", options.all);
  app.add_flag("--json", options.json);
  app.add_flag("--yes", options.yes);
  try {
    app.parse(Arguments(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::Error& error) {
    return fail(ErrorCode::kBadInput, error.what(), "`wardenv approvals --help` shows how");
  }
  if (!config.empty()) options.config = config;
  if (options.action != "list" && options.id.empty()) {
    return fail(ErrorCode::kBadInput, "`" + options.action + "` needs the ID of an approval", "`wardenv approvals list` shows them");
  }
  if (!fits(options)) return fail(ErrorCode::kBadInput, "these options don't go with `" + options.action + "`", "`wardenv approvals --help` shows how");
  return options;
}

std::string who(const Options& options) {
  if (!options.as.empty()) return options.as;
  for (const char* name : {"SUDO_USER", "LOGNAME", "USER"}) {
    if (const char* value = std::getenv(name); value != nullptr && *value != '\0') return value;
  }
  return "uid " + std::to_string(::getuid());
}

// The same folder as `run` and `serve` use.
Result<std::string> state_folder(const Options& options) {
  auto config = engine::read_config(options.config);
  if (!config) return tl::unexpected(config.error());
  const bool from_config = !config->state.empty() && std::getenv("WARDENV_STATE") == nullptr;
  const std::string folder = from_config ? config->state : engine::state_folder();
  if (folder.empty()) return fail(ErrorCode::kHost, "there is no state folder: HOME is not set", "name one with WARDENV_STATE");
  return folder;
}

// Root decides for the user whose state it is: what is written there stays that user's.
Status become_owner(const std::string& folder) {
  struct stat info {};
  if (::geteuid() != 0 || ::stat(folder.c_str(), &info) < 0 || info.st_uid == 0) return {};
  if (::setgroups(0, nullptr) == 0 && ::setresgid(info.st_gid, info.st_gid, info.st_gid) == 0 && ::setresuid(info.st_uid, info.st_uid, info.st_uid) == 0) return {};
  return fail_errno(ErrorCode::kHost, "cannot become the owner of `" + folder + "`");
}

// Where nothing ever waited nothing is made: looking must not leave a folder behind.
bool is_missing(const std::string& path) {
  struct stat info {};
  return ::lstat(path.c_str(), &info) < 0 && (errno == ENOENT || errno == ENOTDIR);
}

int refuse(const Error& error) {
  complain(error);
  return error.code == ErrorCode::kNotFound || error.code == ErrorCode::kBadInput ? kNo : kCannot;
}

int list(policy::ApprovalStore* store, const Options& options) {
  std::vector<policy::Approval> found;
  if (store != nullptr) {
    auto answer = store->list(options.all ? policy::Which::kAll : policy::Which::kOpen);
    if (!answer) return complain(answer.error());
    found = std::move(*answer);
  }
  const auto now = std::chrono::system_clock::now();
  if (options.json) {
    std::string text = "[";
    for (const policy::Approval& approval : found) text += (text.size() > 1 ? ",\n " : "") + approval_json(approval);
    std::puts((text + "]").c_str());
  } else if (found.empty()) {
    std::puts(options.all ? "nothing has waited" : "nothing waits");
  } else {
    for (const policy::Approval& approval : found) std::puts(approval_line(approval, now).c_str());
  }
  return 0;
}

int show(policy::ApprovalStore& store, const Options& options) {
  const auto approval = store.show(options.id);
  if (!approval) return refuse(approval.error());
  const std::string text = options.json ? approval_json(*approval) + "\n" : approval_text(*approval, std::chrono::system_clock::now());
  std::fputs(text.c_str(), stdout);
  return 0;
}

// Where nobody can be asked nobody has agreed: a script that runs us by mistake, or without a terminal, approves nothing.
bool person_agrees(const Options& options) {
  if (options.yes) return true;
  if (::isatty(STDIN_FILENO) == 0 || ::isatty(STDOUT_FILENO) == 0) {
    complain({ErrorCode::kBadInput, "there is no terminal to ask at", "give --yes to approve without being asked", 0});
    return false;
  }
  std::fputs("\nApprove exactly this, once? [y/N] ", stdout);
  std::fflush(stdout);
  std::string answer;
  return std::getline(std::cin, answer) && (answer == "y" || answer == "Y" || answer == "yes");
}

// What a person decided, on disk when it answers without an error.
Status write_down(const std::string& folder, const policy::Approval& approval, const char* decision, const Options& options) {
  const policy::ApprovalCall& call = approval.call;
  engine::AuditRecord record;
  record.event = "approval";
  record.grant = call.grant;
  record.tool = call.tool;
  record.decision = decision;
  record.rule = call.rule;
  record.reason = options.reason;
  record.policy_digest = call.policy_digest;
  record.profile = call.profile;
  record.workspace = call.workspace;
  record.cwd = call.cwd;
  record.venv = call.venv;
  record.program = call.program;
  record.program_identity = call.program_identity;
  record.details_json = nlohmann::json{{"id", approval.id}, {"by", options.as}, {"fingerprint", approval.fingerprint}}.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
  engine::Stores stores(folder, {});
  auto log = stores.audit();
  return log ? (*log)->append(record, engine::Durable::kYes) : Status(tl::unexpected(log.error()));
}

// It ended, or somebody else decided, after our yes was written down.
void take_back(const std::string& folder, const policy::Approval& approval, Options options, const Error& error) {
  options.reason = "not approved after all: " + error.message;
  if (const Status written = write_down(folder, approval, "deny", options); !written) complain(written.error());
}

// A record never changes what it asks for: what was shown is what is approved. Written down first: nothing passes that the log does not know of.
int approve(policy::ApprovalStore& store, const Options& options, const std::string& folder) {
  const auto asked = store.show(options.id);
  if (!asked) return refuse(asked.error());
  if (asked->state == policy::ApprovalState::kPending) {
    std::fputs(approval_text(*asked, std::chrono::system_clock::now()).c_str(), stdout);
    if (!person_agrees(options)) {
      std::puts("not approved; it still waits");
      return kNo;
    }
  }
  const bool pending = asked->state == policy::ApprovalState::kPending;
  if (pending) {
    if (const Status written = write_down(folder, *asked, "allow", options); !written) return complain(written.error());
  }
  const auto approved = store.approve(options.id, options.as);
  if (!approved && pending) take_back(folder, *asked, options, approved.error());
  if (!approved) return refuse(approved.error());
  std::printf("approved: this call may be made once until %s\n", utc(approved->expires_at).c_str());
  return 0;
}

int deny(policy::ApprovalStore& store, const Options& options, const std::string& folder) {
  const auto denied = store.deny(options.id, options.as, options.reason);
  if (!denied) return refuse(denied.error());
  std::printf("denied: %s\n", denied->id.c_str());
  const Status written = write_down(folder, *denied, "deny", options);
  return written ? 0 : complain(written.error());
}

int run_action(const Options& options, const std::string& folder) {
  const std::string path = engine::approvals_file(folder);
  if (is_missing(path)) {
    if (options.action == "list") return list(nullptr, options);
    return refuse({ErrorCode::kNotFound, "there is no approval " + in_quotes_ascii(options.id), "nothing has waited in this state folder", 0});
  }
  auto store = policy::open_sqlite_approvals(path);
  if (!store) return complain(store.error());
  if (options.action == "list") return list(store->get(), options);
  if (options.action == "show") return show(**store, options);
  return options.action == "approve" ? approve(**store, options, folder) : deny(**store, options, folder);
}

}  // namespace

int approvals_command(const Arguments& arguments) {
  if (arguments.empty() || std::find(arguments.begin(), arguments.end(), "--help") != arguments.end()) {
    std::fputs(kHelp, arguments.empty() ? stderr : stdout);
    return written(arguments.empty() ? kCannot : 0);
  }
  auto options = parse(arguments);
  if (!options) return complain(options.error());
  const auto folder = state_folder(*options);
  if (!folder) return complain(folder.error());
  options->as = who(*options);
  if (const Status owner = become_owner(*folder); !owner) return complain(owner.error());
  return written(run_action(*options, *folder));
}

}  // namespace wardenv::cli
