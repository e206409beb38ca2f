// SPDX-License-Identifier: Apache-2.0
// Egress presets: configuration files and URLs as they are read, and what is asked where nothing is configured.
#include "engine/egress/presets.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "engine/egress/config_text.h"
#include "tests/support/catch.h"

using namespace wardenv::engine;

namespace {

// A HOME of its own, with nothing configured.
struct Home {
  std::filesystem::path path;
  std::string before = std::getenv("HOME") != nullptr ? std::getenv("HOME") : "";
  Home() {
    char folder[] = "/tmp/wardenv-unit.XXXXXX";
    path = ::mkdtemp(folder);
    ::setenv("HOME", path.c_str(), 1);
    for (const char* name : {"XDG_CONFIG_HOME", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_CONFIG_FILE", "UV_INDEX_URL", "UV_DEFAULT_INDEX", "NPM_CONFIG_REGISTRY"}) ::unsetenv(name);
  }
  ~Home() {
    ::setenv("HOME", before.c_str(), 1);
    std::filesystem::remove_all(path);
  }
  Home(const Home&) = delete;
  Home& operator=(const Home&) = delete;
  void write(const std::string& name, const std::string& text) const {
    std::filesystem::create_directories((path / name).parent_path());
    std::ofstream(path / name) << text;
  }
};

std::vector<std::string> hosts(const DerivedEgress& derived) {
  std::vector<std::string> names;
  for (const EgressRule& rule : derived.rules) names.push_back(rule.text);
  return names;
}

AskInside nobody() {
  return [](const std::vector<std::string>&) -> wardenv::Result<std::string> { return wardenv::fail(wardenv::ErrorCode::kHost, "asked"); };
}

}  // namespace

TEST_CASE("URLs are read with their user and port, and only http ones") {
  const auto url = parse_http_url("https://me:s%40x@Mirror.Example:8443/simple/");
  REQUIRE(url);
  CHECK(url->host == "mirror.example");
  CHECK(url->port == 8443);
  CHECK(without_user(*url) == "https://mirror.example:8443/simple/");
  CHECK(parse_http_url("http://[fd00::1]:81/x")->host == "fd00::1");
  CHECK(without_user(*parse_http_url("http://[fd00::1]:81/x")) == "http://[fd00::1]:81/x");
  for (const char* bad : {"ftp://a.example/", "git@a.example:x", "https://", "https://a.example:0/", "https://a b/", "https://a.example:x/", "https://[::1", "ssh://a.example/"}) {
    INFO(bad);
    CHECK_FALSE(parse_http_url(bad));
  }
  CHECK(rule_for(*parse_http_url("http://me:s%40x@mirror.example/")).inject[0].value == "bWU6c0B4");
  CHECK(rule_for(*parse_http_url("https://me:x@mirror.example/")).inject.empty());
}

TEST_CASE("ini files have sections, comments, continued lines and two separators") {
  const auto entries = parse_ini("# c\n[global]\nindex_url = https://a.example/simple\nextra-index-url =\n  https://b.example/\n  https://c.example/\n[install]\nx: y\n"
                                 "[remote \"origin\"]\n\turl = https://d.example/r.git\n\tfetch = +refs\n");
  REQUIRE(entries.size() == 5);
  CHECK(entries[0].key == "index-url");
  CHECK(urls_in(entries[1].value) == std::vector<std::string>{"https://b.example/", "https://c.example/"});
  CHECK(entries[2].section == "install");
  CHECK(entries[3].section == "remote \"origin\"");
  CHECK(entries[3].value == "https://d.example/r.git");
  CHECK(parse_ini("@corp:registry=https://npm.example/\n")[0].key == "@corp:registry");
}

TEST_CASE("pip-index is what pip is configured to use, and its user stays outside") {
  const Home home;
  home.write(".config/pip/pip.conf", "[global]\nindex-url = https://me:secret@user.example/simple\n[install]\nextra-index-url = https://more.example:8443/\n");
  const auto derived = derive_presets({EgressPreset::kPipIndex}, {.ask = nobody()});
  REQUIRE(derived);
  CHECK(hosts(*derived) == std::vector<std::string>{"user.example:443", "more.example:8443"});
  CHECK(derived->environment == std::vector<std::string>{"PIP_INDEX_URL=https://user.example/simple", "PIP_EXTRA_INDEX_URL=https://more.example:8443/"});
  CHECK_FALSE(derived->rules[0].addresses.empty());   // an operator's mirror may be inside
  ::setenv("PIP_INDEX_URL", "http://me:secret@variable.example/simple", 1);
  const auto by_variable = derive_presets({EgressPreset::kPipIndex}, {.ask = nobody()});
  ::unsetenv("PIP_INDEX_URL");
  REQUIRE(by_variable);
  CHECK(hosts(*by_variable)[0] == "variable.example:80");
  CHECK(by_variable->rules[0].inject.size() == 1);
  const auto by_profile = derive_presets({EgressPreset::kPipIndex}, {.environment = {"PIP_INDEX_URL=https://profile.example/simple"}, .ask = nobody()});
  REQUIRE(by_profile);
  CHECK(hosts(*by_profile)[0] == "profile.example:443");
}

TEST_CASE("a venv's own pip.conf counts before the user's, and reaches public addresses only") {
  const Home home;
  home.write(".config/pip/pip.conf", "[global]\nindex-url = https://user.example/simple\n");
  home.write("venv/pip.conf", "[global]\nindex-url = https://venv.example/simple\n");
  const auto derived = derive_presets({EgressPreset::kPipIndex}, {.venv = home.path / "venv", .ask = nobody()});
  REQUIRE(derived);
  CHECK(hosts(*derived) == std::vector<std::string>{"venv.example:443"});
  CHECK(derived->rules[0].addresses.empty());
}

TEST_CASE("files that runs can write are nobody's word, whosever they should be") {
  const Home home;
  const std::string root = home.path;
  home.write("ws/.venv/pip.conf", "[global]\nindex-url = https://evil.example/simple\n");
  home.write("ws/.config/pip/pip.conf", "[global]\nindex-url = https://evil.example/simple\n");
  home.write("ws/.config/uv/uv.toml", "index-url = \"https://evil.example/simple\"\n");
  home.write("ws/.npmrc", "registry=https://evil.example/\n");
  home.write("own/pip.conf", "[global]\nindex-url = https://own.example/simple\n");
  std::filesystem::create_symlink(home.path / "own", home.path / "ws/link");
  const PresetInput workspace{.venv = root + "/ws/.venv", .workspace = root + "/ws", .written = {root + "/ws"}, .ask = nobody()};
  const PresetInput control{.venv = root + "/ws/.venv", .workspace = root + "/ws", .ask = nobody()};
  ::setenv("HOME", (root + "/ws").c_str(), 1);
  for (const std::string& file : {std::string(), root + "/ws/.config/pip/pip.conf", root + "/ws/link/pip.conf"}) {
    ::setenv("PIP_CONFIG_FILE", file.c_str(), 1);
    INFO(file);
    CHECK(derive_presets({EgressPreset::kPipIndex}, control));
    const auto refused = derive_presets({EgressPreset::kPipIndex}, workspace);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().message.find("commands can write, and so it does not count") != std::string::npos);
  }
  CHECK(derive_presets({EgressPreset::kNpmRegistry}, control));
  CHECK_FALSE(derive_presets({EgressPreset::kNpmRegistry}, workspace));
  ::setenv("PIP_CONFIG_FILE", (root + "/own/pip.conf").c_str(), 1);
  const auto own = derive_presets({EgressPreset::kPipIndex}, workspace);
  ::unsetenv("PIP_CONFIG_FILE");
  REQUIRE(own);
  CHECK(hosts(*own) == std::vector<std::string>{"own.example:443"});
}

TEST_CASE("only programs of the host are asked, and none where runs can write them") {
  const Home home;
  std::vector<std::string> asked;
  const AskInside answer = [&](const std::vector<std::string>& argv) -> wardenv::Result<std::string> {
    asked.push_back(argv[0]);
    return "nothing\n";
  };
  const std::vector<EgressPreset> both{EgressPreset::kPipIndex, EgressPreset::kNpmRegistry};
  for (const EgressPreset preset : both) CHECK_FALSE(derive_presets({preset}, {.venv = home.path / "venv", .ask = answer}));
  CHECK(asked == std::vector<std::string>{"/usr/bin/python3", "/usr/local/bin/python3", "npm"});
  for (const EgressPreset preset : both) CHECK_FALSE(derive_presets({preset}, {.written = {"/usr/local/lib"}, .ask = answer}));
  CHECK(asked.size() == 3);
}

TEST_CASE("uv's configuration counts, and pip is asked only where neither names an index") {
  const Home home;
  home.write(".config/uv/uv.toml", "[[index]]\nurl = \"https://uv.example/simple\"\ndefault = true\n");
  const auto derived = derive_presets({EgressPreset::kPipIndex}, {.ask = nobody()});
  REQUIRE(derived);
  CHECK(hosts(*derived) == std::vector<std::string>{"uv.example:443"});
  CHECK(derived->environment == std::vector<std::string>{"UV_DEFAULT_INDEX=https://uv.example/simple"});
  home.write(".config/uv/uv.toml", "[[index]]\nurl = \"https://uv.example/simple\"\n");
  const AskInside answer = [](const std::vector<std::string>& argv) -> wardenv::Result<std::string> {
    CHECK(std::find(argv.begin(), argv.end(), "-I") != argv.end());
    return "https://default.example/simple https://files.example/\n";
  };
  const auto asked = derive_presets({EgressPreset::kPipIndex}, {.ask = answer});
  REQUIRE(asked);
  CHECK(hosts(*asked) == std::vector<std::string>{"uv.example:443", "default.example:443", "files.example:443"});
  CHECK(asked->rules[1].addresses.empty());
}

TEST_CASE("a workspace's configuration counts for nothing but its repository's remotes") {
  const Home home;
  home.write("ws/pip.conf", "[global]\nindex-url = https://evil.example/simple\n");
  home.write("ws/uv.toml", "index-url = \"https://evil.example/simple\"\n");
  home.write("ws/.npmrc", "registry=https://evil.example/\n");
  const AskInside silent = [](const std::vector<std::string>&) -> wardenv::Result<std::string> { return "nothing\n"; };
  const PresetInput input{.workspace = home.path / "ws", .ask = silent};
  CHECK_FALSE(derive_presets({EgressPreset::kPipIndex}, input));
  CHECK_FALSE(derive_presets({EgressPreset::kNpmRegistry}, input));
  CHECK_FALSE(derive_presets({EgressPreset::kGitRemote}, input));
  home.write("ws/.git/config", "[core]\n\turl = https://no.example/\n[remote \"origin\"]\n\turl = https://me:x@git.example/a.git\n[remote \"ssh\"]\n\turl = git@ssh.example:a.git\n");
  const auto derived = derive_presets({EgressPreset::kGitRemote}, input);
  REQUIRE(derived);
  CHECK(hosts(*derived) == std::vector<std::string>{"git.example:443"});
}

TEST_CASE("npm's registry is the user's, or asked") {
  const Home home;
  home.write(".npmrc", "registry=https://npm.example/\n@corp:registry=https://corp.example/\n//npm.example/:_authToken=secret\n");
  const auto derived = derive_presets({EgressPreset::kNpmRegistry}, {.ask = nobody()});
  REQUIRE(derived);
  CHECK(hosts(*derived) == std::vector<std::string>{"npm.example:443", "corp.example:443"});
  CHECK(derived->environment == std::vector<std::string>{"NPM_CONFIG_REGISTRY=https://npm.example/"});
}
