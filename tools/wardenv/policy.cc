// SPDX-License-Identifier: Apache-2.0
// wardenv policy: finds the command below it; arguments and files of all of them.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "tools/options/text.h"
#include "tools/wardenv/policy_commands.h"

namespace wardenv::cli {
namespace {

struct Below {
  const char* name;
  int (*run)(const Arguments&);
  const char* help;
};
constexpr std::array kBelow = {
    Below{"check", policy_check, "read policies and say everything that is wrong with them"},
    Below{"explain", policy_explain, "what a policy says about one call, and why"},
    Below{"test", policy_test, "compare a policy's decisions with a table of expected ones"},
    Below{"presets", policy_presets, "the argument allowlists that ship with wardenv"},
    Below{"schema", policy_schema, "the JSON Schema of the document"},
    Below{"scan", policy_scan, "a starting policy for the tools of an MCP server"},
};

int help() {
  std::string text = "Usage: wardenv policy COMMAND [options]\n\nReads, tests and writes policies. Nothing is run and nothing is counted.\n\nCommands:\n";
  for (const Below& below : kBelow) {
    std::string left = std::string("  ") + below.name;
    left.resize(12, ' ');
    text += left + below.help + "\n";
  }
  return print(text + "\nExamples:\n  wardenv policy check policy.yaml\n  wardenv policy explain policy.yaml --tool run_in_venv --args '{\"command\":\"pytest\"}'\n"
                      "  wardenv policy test policy.yaml cases.yaml\n\n`wardenv policy COMMAND --help` says more.\n");
}

std::string help_of(const PolicyUsage& usage) {
  std::string text = std::string("Usage: wardenv policy ") + usage.name + " [options] " + usage.arguments + "\n\n" + usage.what + "\n\nOptions:\n";
  for (const PolicyOption& option : usage.options) {
    std::string left = std::string("  ") + option.name + (*option.value != '\0' ? " " : "") + option.value;
    left.resize(std::max<std::size_t>(left.size() + 1, 22), ' ');
    text += left + option.help + "\n";
  }
  return text + "  --help              this text\n\nExamples:\n" + usage.examples;
}

const PolicyOption* find(const PolicyUsage& usage, const std::string& name) {
  for (const PolicyOption& option : usage.options) {
    if (name == option.name) return &option;
  }
  return nullptr;
}

Status read_option(const PolicyUsage& usage, const Arguments& arguments, std::size_t& at, PolicyArguments& read) {
  const std::string& word = arguments[at];
  const std::string name = word.substr(0, word.find('='));
  const PolicyOption* option = find(usage, name);
  if (option == nullptr) return fail(ErrorCode::kBadInput, "unknown option `" + name + "`", std::string("`wardenv policy ") + usage.name + " --help` lists them");
  const bool takes = *option->value != '\0';
  const bool attached = name.size() < word.size();
  if (attached && !takes) return fail(ErrorCode::kBadInput, "`" + name + "` takes no value");
  if (takes && !attached && at + 1 == arguments.size()) return fail(ErrorCode::kBadInput, "`" + name + "` needs a value");
  const std::string value = !takes ? "" : attached ? word.substr(name.size() + 1) : arguments[++at];
  if (!read.values.emplace(name, value).second) return fail(ErrorCode::kBadInput, "`" + name + "` is given twice");
  return {};
}

}  // namespace

std::string PolicyArguments::value(const std::string& name, std::string otherwise) const {
  const auto found = values.find(name);
  return found == values.end() ? otherwise : found->second;
}

std::optional<PolicyArguments> read_policy_arguments(const PolicyUsage& usage, const Arguments& arguments, int& status) {
  PolicyArguments read;
  for (std::size_t at = 0; at < arguments.size(); ++at) {
    if (arguments[at] == "--help" || arguments[at] == "-h") {
      status = print(help_of(usage));
      return std::nullopt;
    }
    if (!arguments[at].starts_with("-") || arguments[at] == "-") {
      read.files.push_back(arguments[at]);
      continue;
    }
    if (const Status done = read_option(usage, arguments, at, read); !done) {
      status = complain(done.error());
      return std::nullopt;
    }
  }
  return read;
}

namespace {

struct Close {
  void operator()(std::FILE* file) const {
    if (file != stdin) std::fclose(file);
  }
};
using File = std::unique_ptr<std::FILE, Close>;

// To open a FIFO would wait for whoever writes to it, and a device may never end.
Result<File> open_regular(const std::string& path) {
  if (path == "-") return File(stdin);
  const int fd = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return fail_errno(ErrorCode::kNotFound, "`" + path + "`", "name a file that exists and that you can read, or - for standard input");
  File file(::fdopen(fd, "rb"));
  struct stat about {};
  if (file == nullptr || ::fstat(fd, &about) != 0) return fail_errno(ErrorCode::kHost, "`" + path + "`");
  if (!S_ISREG(about.st_mode)) return fail(ErrorCode::kBadInput, "`" + path + "` is no regular file", "name one, or - for standard input");
  return file;
}

}  // namespace

Result<std::string> read_text_file(const std::string& path, std::size_t most) {
  const auto opened = open_regular(path);
  if (!opened) return tl::unexpected(opened.error());
  std::FILE* file = opened->get();
  std::string text;
  std::array<char, 65536> piece;
  std::size_t count = 0;
  while ((count = std::fread(piece.data(), 1, piece.size(), file)) > 0) {
    text.append(piece.data(), count);
    if (text.size() > most) return fail(ErrorCode::kBadInput, "`" + path + "` is larger than " + std::to_string(most) + " bytes");
  }
  if (std::ferror(file) != 0) return fail_errno(ErrorCode::kHost, "`" + path + "`");
  return text;
}

std::shared_ptr<const policy::Document> load_policy(const std::string& path) {
  const auto text = read_text_file(path, policy::kMaxDocumentBytes);
  if (!text) {
    complain(text.error());
    return nullptr;
  }
  const policy::Loaded loaded = policy::load_document(*text, policy::format_of(path));
  if (loaded.document != nullptr) return loaded.document;
  for (const policy::Finding& finding : loaded.findings) std::fprintf(stderr, "%s\n", tools::one_line(policy::to_text(finding, path)).c_str());
  return nullptr;
}

std::optional<std::string> folder_of_call(const std::string& cwd, const nlohmann::json& arguments, const std::string& workspace) {
  if (!cwd.empty()) return cwd;
  const auto argument = arguments.is_object() ? arguments.find("current_working_dir") : arguments.end();
  if (argument == arguments.end() || !argument->is_string()) return workspace;
  const std::string& folder = argument->get_ref<const std::string&>();
  const bool leads_nowhere = folder.empty() || folder.find('\0') != std::string::npos || (workspace.empty() && folder[0] != '/');
  return leads_nowhere ? std::nullopt : std::optional((std::filesystem::path(workspace) / folder).string());
}

int print(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  return written();
}

int policy_command(const Arguments& arguments) {
  if (arguments.empty()) {
    help();
    return kCannot;
  }
  if (arguments[0] == "--help" || arguments[0] == "-h") return help();
  for (const Below& below : kBelow) {
    if (arguments[0] == below.name) return below.run(Arguments(arguments.begin() + 1, arguments.end()));
  }
  return complain({ErrorCode::kBadInput, "unknown command `policy " + arguments[0] + "`", "`wardenv policy --help` lists the commands", 0});
}

}  // namespace wardenv::cli
