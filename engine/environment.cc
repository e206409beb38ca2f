// SPDX-License-Identifier: Apache-2.0
// The environment of a command.
#include "engine/environment.h"

#include <algorithm>
#include <array>
#include <set>
#include <utility>

namespace wardenv::engine {
namespace {

constexpr std::array kOurs = {"PATH", "VIRTUAL_ENV", "HOME", "TMPDIR", "WARDENV_RUN_ID"};

// PYTHON* is refused as a whole (imports, start-up, user site); these only tune the interpreter.
constexpr std::array kHarmlessPython = {"PYTHONHASHSEED",         "PYTHONDONTWRITEBYTECODE", "PYTHONUTF8",           "PYTHONIOENCODING",
                                        "PYTHONFAULTHANDLER",     "PYTHONOPTIMIZE",          "PYTHONASYNCIODEBUG",   "PYTHONDEVMODE",
                                        "PYTHONUNBUFFERED",       "PYTHONNOUSERSITE",        "PYTHONSAFEPATH",       "PYTHONTRACEMALLOC",
                                        "PYTHONINTMAXSTRDIGITS",  "PYTHONCOERCECLOCALE",     "PYTHONLEGACYWINDOWSSTDIO", "PYTHONPROFILEIMPORTTIME",
                                        "PYTHONMALLOC",           "PYTHONMALLOCSTATS",       "PYTHONNODEBUGRANGES",  "PYTHONVERBOSE",
                                        "PYTHONDEBUG"};

// Names, and beginnings of names (with *), that change what programs load, start or connect to.
constexpr std::array kDangerous = {
    "LD_*",           "PYTHON*",         "GIT_*",            "BASH_ENV",        "BASH_FUNC_*",   "ENV",           "SHELLOPTS",      "BASHOPTS",
    "PS4",            "IFS",             "PROMPT_COMMAND",   "GCONV_PATH",      "GLIBC_TUNABLES", "LOCPATH",      "NLSPATH",        "RESOLV_HOST_CONF",
    "HOSTALIASES",    "MALLOC_*",        "EDITOR",           "VISUAL",          "PAGER",         "LESSOPEN",      "LESSCLOSE",      "MANPAGER",
    "BROWSER",        "SSH_*",           "PERL5*",           "PERLLIB",         "RUBYOPT",       "RUBYLIB",       "NODE_OPTIONS",   "NODE_PATH",
    "JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "JDK_JAVA_OPTIONS", "CLASSPATH",      "PIP_*",         "UV_*",          "NPM_CONFIG_*",   "CARGO_*",
    "RUSTC_WRAPPER",  "CC",              "CXX",              "MAKEFLAGS",       "HTTP_PROXY",    "HTTPS_PROXY",   "ALL_PROXY",      "FTP_PROXY",
    "NO_PROXY",       "DYLD_*",          "OPENSSL_*",        "SSL_CERT_*",      "REQUESTS_CA_BUNDLE", "CURL_*",   "WARDENV_*",      "XDG_*",
    "COVERAGE_PROCESS_START", "PYTEST_PLUGINS", "PYTEST_ADDOPTS"};

std::string upper(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(), [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });
  return result;
}

bool matches(std::string_view pattern, std::string_view name) {
  return pattern.ends_with('*') ? name.starts_with(pattern.substr(0, pattern.size() - 1)) : name == pattern;
}

template <std::size_t N>
bool any_match(const std::array<const char*, N>& patterns, std::string_view name) {
  return std::any_of(patterns.begin(), patterns.end(), [&](const char* pattern) { return matches(pattern, name); });
}

bool valid_name(std::string_view name) {
  auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  auto digit = [](char c) { return c >= '0' && c <= '9'; };
  return !name.empty() && !digit(name[0]) && std::all_of(name.begin(), name.end(), [&](char c) { return letter(c) || digit(c); });
}

enum class Names { kAny, kHarmless };

// Proxy variables are honoured in lower case too, so dangerous names are compared in upper case.
Status check_name(const std::string& name, Names names) {
  if (!valid_name(name)) return fail(ErrorCode::kBadInput, "`" + name + "` is not a name of an environment variable", "for example --env DEBUG=1");
  if (any_match(kOurs, name)) return fail(ErrorCode::kBadInput, "the environment variable `" + name + "` is set by wardenv itself", "leave it out");
  if (names == Names::kAny || any_match(kHarmlessPython, name)) return {};
  if (!any_match(kDangerous, upper(name))) return {};
  return fail(ErrorCode::kBadInput, "the environment variable `" + name + "` changes what programs load or start",
              "it needs an entry in a policy profile; --env does not take it");
}

// Names of `variables`, each checked and given once.
Status collect(const std::vector<std::string>& variables, Names which, std::set<std::string>& names) {
  for (const std::string& variable : variables) {
    const auto equals = variable.find('=');
    if (equals == std::string::npos) return fail(ErrorCode::kBadInput, "`" + variable + "` has no value", "for example --env DEBUG=1");
    const std::string name = variable.substr(0, equals);
    WARDENV_TRY(check_name(name, which));
    if (!names.insert(name).second) return fail(ErrorCode::kBadInput, "the environment variable `" + name + "` is given twice");
  }
  return {};
}

}  // namespace

Result<std::vector<std::string>> build_environment(const EnvironmentInput& input) {
  std::vector<std::string> variables;
  const std::string system_path = "/usr/local/bin:/usr/bin:/bin";
  variables.push_back("PATH=" + (input.venv_dir.empty() ? system_path : input.venv_dir + "/bin:" + system_path));
  if (!input.venv_dir.empty()) variables.push_back("VIRTUAL_ENV=" + input.venv_dir);
  variables.push_back("HOME=" + input.home);
  variables.push_back("WARDENV_RUN_ID=" + input.run_id);
  std::vector<std::string> defaults{"TMPDIR=/tmp", "LANG=C.UTF-8", "TERM=dumb", "PYTHONUNBUFFERED=1"};
  std::set<std::string> names;
  WARDENV_TRY(collect(input.egress, Names::kAny, names));
  WARDENV_TRY(collect(input.extra, Names::kHarmless, names));
  WARDENV_TRY(collect(input.profile, Names::kAny, names));
  std::erase_if(defaults, [&](const std::string& item) { return names.count(item.substr(0, item.find('='))) != 0; });
  for (const auto* list : {&std::as_const(defaults), &input.egress, &input.profile, &input.extra}) variables.insert(variables.end(), list->begin(), list->end());
  return variables;
}

}  // namespace wardenv::engine
