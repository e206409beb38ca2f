// SPDX-License-Identifier: Apache-2.0
// The folder that a command works in.
#include "engine/workspace.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <set>
#include <span>

#include "engine/git_folders.h"
#include "engine/paths.h"
#include "sandbox/base/text.h"

namespace wardenv::engine {
namespace {

constexpr const char* kNameOne = "name a folder that exists and that you can read, for example --workspace .";

// Neither these, nor what lies in them, nor (by is_beneath the other way) a folder that holds one of them.
constexpr std::array kSystem = {"/usr", "/etc", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/boot", "/proc", "/sys", "/dev", "/run"};
// Folders of many people's things: not themselves, but what lies in them.
constexpr std::array kShared = {"/home", "/var", "/opt", "/srv", "/mnt", "/media", "/tmp", "/var/tmp", "/var/lib"};

constexpr auto sorted(auto list) {
  std::sort(list.begin(), list.end());
  return list;
}

// In lower case. A file system may ignore case, so what exists is protected however it is spelt.
constexpr auto kProtected = sorted(std::to_array<std::string_view>({
    ".git/hooks", ".git/config", ".git/config.worktree", ".git/commondir", ".git/info/attributes", ".git/modules", ".hg/hgrc",
    ".husky", ".githooks", ".claude", ".codex", ".cursor", ".gemini", ".aider.conf.yml",
    ".mcp.json", ".vscode", ".idea", ".devcontainer", ".envrc", ".npmrc", ".yarnrc", ".yarnrc.yml", ".pypirc", "pip.conf", "pip.ini", "uv.toml",
    ".bashrc", ".bash_profile", ".bash_login", ".bash_logout", ".profile", ".zshrc", ".zshenv", ".zprofile", ".zlogin", ".zlogout", ".cshrc",
    ".tcshrc", ".login", ".inputrc", ".vimrc", ".nvimrc", ".exrc", ".gvimrc", ".emacs", ".dir-locals.el", ".gdbinit", ".ssh", ".gnupg",
    ".gitconfig", ".pre-commit-config.yaml", "sitecustomize.py", "usercustomize.py"}));

// What tells a person's home folder, with keys and passwords in it, from an account's folder that is a project.
constexpr std::array kSignsOfHome = {".ssh",   ".gnupg",           ".aws",            ".azure",   ".kube",         ".docker",      ".config",
                                     ".netrc", ".git-credentials", ".password-store", ".mozilla", ".bash_history", ".zsh_history", ".python_history"};

// Field `number`, from 0, of a line of passwd(5).
std::string_view field(std::string_view line, int number) {
  for (; number > 0; --number) line.remove_prefix(std::min(line.find(':'), line.size() - 1) + 1);
  return line.substr(0, line.find(':'));
}

// Homes that may lie at or below `dir`, links not yet followed where they are the caller's. Not by getpwuid(3), which may ask the network: whom a
// directory service knows has HOME.
std::vector<std::string> homes_near(const std::string& dir) {
  std::vector<std::string> homes;
  if (const char* home = std::getenv("HOME"); home != nullptr && home[0] == '/') homes.emplace_back(home);
  const std::string caller = std::to_string(::geteuid());
  const std::string accounts = text_of_file("/etc/passwd");
  for (const std::string_view line : lines_of(accounts)) {
    const std::string_view home = field(line, 5);
    if (home.starts_with('/') && (is_beneath(home, dir) || field(line, 2) == caller)) homes.emplace_back(home);
  }
  return homes;
}

// Neither somebody's home folder nor what holds one.
Status check_homes(const std::string& dir) {
  for (const std::string& home : homes_near(dir)) {
    const auto real = resolve_path(home);
    if (!real || !is_beneath(real->real, dir)) continue;
    for (const char* sign : kSignsOfHome) {
      if (!exists(real->real + "/" + sign)) continue;
      return fail(ErrorCode::kBadInput, "`" + dir + "` can't be a workspace: `" + real->real + "` is a home folder, with `" + sign + "` in it",
                  real->real == dir ? "choose a project folder below it" : "name the folder of one project");
    }
  }
  return {};
}

Status check_place(const std::string& dir, const std::string& state_dir) {
  const std::string quoted = "`" + dir + "`";
  for (const char* folder : kSystem) {
    if (is_beneath(folder, dir) || is_beneath(dir, folder)) {
      return fail(ErrorCode::kBadInput, quoted + " can't be a workspace: it holds or belongs to the system", "name the folder of one project");
    }
  }
  if (std::any_of(kShared.begin(), kShared.end(), [&](const char* folder) { return dir == folder; })) {
    return fail(ErrorCode::kBadInput, quoted + " can't be a workspace: others keep their things there", "name the folder of one project");
  }
  WARDENV_TRY(check_homes(dir));
  if (state_dir.empty()) return {};
  if (overlap(dir, state_dir)) {
    return fail(ErrorCode::kBadInput, quoted + " can't be a workspace: wardenv keeps its state in `" + state_dir + "`",
                "name the folder of one project, or move the state with WARDENV_STATE");
  }
  return {};
}

Result<std::string> resolve_cwd(const std::optional<std::string>& cwd, const std::string& dir) {
  if (!cwd) return dir;
  auto resolved = resolve_path(cwd->starts_with('/') ? *cwd : dir + "/" + *cwd);
  const char* hint = "name a folder of the workspace, or leave out --cwd to start at its top";
  if (!resolved) return fail(ErrorCode::kNotFound, "--cwd " + resolved.error().message, hint);
  if (!is_beneath(resolved->real, dir)) return fail(ErrorCode::kBadInput, "`" + *cwd + "` is not inside the workspace `" + dir + "`", hint);
  if (!is_folder(resolved->real)) return fail(ErrorCode::kBadInput, "`" + *cwd + "` is not a folder", hint);
  return resolved->real;
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return out;
}

// The protected paths that begin with `beginning`.
std::span<const std::string_view> protected_from(std::string_view beginning) {
  const auto first = std::lower_bound(kProtected.begin(), kProtected.end(), beginning);
  return {first, std::find_if_not(first, kProtected.end(), [&](std::string_view path) { return path.starts_with(beginning); })};
}

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

// Only what is reached without a symbolic link can be made read-only in place; a link itself can be replaced whatever we do
// to its target, so it is refused.
Status add_protected(WorkspaceView& view, const std::string& path, mode_t mode) {
  if (S_ISLNK(mode)) {
    return fail(ErrorCode::kBadInput, "`" + path + "` is protected and is reached through a symbolic link", "replace the link by what it points to, or use --access read-only");
  }
  view.read_only_again.push_back(path);
  return {};
}

Status add_all_protected(WorkspaceView& view, const std::string& folder, const std::string& inside);

// `inside`: where `folder` lies in the workspace, in lower case, with a slash at its end; empty for the workspace itself.
Status add_entry(WorkspaceView& view, const std::string& folder, const std::string& inside, const std::string& name) {
  const std::string path = folder + "/" + name;
  const std::string known = inside + lower(name);
  const bool whole = std::binary_search(kProtected.begin(), kProtected.end(), known) || (inside.empty() && known.ends_with(".pth"));
  if (!whole && protected_from(known + "/").empty()) return {};
  struct stat status {};
  if (::lstat(path.c_str(), &status) < 0) return errno == ENOENT ? Status() : fail_errno(ErrorCode::kBadInput, "`" + path + "`");
  // On the way to something protected. A worktree or submodule has a file for .git, that says where the repository is.
  if (!whole && S_ISDIR(status.st_mode)) return add_all_protected(view, path, known + "/");
  return add_protected(view, path, status.st_mode);
}

Status add_all_protected(WorkspaceView& view, const std::string& folder, const std::string& inside) {
  auto names = names_in(folder);
  if (!names) return tl::unexpected(names.error());
  for (const std::string& name : *names) WARDENV_TRY(add_entry(view, folder, inside, name));
  if (std::all_of(names->begin(), names->end(), is_ascii)) return {};
  // Beyond ASCII the file system alone knows which names it takes for the same: so it is asked for those that were not found.
  std::set<std::string> asked;
  for (const std::string& name : *names) asked.insert(lower(name));
  for (const std::string_view path : protected_from(inside)) {
    const std::string name(path.substr(inside.size(), path.find('/', inside.size()) - inside.size()));
    if (asked.insert(name).second) WARDENV_TRY(add_entry(view, folder, inside, name));
  }
  return {};
}

// What is protected in a `.git` folder is protected in the others that git reads, too.
Status add_repositories(WorkspaceView& view) {
  auto found = git_folders(view.dir);
  if (!found) return tl::unexpected(found.error());
  for (const std::string& folder : found->repositories) {
    if (folder != view.dir + "/.git") WARDENV_TRY(add_all_protected(view, folder, ".git/"));
  }
  for (const std::string& folder : found->crowded) view.read_only_again.push_back(folder);
  return {};
}

}  // namespace

bool is_protected_name(std::string_view name) {
  if (name.ends_with(".pth")) return true;
  return std::any_of(kProtected.begin(), kProtected.end(), [&](std::string_view item) { return is_beneath(name, item); });
}

Result<WorkspaceView> resolve_workspace(const std::string& dir, const std::optional<std::string>& cwd, Access access, const std::string& state_dir) {
  if (dir.empty() || dir.find_first_of(std::string("\0\n", 2)) != std::string::npos) return fail(ErrorCode::kBadInput, "the workspace is not a path", kNameOne);
  auto resolved = resolve_path(dir);
  if (!resolved) return fail(ErrorCode::kNotFound, "workspace " + resolved.error().message, kNameOne);
  if (resolved->ends_in_link) {   // as it was followed: what is there now may be another
    return fail(ErrorCode::kBadInput, "the workspace `" + dir + "` is a symbolic link", "name the folder that it points to: " + resolved->real);
  }
  if (!is_folder(resolved->real)) return fail(ErrorCode::kBadInput, "the workspace `" + dir + "` is not a folder", kNameOne);
  if (::access(resolved->real.c_str(), R_OK | X_OK) < 0) return fail_errno(ErrorCode::kBadInput, "the workspace `" + dir + "`", kNameOne);
  WARDENV_TRY(check_place(resolved->real, state_dir));

  WorkspaceView view;
  view.dir = resolved->real;
  view.symlinks = resolved->symlinks;
  auto inside = resolve_cwd(cwd, view.dir);
  if (!inside) return tl::unexpected(inside.error());
  view.cwd = std::move(*inside);
  view.mounts.push_back({.source = view.dir,
                         .target = view.dir,
                         .writable = access == Access::kDirect ? sandbox::Writable::kYes : sandbox::Writable::kNo,
                         .owner_mapped = true});
  if (access == Access::kReadOnly) return view;
  WARDENV_TRY(add_all_protected(view, view.dir, ""));
  WARDENV_TRY(add_repositories(view));
  return view;
}

}  // namespace wardenv::engine
