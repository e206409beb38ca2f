// SPDX-License-Identifier: Apache-2.0
#include "engine/egress/presets.h"

#include <dirent.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <optional>

#include "engine/egress/config_text.h"
#include "engine/egress/operator_files.h"
#include "engine/paths.h"

namespace wardenv::engine {
namespace {

// Prints the index that pip uses where nothing is configured, and where that keeps its files: pip's own constants, of the host's Python.
// A venv is not asked: what a run with a writable one left there, it would say for all later ones.
constexpr const char* kAskPip =
    "import glob, os, sys\n"
    "places = glob.glob('/usr/share/python-wheels/pip-*.whl') + ['/usr/lib/python3/dist-packages']\n"
    "try:\n"
    "    import ensurepip\n"
    "    places[:0] = glob.glob(os.path.join(os.path.dirname(ensurepip.__file__), '_bundled', 'pip-*.whl'))\n"
    "except ImportError:\n"
    "    pass\n"
    "places += glob.glob(os.path.join(sys.base_prefix, 'lib', 'python3*', 'site-packages'))\n"
    "for place in places:\n"
    "    sys.path.insert(0, place)\n"
    "    try:\n"
    "        from pip._internal.models.index import PyPI\n"
    "        print(PyPI.simple_url, 'https://' + PyPI.file_storage_domain + '/')\n"
    "        break\n"
    "    except Exception:\n"
    "        sys.path.pop(0)\n"
    "        for name in [n for n in sys.modules if n.split('.')[0] == 'pip']:\n"
    "            del sys.modules[name]\n";

// An operator's own mirror may well be inside; link-local addresses, where clouds keep their secrets, are for nobody.
constexpr std::array kInside = {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "127.0.0.0/8", "::1/128", "fc00::/7"};

enum class Trust {
  kOperator,   // the engine's environment, the user's and the system's files
  kOthers,     // whoever made the venv or the repository, and what programs say of themselves: public addresses only
};

class Deriver {
 public:
  explicit Deriver(const PresetInput& input) : input_(input), files_(with_venv(input)), around_venv_(input.written) {}

  Status derive(EgressPreset preset) {
    const std::size_t before = derived_.rules.size();
    WARDENV_TRY(collect(preset));
    if (derived_.rules.size() > before) return {};
    if (trouble_ && files_.passed_over().empty()) return tl::unexpected(*trouble_);
    return fail(ErrorCode::kNotFound, "the egress preset `" + std::string(to_string(preset)) + "` finds no http(s) host here" + passed_over(), "name the host with --allow-host");
  }
  DerivedEgress take() { return std::move(derived_); }

 private:
  static std::vector<std::string> with_venv(const PresetInput& input) {
    std::vector<std::string> written = input.written;
    if (const auto venv = resolve_path(input.venv); !input.venv.empty() && venv) written.push_back(venv->real);
    return written;
  }

  [[nodiscard]] std::string passed_over() const {
    std::string text;
    for (const std::string& path : files_.passed_over()) text += (text.empty() ? "; commands can write, and so it does not count: `" : "`, `") + path;
    return text.empty() ? text : text + "`";
  }

  Status collect(EgressPreset preset) {
    switch (preset) {
      case EgressPreset::kPipIndex: return pip_index();
      case EgressPreset::kNpmRegistry: return npm_registry();
      case EgressPreset::kAptSources: return apt_sources();
      case EgressPreset::kGitRemote: return git_remote();
    }
    return {};
  }

  [[nodiscard]] std::string variable(const std::string& name) const {
    for (const std::string& item : input_.environment) {
      if (item.starts_with(name + "=")) return item.substr(name.size() + 1);
    }
    const char* value = std::getenv(name.c_str());
    return value != nullptr ? value : "";
  }

  void tell(const std::string& name, const std::string& value) {
    const auto same = [&](const std::string& item) { return item.starts_with(name + "="); };
    if (std::any_of(input_.environment.begin(), input_.environment.end(), same)) return;
    if (std::none_of(derived_.environment.begin(), derived_.environment.end(), same)) derived_.environment.push_back(name + "=" + value);
  }

  void add(const std::string& text, Trust trust) {
    const auto url = parse_http_url(text);
    if (!url) return;
    EgressRule rule = rule_for(*url);
    if (trust == Trust::kOperator && rule.match != HostMatch::kAddress) {
      for (const char* range : kInside) rule.addresses.push_back(*parse_range(range));
    }
    if (std::find(derived_.rules.begin(), derived_.rules.end(), rule) == derived_.rules.end()) derived_.rules.push_back(std::move(rule));
  }

