// SPDX-License-Identifier: Apache-2.0
#include "tools/serve/options.h"

#include <algorithm>
#include <charconv>

#include "tools/options/table.h"

namespace wardenv::serve {
namespace {

using tools::OptionInfo;
using tools::Takes;

constexpr OptionInfo kTable[] = {
    {"--stdio", Takes::kNothing, "", "serve the program that started us, over standard input and output"},
    {"--http", Takes::kText, "HOST:PORT", "serve over HTTP; port 0 takes any"},
    {"--policy", Takes::kFile, "FILE", "judge calls by this policy (default: a built-in one, see below)"},
    {"--workspace", Takes::kFolder, "DIR", "a folder that calls may work in (default: the current one)", true},
    {"--grant", Takes::kText, "NAME", "the grant that calls, where no token says it: needed where the policy has grants"},
    {"--tools", Takes::kText, "SET,...", "only these sets of tools: venv, run, packages, files, jobs (default: all)"},
    {"--config", Takes::kFile, "FILE", "configuration"},
    {"--tls-cert", Takes::kFile, "FILE", "HTTP: certificate chain (PEM)"},
    {"--tls-key", Takes::kFile, "FILE", "HTTP: its private key (PEM)"},
    {"--allow-origin", Takes::kText, "ORIGIN", "HTTP: a web page's origin that may call, e.g. https://app.example", true},
    {"--concurrency", Takes::kText, "N", "how many calls run at once; more wait (default: twice the processors)"},
    {"--help", Takes::kNothing, "", "this text"},
};

Status set_address(const std::string& text, Options& options) {
  const std::size_t colon = text.rfind(':');
  unsigned port = 65536;
  if (colon != std::string::npos) std::from_chars(text.data() + colon + 1, text.data() + text.size(), port);
  const bool digits = colon != std::string::npos && colon + 1 < text.size() && text.find_first_not_of("0123456789", colon + 1) == std::string::npos;
  if (colon == std::string::npos || colon == 0 || !digits || port > 65535) {
    return fail(ErrorCode::kBadInput, "--http: `" + text + "` is no HOST:PORT", "for example --http 127.0.0.1:8080");
  }
  options.host = text.substr(0, colon);
  options.port = static_cast<std::uint16_t>(port);
  return {};
}

Status set_concurrency(const std::string& text, Options& options) {
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), options.concurrency);
  if (parsed.ec == std::errc() && parsed.ptr == text.data() + text.size() && options.concurrency >= 1 && options.concurrency <= 4096) return {};
  return fail(ErrorCode::kBadInput, "--concurrency: `" + text + "` is no number from 1 to 4096", "for example --concurrency 8");
}

Status set_origin(const std::string& text, Options& options) {
  const bool scheme = text.starts_with("http://") || text.starts_with("https://");
  if (!scheme || text.find('/', 8) != std::string::npos || text == "*") {
    return fail(ErrorCode::kBadInput, "--allow-origin: `" + text + "` is no origin", "for example --allow-origin https://app.example");
  }
  options.origins.push_back(text);
  return {};
}

std::vector<std::string> split(const std::string& list) {
  std::vector<std::string> parts;
  std::size_t begin = 0;
  for (std::size_t comma = list.find(','); comma != std::string::npos; comma = list.find(',', begin)) {
    parts.push_back(list.substr(begin, comma - begin));
    begin = comma + 1;
  }
  parts.push_back(list.substr(begin));
  return parts;
}

}  // namespace

Result<Options> parse_options(std::vector<std::string> arguments) {
  auto values = tools::parse_table(kTable, std::move(arguments), "`wardenv serve --help` lists the options");
  if (!values) return tl::unexpected(values.error());
  auto take = [&](const char* name, auto& to) {
    if (const auto at = values->find(name); at != values->end()) to = at->second.front();
  };
  Options options;
  options.help = values->contains("--help");
  options.stdio = values->contains("--stdio");
  if (options.help) return options;
  WARDENV_TRY(tools::refuse_empty(*values, {"--policy", "--grant", "--config", "--tls-cert", "--tls-key", "--workspace", "--tools"}));
  take("--policy", options.policy);
  take("--grant", options.grant);
  take("--config", options.config);
  take("--tls-cert", options.tls_cert);
  take("--tls-key", options.tls_key);
  if (const auto at = values->find("--workspace"); at != values->end()) options.workspaces = at->second;
  if (const auto at = values->find("--tools"); at != values->end()) options.tools = split(at->second.front());
  if (const auto at = values->find("--http"); at != values->end()) WARDENV_TRY(set_address(at->second.front(), options));
  if (const auto at = values->find("--concurrency"); at != values->end()) WARDENV_TRY(set_concurrency(at->second.front(), options));
  if (const auto at = values->find("--allow-origin"); at != values->end()) {
    for (const std::string& origin : at->second) WARDENV_TRY(set_origin(origin, options));
  }
  for (const char* name : {"--tls-cert", "--tls-key", "--allow-origin"}) {
    if (options.stdio && values->contains(name)) return fail(ErrorCode::kBadInput, std::string(name) + " goes with --http only", "leave it out with --stdio");
  }
  if (options.stdio == !options.host.empty()) return fail(ErrorCode::kBadInput, "say how to serve: --stdio or --http HOST:PORT", "`wardenv serve --help` has examples");
  return options;
}

std::string help_text() {
  const std::string text = "Usage: wardenv serve --stdio | --http HOST:PORT [options]\n\nServes tools for Python virtual environments over MCP. Every call is judged first, and confined.\n\nOptions:\n";
  return text + tools::help_lines(kTable, 30) +
         "\nWithout a policy: our own tools only, run_in_venv 10 times a minute, installs 30 times, removal hidden.\n"
         "An address that others can reach needs a policy with a grant that has `token_sha256`.\n"
         "\nExamples:\n"
         "  wardenv serve --stdio --workspace ~/project\n"
         "  wardenv serve --stdio --policy policy.yaml --grant agent --workspace ~/a --workspace ~/b\n"
         "  wardenv serve --http 127.0.0.1:8080 --workspace ~/project\n"
         "  wardenv serve --http 0.0.0.0:8443 --policy policy.yaml --tls-cert cert.pem --tls-key key.pem\n"
         "\nHTTP: the MCP endpoint is /mcp; /healthz and /metrics are for operators.\n";
}

}  // namespace wardenv::serve
