// SPDX-License-Identifier: Apache-2.0
// Resolves a virtual environment.
#include "engine/venv.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>

#include "engine/paths.h"
#include "sandbox/base/unique_fd.h"

namespace wardenv::engine {
namespace {

constexpr off_t kMaxConfig = 64 * 1024;
constexpr const char* kMakeOne = "make one with: python3 -m venv .venv";
constexpr const char* kMakeAnew = "make the virtual environment anew";

using Config = std::map<std::string, std::string>;

std::string trim(std::string_view text) {
  const auto begin = text.find_first_not_of(" \t\r");
  const auto end = text.find_last_not_of(" \t\r");
  return begin == std::string_view::npos ? "" : std::string(text.substr(begin, end - begin + 1));
}

// "key = value" lines, keys in any case, everything else passed over: as CPython's site.py reads it.
Config parse_config(std::string_view text) {
  Config config;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const auto equals = line.find('=');
    if (equals == std::string_view::npos) continue;
    std::string key = trim(line.substr(0, equals));
    std::transform(key.begin(), key.end(), key.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    config[key] = trim(line.substr(equals + 1));
  }
  return config;
}

Result<Config> read_config(const std::string& dir) {
  const std::string path = dir + "/pyvenv.cfg";
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!fd.valid() && errno == ENOENT) return fail(ErrorCode::kBadInput, "`" + dir + "` is not a virtual environment: it has no pyvenv.cfg", kMakeOne);
  if (!fd.valid()) return fail_errno(ErrorCode::kBadInput, "`" + path + "`", "give your user the right to read it, or make the virtual environment anew");
  struct stat status {};
  if (::fstat(fd.get(), &status) < 0 || !S_ISREG(status.st_mode) || status.st_size > kMaxConfig) {
    return fail(ErrorCode::kBadInput, "`" + path + "` is not a small regular file", kMakeAnew);
  }
  std::string text(static_cast<std::size_t>(status.st_size), '\0');
  const ssize_t got = ::read(fd.get(), text.data(), text.size());
  if (got < 0) return fail_errno(ErrorCode::kBadInput, "`" + path + "`");
  text.resize(static_cast<std::size_t>(got));
  if (text.find('\0') != std::string::npos) return fail(ErrorCode::kBadInput, "`" + path + "` contains NUL bytes", kMakeAnew);
  return parse_config(text);
}

std::vector<std::string> entries(const std::string& folder) {
  std::vector<std::string> names;
  DIR* dir = ::opendir(folder.c_str());
  if (dir == nullptr) return names;
  while (const dirent* entry = ::readdir(dir)) names.emplace_back(entry->d_name);
  ::closedir(dir);
  std::sort(names.begin(), names.end());
  return names;
}

bool is_python_folder(const std::string& name) { return name.starts_with("python3") || name.starts_with("pypy3"); }

// Folders of standard libraries below a prefix: lib/python3.11 and the like, each with os.py in it.
std::vector<std::string> standard_libraries(const std::string& prefix) {
  std::vector<std::string> found;
  for (const char* lib : {"/lib", "/lib64"}) {
    for (const std::string& name : entries(prefix + lib)) {
      const std::string folder = prefix + lib + "/" + name;
      if (is_python_folder(name) && is_regular_file(folder + "/os.py")) found.push_back(folder);
    }
  }
  return found;
}

bool looks_like_home(const std::string& path) {
  return path == "/" || path == "/root" || path == "/home" || path == "/opt" || path == "/srv" || path == "/var" || parent_of(path) == "/home" ||
         path.ends_with("/.local") || exists(path + "/.ssh") || exists(path + "/.bashrc") || exists(path + "/.profile");
}

sandbox::Mount shown(const std::string& path) { return {.source = path, .target = path, .owner_mapped = true}; }

// A prefix of its own (pyenv, uv, /opt/python) is shown whole. One that people keep other things in is shown in parts.
std::vector<sandbox::Mount> base_mounts(const std::string& prefix, const std::string& python) {
  if (is_beneath(prefix, "/usr")) return {};
  if (!looks_like_home(prefix)) return {shown(prefix)};
  std::vector<sandbox::Mount> mounts{shown(python)};
  for (const std::string& library : standard_libraries(prefix)) mounts.push_back(shown(library));
  for (const std::string& name : entries(prefix + "/lib")) {
    if (name.starts_with("libpython") && is_regular_file(prefix + "/lib/" + name)) mounts.push_back(shown(prefix + "/lib/" + name));
  }
  for (const std::string& name : entries(prefix + "/include")) {
    if (is_python_folder(name)) mounts.push_back(shown(prefix + "/include/" + name));
  }
  return mounts;
}

// What can't be looked at need not be gone.
tl::unexpected<Error> unreachable(const std::string& what, const Error& why) {
  if (why.sys_errno != EACCES) return fail(ErrorCode::kNotFound, what + " is gone: " + why.message, "its Python was removed or moved; make the virtual environment anew");
  Error error{ErrorCode::kNotFound, what + " can't be reached: " + why.message, "give your user the right to enter the folders on the way, or make the virtual environment with another Python", EACCES};
  return tl::unexpected(std::move(error));
}

Result<ResolvedPath> find_interpreter(const std::string& dir) {
  for (const char* name : {"/bin/python", "/bin/python3"}) {
    if (!exists(dir + name)) continue;
    auto python = resolve_path(dir + name);
    if (!python) return unreachable("the interpreter of `" + dir + "`", python.error());
    struct stat status {};
    if (::stat(python->real.c_str(), &status) < 0 || !S_ISREG(status.st_mode) || (status.st_mode & 0111) == 0) {
      return fail(ErrorCode::kBadInput, "`" + dir + name + "` leads to `" + python->real + "`, which is not a program", kMakeAnew);
    }
    return python;
  }
  return fail(ErrorCode::kNotFound, "`" + dir + "` has no bin/python", kMakeOne);
}

// The installation that an interpreter belongs to. A copied interpreter (venv --copies) lies in the venv: then `home` names it,
// and is believed only where a standard library is.
Result<std::string> find_prefix(const std::string& python, const VenvView& view, const Config& config) {
  std::string prefix = parent_of(parent_of(python));
  if (is_beneath(python, view.real_dir)) {
    auto home = config.find("home");
    if (home == config.end()) return fail(ErrorCode::kBadInput, "pyvenv.cfg of `" + view.dir + "` does not say where its Python is", kMakeAnew);
    auto resolved = resolve_path(home->second);
    if (!resolved) return unreachable("the Python of `" + view.dir + "`", resolved.error());
    prefix = parent_of(resolved->real);
  }
  if (!standard_libraries(prefix).empty() && !is_beneath(prefix, "/proc") && !is_beneath(prefix, "/sys")) return prefix;
  return fail(ErrorCode::kBadInput, "`" + python + "` of `" + view.dir + "` has no standard library beside it in `" + prefix + "`",
              "a virtual environment must lead to an installed Python; make it anew");
}

void add_links(std::vector<sandbox::Symlink>& to, const std::vector<sandbox::Symlink>& from) { to.insert(to.end(), from.begin(), from.end()); }

}  // namespace