  static std::string joined(const std::vector<std::string>& urls) {
    std::string text;
    for (const std::string& item : urls) text += (text.empty() ? "" : " ") + without_user(*parse_http_url(item));
    return text;
  }

  // --- pip and uv ----------------------------------------------------------------------------------------------------

  struct Setting {
    std::string value{};
    Trust trust = Trust::kOperator;
  };

  // A run with a writable venv can't write its pip.conf. Where the venv itself lies in what runs can write, it can be anybody's.
  std::string read_setting(const Setting& file) {
    if (file.trust == Trust::kOperator) return files_.read(file.value);
    return around_venv_.in_reach(input_.venv) ? files_.read(file.value) : around_venv_.read(file.value);
  }

  // pip's order: variable, file of PIP_CONFIG_FILE, the venv's, the user's, the system's; in a file, [install] before [global].
  std::optional<Setting> pip_setting(const std::string& key, const std::string& name) {
    if (auto value = variable(name); !value.empty()) return Setting{value, Trust::kOperator};
    const std::string home = variable("HOME");
    const std::string xdg = variable("XDG_CONFIG_HOME");
    const std::array files = {Setting{variable("PIP_CONFIG_FILE"), Trust::kOperator},
                              Setting{input_.venv.empty() ? "" : input_.venv + "/pip.conf", Trust::kOthers},
                              Setting{(xdg.empty() ? home + "/.config" : xdg) + "/pip/pip.conf", Trust::kOperator},
                              Setting{home + "/.pip/pip.conf", Trust::kOperator},
                              Setting{"/etc/xdg/pip/pip.conf", Trust::kOperator},
                              Setting{"/etc/pip.conf", Trust::kOperator}};
    for (const Setting& file : files) {
      if (file.value.empty()) continue;
      const auto entries = parse_ini(read_setting(file));
      for (const char* section : {"install", "global"}) {
        for (const IniEntry& entry : entries) {
          if (entry.section == section && entry.key == key && !entry.value.empty()) return Setting{entry.value, file.trust};
        }
      }
    }
    return std::nullopt;
  }

  // True where it is set; what is not to be seen inside is told by a variable.
  bool pip_urls(const std::string& key, const std::string& name) {
    const auto setting = pip_setting(key, name);
    if (!setting) return false;
    const auto urls = urls_in(setting->value);
    for (const std::string& url : urls) add(url, setting->trust);
    if (setting->trust == Trust::kOperator && !urls.empty()) tell(name, joined(urls));
    return !urls.empty();
  }

  bool uv_urls() {
    bool primary = false;
    for (const char* name : {"UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_INDEX", "UV_EXTRA_INDEX_URL"}) {
      const auto urls = urls_in(variable(name));
      for (const std::string& url : urls) add(url, Trust::kOperator);
      if (!urls.empty()) tell(name, joined(urls));
      primary = primary || (!urls.empty() && name != std::string("UV_INDEX") && name != std::string("UV_EXTRA_INDEX_URL"));
    }
    const std::string xdg = variable("XDG_CONFIG_HOME");
    for (const std::string& path : {(xdg.empty() ? variable("HOME") + "/.config" : xdg) + "/uv/uv.toml", std::string("/etc/uv/uv.toml")}) {
      uv_file(files_.read(path), primary);
    }
    return primary;
  }

  // index-url, and [[index]] tables, of which one may say that it is the default.
  void uv_file(const std::string& text, bool& primary) {
    std::vector<std::string> others;
    std::string last;
    for (const IniEntry& entry : parse_ini(text)) {
      const bool table = entry.section.starts_with("[index");
      const auto urls = urls_in(entry.value);
      for (const std::string& url : urls) add(url, Trust::kOperator);
      if (table && entry.key == "url" && !urls.empty()) others.push_back(last = urls[0]);
      if (entry.key == "extra-index-url") others.insert(others.end(), urls.begin(), urls.end());
      const bool says_default = table && entry.key == "default" && entry.value == "true" && !last.empty();
      if (says_default) others.pop_back();
      if (says_default || (entry.key == "index-url" && !urls.empty())) {
        tell("UV_DEFAULT_INDEX", joined({says_default ? last : urls[0]}));
        primary = true;
      }
    }
    if (!others.empty()) tell("UV_INDEX", joined(others));
  }

