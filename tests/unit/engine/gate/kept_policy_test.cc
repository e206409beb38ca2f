// SPDX-License-Identifier: Apache-2.0
// A kept policy is taken where it is what we wrote of this text, and nowhere else. Each forgery says `allow` where the text says `deny`.
#include "engine/gate/kept_policy.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <functional>

#include "engine/audit/crypto.h"
#include "engine/gate/load_policy.h"
#include "tests/support/catch.h"
#include "tests/unit/engine/gate/scene.h"

namespace wardenv::engine {
namespace {

using policy::DefaultEffect;
using policy::Format;

const std::string kText = "version: \"1\"\ndefault: deny\ntools: {a: {}}\n";
constexpr const char* kForged = R"({"version":"1","default":"allow"})";

std::string digest_of(std::string_view text) { return audit::to_hex(audit::Sha256::of(text)); }

struct Kept {
  testing::Folder place;
  std::string state = place.folder("state");
  std::string folder = state + "/policies";
  std::string file = folder + "/" + digest_of(kText);

  Kept() {
    ::chmod(state.c_str(), 0700);
    (void)effect();
  }
  [[nodiscard]] policy::Loaded load() const { return load_kept_policy(kText, Format::kYaml, state); }
  [[nodiscard]] DefaultEffect effect() const {
    const policy::Loaded loaded = load();
    REQUIRE(loaded.document != nullptr);
    CHECK(loaded.digest_sha256 == digest_of(kText));
    return loaded.document->default_effect;
  }
  // "wardenv-policy-1 PROGRAM TEXT BODY\n" of another body.
  [[nodiscard]] std::string forged(const std::string& body = kForged) const {
    const std::string kept = testing::text_of(file);
    return kept.substr(0, kept.rfind(' ', kept.find('\n'))) + " " + digest_of(body) + "\n" + body;
  }
  void put(const std::string& content, mode_t mode = 0600) const {
    write(file, content);
    ::chmod(file.c_str(), mode);
  }
};

TEST_CASE("a policy that was read before is not read again") {
  const Kept kept;
  REQUIRE(std::filesystem::exists(kept.file));
  CHECK(kept.effect() == DefaultEffect::kDeny);
  kept.put(kept.forged());   // who can write there is trusted, as with quotas: this is the control of what follows
  CHECK(kept.effect() == DefaultEffect::kAllow);
}

TEST_CASE("what is kept is taken only whole, ours, of this program and this text") {
  const Kept kept;
  const std::string forged = kept.forged();
  const std::pair<const char*, std::function<void()>> attempts[] = {
      {"another body under the old digest", [&] { kept.put(testing::text_of(kept.file).substr(0, testing::text_of(kept.file).find('\n') + 1) + kForged); }},
      {"cut off", [&] { kept.put(forged.substr(0, forged.size() - 1)); }},
      {"only a line", [&] { kept.put(forged.substr(0, forged.find('\n') + 1)); }},
      {"no line", [&] { kept.put(forged.substr(0, forged.find('\n'))); }},
      {"empty", [&] { kept.put(""); }},
      {"readable by others", [&] { kept.put(forged, 0644); }},
      {"writable by a group", [&] { kept.put(forged, 0620); }},
      {"of another program", [&] { std::string other = forged; other[20] = other[20] == '0' ? '1' : '0'; kept.put(other); }},
      {"of another text", [&] { std::string other = forged; const auto at = other.find(digest_of(kText)); other[at] = other[at] == '0' ? '1' : '0'; kept.put(other); }},
      {"a link", [&] { kept.put(forged); std::filesystem::rename(kept.file, kept.state + "/x"); std::filesystem::create_symlink(kept.state + "/x", kept.file); }},
      {"a pipe", [&] { ::mkfifo(kept.file.c_str(), 0600); }},
      {"a folder", [&] { std::filesystem::create_directory(kept.file); }},
      {"a body that is no policy", [&] { kept.put(kept.forged("{\"default\":\"allow\"}")); }},
      {"in a folder that others enter", [&] { kept.put(forged); ::chmod(kept.folder.c_str(), 0755); }},
      {"in a state folder that others enter", [&] { kept.put(forged); ::chmod(kept.state.c_str(), 0755); }},
      {"in a folder by a link", [&] { kept.put(forged); std::filesystem::rename(kept.folder, kept.state + "/y"); std::filesystem::create_symlink(kept.state + "/y", kept.folder); }},
      {"of another user", [&] { kept.put(forged); if (::geteuid() == 0) REQUIRE(::chown(kept.file.c_str(), 1, 1) == 0); else kept.put(""); }},
  };
  for (const auto& [name, attempt] : attempts) {
    INFO(name);
    std::filesystem::remove_all(kept.folder);
    std::filesystem::remove(kept.state + "/x");
    std::filesystem::remove_all(kept.state + "/y");
    ::chmod(kept.state.c_str(), 0700);
    CHECK(kept.effect() == DefaultEffect::kDeny);   // kept anew
    REQUIRE(std::filesystem::is_regular_file(kept.file));
    if (std::string_view(name) == "a pipe" || std::string_view(name) == "a folder") std::filesystem::remove(kept.file);
    attempt();
    CHECK(kept.effect() == DefaultEffect::kDeny);
  }
}

TEST_CASE("what depends on the host is looked at each time, and placed in the text") {
  const Kept kept;
  const std::string text = "version: \"1\"\ndefault: deny\napprovals: {webhook: {url: \"http://127.0.0.1:1/x\", secret_env: WARDENV_TEST_KEPT_SECRET}}\n";
  ::setenv("WARDENV_TEST_KEPT_SECRET", "secret", 1);
  CHECK(load_kept_policy(text, Format::kYaml, kept.state).document != nullptr);
  REQUIRE(std::filesystem::exists(kept.folder + "/" + digest_of(text)));
  CHECK(load_kept_policy(text, Format::kYaml, kept.state).document != nullptr);
  ::unsetenv("WARDENV_TEST_KEPT_SECRET");
  const policy::Loaded refused = load_kept_policy(text, Format::kYaml, kept.state);
  CHECK(refused.document == nullptr);
  REQUIRE_FALSE(refused.findings.empty());
  CHECK(refused.findings[0].line == 3);
}

TEST_CASE("neither JSON nor what is wrong is kept, nor is a state folder made for it") {
  const Kept kept;
  const auto count = [&] { return std::distance(std::filesystem::directory_iterator(kept.folder), std::filesystem::directory_iterator()); };
  CHECK(count() == 1);
  CHECK(load_kept_policy(kAllow, Format::kJson, kept.state).document != nullptr);
  CHECK(load_kept_policy("version: \"1\"\ndefault: maybe\n", Format::kYaml, kept.state).document == nullptr);
  CHECK(count() == 1);
  CHECK(load_kept_policy(kText, Format::kYaml, kept.place.at("nowhere")).document != nullptr);
  CHECK_FALSE(std::filesystem::exists(kept.place.at("nowhere")));
}

TEST_CASE("what one reader refuses is not taken from what the other one has read") {
  const Kept kept;
  const std::string flow = "{version: \"1\", default: allow}";   // YAML, and no JSON
  CHECK(load_kept_policy(flow, Format::kGuess, kept.state).document == nullptr);
  CHECK(load_kept_policy(flow, Format::kYaml, kept.state).document != nullptr);
  CHECK(load_kept_policy(flow, Format::kGuess, kept.state).document == nullptr);
  const std::string pair = R"({"version": "1", "default": "allow", "description": "\ud83d\ude00"})";   // JSON, which this reader of YAML refuses
  CHECK(load_kept_policy(pair, Format::kYaml, kept.state).document == nullptr);
  CHECK(load_kept_policy(pair, Format::kGuess, kept.state).document != nullptr);
  CHECK(load_kept_policy(pair, Format::kYaml, kept.state).document == nullptr);
}

TEST_CASE("nothing is made in a state folder that is another's, and no long text is kept") {
  const Kept kept;
  const std::string state = kept.place.folder("other");
  ::chmod(state.c_str(), 0755);   // others enter it
  CHECK(load_kept_policy(kText, Format::kYaml, state).document != nullptr);
  CHECK_FALSE(std::filesystem::exists(state + "/policies"));
  ::chmod(state.c_str(), 0700);
  CHECK(load_kept_policy(kText + "# " + std::string(2 << 20, 'x') + "\n", Format::kYaml, state).document != nullptr);
  CHECK_FALSE(std::filesystem::exists(state + "/policies"));
  CHECK(load_kept_policy(kText, Format::kYaml, state).document != nullptr);
  CHECK(std::filesystem::exists(state + "/policies"));
}

TEST_CASE("policies that are kept do not become more and more") {
  const Kept kept;
  for (int i = 0; i < 150; ++i) REQUIRE(load_kept_policy(kText + "# " + std::to_string(i) + "\n", Format::kYaml, kept.state).document != nullptr);
  CHECK(std::distance(std::filesystem::directory_iterator(kept.folder), std::filesystem::directory_iterator()) <= 16);
}

TEST_CASE("a gate that does not watch its policy keeps it; an edit takes effect") {
  Scene scene;
  scene.file = scene.folder.at("policy.yaml");
  ::mkdir(scene.state.c_str(), 0700);
  const auto effect = [&](const std::string& text) {
    auto gate = scene.open(text);
    REQUIRE(gate);
    return (*gate)->admit(scene.call()).allowed();
  };
  const std::string allow = "version: \"1\"\ndefault: allow\n";
  CHECK(effect(allow));
  CHECK(effect(allow));
  CHECK(std::filesystem::exists(scene.state + "/policies/" + digest_of(allow)));
  CHECK_FALSE(effect("version: \"1\"\ndefault: deny\n"));
  CHECK(effect(allow));
}

}  // namespace
}  // namespace wardenv::engine