Result<VenvView> resolve_venv(const std::string& dir) {
  VenvView view;
  view.dir = absolute(dir);
  auto folder = resolve_path(view.dir);
  if (!folder && folder.error().sys_errno == EACCES) return unreachable("the virtual environment", folder.error());
  if (!folder) return fail(ErrorCode::kNotFound, "no virtual environment at " + folder.error().message, std::string(kMakeOne) + ", or say --no-venv");
  view.real_dir = folder->real;
  if (!is_folder(view.real_dir)) return fail(ErrorCode::kBadInput, "`" + dir + "` is not a folder", kMakeOne);
  if (view.real_dir == "/" || is_beneath("/usr", view.real_dir)) return fail(ErrorCode::kBadInput, "`" + dir + "` can't be a virtual environment", kMakeOne);
  auto config = read_config(view.real_dir);
  if (!config) return tl::unexpected(config.error());
  auto python = find_interpreter(view.real_dir);
  if (!python) return tl::unexpected(python.error());
  auto prefix = find_prefix(python->real, view, *config);
  if (!prefix) return tl::unexpected(prefix.error());

  view.python = python->real;
  view.version = config->count("version") != 0 ? (*config)["version"] : (*config)["version_info"];
  view.system_site_packages = (*config)["include-system-site-packages"] == "true";
  view.mounts = base_mounts(*prefix, view.python);
  view.mounts.push_back(shown(view.real_dir));
  add_links(view.symlinks, folder->symlinks);
  add_links(view.symlinks, python->symlinks);
  // `home` may name the same Python by another way (a version alias): that way must exist inside too.
  if (auto home = resolve_path((*config)["home"]); home && is_beneath(home->real, *prefix)) add_links(view.symlinks, home->symlinks);
  return view;
}

}  // namespace wardenv::engine