  Status pip_index() {
    const bool pip = pip_urls("index-url", "PIP_INDEX_URL");
    const bool uv = uv_urls();
    (void)pip_urls("extra-index-url", "PIP_EXTRA_INDEX_URL");
    (void)pip_urls("find-links", "PIP_FIND_LINKS");
    if (const auto trusted = pip_setting("trusted-host", "PIP_TRUSTED_HOST"); trusted && trusted->trust == Trust::kOperator) {
      std::string hosts = trusted->value;
      std::replace(hosts.begin(), hosts.end(), '\n', ' ');
      tell("PIP_TRUSTED_HOST", hosts);
    }
    if (pip || uv) return {};
    for (const char* python : {"/usr/bin/python3", "/usr/local/bin/python3"}) {
      auto urls = ask_host({python, "-I", "-S", "-c", kAskPip});
      for (const std::string& url : urls) add(url, Trust::kOthers);
      if (!urls.empty()) break;
    }
    return {};
  }

  // What a program of the host says, below /usr with all that it is made of.
  std::vector<std::string> ask_host(const std::vector<std::string>& argv) {
    const auto in_usr = [](const std::string& path) { return is_beneath(path, "/usr") || is_beneath("/usr", path); };
    if (std::any_of(input_.written.begin(), input_.written.end(), in_usr)) return {};
    const auto answer = input_.ask(argv);
    if (answer) return urls_in(*answer);
    trouble_ = answer.error();
    return {};
  }

  // --- npm, apt, git -------------------------------------------------------------------------------------------------

  Status npm_registry() {
    std::string registry = variable("NPM_CONFIG_REGISTRY");
    if (registry.empty()) registry = variable("npm_config_registry");
    if (!registry.empty()) add(registry, Trust::kOperator);
    for (const std::string& path : {variable("HOME") + "/.npmrc", std::string("/etc/npmrc"), std::string("/usr/etc/npmrc")}) {
      for (const IniEntry& entry : parse_ini(files_.read(path))) {
        const bool scoped = entry.key.starts_with('@') && entry.key.ends_with(":registry");
        if (entry.key != "registry" && !scoped) continue;
        add(entry.value, Trust::kOperator);
        if (!scoped && registry.empty()) registry = entry.value;
      }
    }
    if (const auto url = parse_http_url(registry)) return tell("NPM_CONFIG_REGISTRY", without_user(*url)), Status{};
    for (const std::string& url : ask_host({"npm", "config", "get", "registry"})) add(url, Trust::kOthers);
    return {};
  }

  Status apt_sources() {
    std::vector<std::string> files{"/etc/apt/sources.list"};
    const std::string folder = "/etc/apt/sources.list.d";
    if (DIR* entries = ::opendir(folder.c_str())) {
      while (const dirent* entry = ::readdir(entries)) files.push_back(folder + "/" + entry->d_name);
      ::closedir(entries);
    }
    for (const std::string& path : files) {
      if (path.ends_with(".list")) sources_in_lines(files_.read(path));
      if (!path.ends_with(".sources")) continue;
      for (const IniEntry& entry : parse_ini(files_.read(path))) {
        if (entry.key != "uris") continue;
        for (const std::string& url : urls_in(entry.value)) add(url, Trust::kOperator);
      }
    }
    return {};
  }

  // sources.list(5): one line each, "deb [options] URI suite component…".
  void sources_in_lines(std::string_view text) {
    while (!text.empty()) {
      const std::size_t end = std::min(text.find('\n'), text.size());
      const std::string_view line = text.substr(0, end);
      if (line.starts_with("deb")) {
        for (const std::string& url : urls_in(line)) add(url, Trust::kOperator);
      }
      text.remove_prefix(std::min(end + 1, text.size()));
    }
  }

  Status git_remote() {
    if (input_.repository_made_inside) {
      return fail(ErrorCode::kBadInput, "the repository in `" + input_.workspace + "` was made by a run: its remotes are not taken for the operator's word",
                  "name the host with --allow-host, or clone the repository anew outside");
    }
    for (const IniEntry& entry : parse_ini(read_plain(input_.workspace + "/.git/config"))) {
      if (entry.section.starts_with("remote ") && (entry.key == "url" || entry.key == "pushurl")) add(entry.value, Trust::kOthers);
    }
    return {};
  }

  const PresetInput& input_;
  OperatorFiles files_;
  OperatorFiles around_venv_;   // for the venv's own pip.conf
  std::optional<Error> trouble_;   // why the last program that was asked did not answer
  DerivedEgress derived_;
};

}  // namespace

Result<DerivedEgress> derive_presets(const std::vector<EgressPreset>& presets, const PresetInput& input) {
  Deriver deriver(input);
  for (const EgressPreset preset : presets) WARDENV_TRY(deriver.derive(preset));
  return deriver.take();
}

}  // namespace wardenv::engine
