// SPDX-License-Identifier: Apache-2.0
// Lists a virtual environment.
#include "engine/project/environment_list.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "engine/project/requirement.h"

namespace wardenv::engine {
namespace {

using json = nlohmann::json;

constexpr std::size_t kMaxPackages = 10'000;
constexpr std::uint64_t kMaxAnswerBytes = 8 << 20;

// Reads {"roots": […]} from its input. Packages' own code is not run: with -S, site-packages is a folder of files to read.
constexpr const char* kScript = R"python(
import json, os, re, sys
from importlib import metadata

venv = sys.argv[1]
roots = json.load(sys.stdin)["roots"]
paths = []
for lib in ("lib", "lib64"):
    base = os.path.join(venv, lib)
    for name in sorted(os.listdir(base)) if os.path.isdir(base) else ():
        path = os.path.realpath(os.path.join(base, name, "site-packages"))
        if name.startswith(("python3", "pypy3")) and os.path.isdir(path) and path not in paths:
            paths.append(path)

def normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()

found = {}
for item in metadata.distributions(path=paths):
    try:
        name, version = item.metadata["Name"], item.version
        if name and version:
            found.setdefault(normal(name), (name, version, item.requires or []))
    except Exception:
        pass

def closure():
    sys.path[:0] = paths
    try:
        from packaging.requirements import Requirement
    except ImportError:
        from pip._vendor.packaging.requirements import Requirement
    needed, todo = {}, [(text, ("",)) for text in roots]
    while todo:
        text, extras = todo.pop()
        try:
            wanted = Requirement(text)
        except Exception:
            continue
        if wanted.marker and not any(wanted.marker.evaluate({"extra": extra}) for extra in extras):
            continue
        name = normal(wanted.name)
        new = {"", *wanted.extras} - needed.get(name, set())
        if not new:
            continue
        needed.setdefault(name, set()).update(new)
        todo += [(line, tuple(needed[name])) for line in found.get(name, ("", "", ()))[2]]
    return sorted(needed)

try:
    needed = closure() if roots is not None else None
except ImportError:
    needed = None
print(json.dumps({"python": sys.version.split()[0], "needed": needed, "packages": [{"name": n, "version": v} for n, v, _ in found.values()]}))
)python";

tl::unexpected<Error> unreadable() {
  return fail(ErrorCode::kBadInput, "what is installed could not be read", "make the virtual environment anew: its Python does not answer as it should");
}

bool is_version_text(const std::string& text) {
  return !text.empty() && text.size() < 200 && std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

std::string text_of(const json& object, const char* key) {
  const auto item = object.find(key);
  return item != object.end() && item->is_string() ? item->get<std::string>() : "";
}

std::vector<InstalledPackage> packages_of(const json& list) {
  std::vector<InstalledPackage> packages;
  for (const json& item : list) {
    if (packages.size() == kMaxPackages || !item.is_object()) break;
    InstalledPackage package{text_of(item, "name"), text_of(item, "version")};
    if (parse_package_name(package.name) && is_version_text(package.version)) packages.push_back(std::move(package));
  }
  std::sort(packages.begin(), packages.end(), [](const auto& a, const auto& b) { return normalized_name(a.name) < normalized_name(b.name); });
  return packages;
}

std::optional<std::set<std::string>> needed_of(const json& document) {
  const auto list = document.find("needed");
  if (list == document.end() || !list->is_array()) return {};
  std::set<std::string> names;
  for (const json& item : *list) {
    if (item.is_string() && names.size() < kMaxPackages) names.insert(item.get<std::string>());
  }
  return names;
}

std::map<std::string, InstalledPackage> by_name(const EnvironmentList& list) {
  std::map<std::string, InstalledPackage> result;
  for (const InstalledPackage& package : list.packages) result.emplace(normalized_name(package.name), package);
  return result;
}

}  // namespace

void prepare_list(RunRequest& request, const std::string& venv, const std::vector<std::string>& roots) {
  request.argv = {venv + "/bin/python", "-I", "-S", "-c", kScript, venv};
  request.run_id.clear();   // that one is the installer's run
  request.venv = venv;
  request.venv_access = VenvAccess::kReadOnly;
  request.access = Access::kReadOnly;
  request.network = sandbox::Network::kNone;
  request.egress = {};
  request.stdin_mode = StdinMode::kText;
  request.stdin_text = json{{"roots", roots}}.dump(-1, ' ', true, json::error_handler_t::replace);
  request.output_limit_bytes = kMaxAnswerBytes;
}

Result<EnvironmentList> read_list(const RunReport& report) {
  if (report.outcome == Outcome::kSetupFailed && report.error) return tl::unexpected(*report.error);
  if (report.exit_code != 0 || report.out.truncated) return unreadable();
  // The parser counts depth for us: no array or object of a good answer lies deeper than three.
  const auto shallow = [](int depth, json::parse_event_t, json&) { return depth <= 4; };
  const json document = json::parse(report.out.text, shallow, false);
  if (!document.is_object() || !document.contains("packages") || !document["packages"].is_array()) return unreadable();
  return EnvironmentList{text_of(document, "python").substr(0, 40), packages_of(document["packages"]), needed_of(document)};
}

std::vector<PackageChange> compare(const EnvironmentList& before, const EnvironmentList& after) {
  std::vector<PackageChange> changes;
  const auto old_packages = by_name(before);
  const auto new_packages = by_name(after);
  for (const auto& [name, package] : new_packages) {
    const auto old = old_packages.find(name);
    if (old == old_packages.end()) changes.push_back({package.name, "", package.version});
    else if (old->second.version != package.version) changes.push_back({package.name, old->second.version, package.version});
  }
  for (const auto& [name, package] : old_packages) {
    if (!new_packages.contains(name)) changes.push_back({package.name, package.version, ""});
  }
  return changes;
}

}  // namespace wardenv::engine
