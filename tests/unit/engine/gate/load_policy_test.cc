// SPDX-License-Identifier: Apache-2.0
// What only the engine and the host can say about a policy: all of it at once, placed like the rest.
#include "engine/gate/load_policy.h"

#include <cstdlib>
#include <string>

#include "engine/gate/policy_source.h"
#include "tests/support/catch.h"

using namespace wardenv;
using engine::load_policy;
using policy::Format;

namespace {

std::string all_text(const policy::Loaded& loaded) {
  std::string text;
  for (const policy::Finding& finding : loaded.findings) text += policy::to_text(finding, "p") + "\n";
  return text;
}

const std::string kWrong = R"(version: "1"
default: deny
approvals: {webhook: {url: "https://hooks.example/x", secret_env: WARDENV_TEST_NO_SUCH_VARIABLE}}
hooks:
  - {name: a, event: before_run, run: [/usr/bin/true]}
  - {name: b, event: before_run, run: [no-such-hook-program]}
  - {name: c, event: after_run, run: [/nonexistent/hook]}
profiles:
  one/two:
    allow_host: ["packages.example", "http://wrong.example/", "*.*.example"]
    seccomp: {allow: [io_uring_setup, no_such_call, mount]}
    network: egress
  three:
    access: captured
    ca_file: /nonexistent/ca.pem
    mounts: [{source: /usr}, {source: /nonexistent/data}, {source: "{workspace}/x", target: /x}]
    allow_host: [a.example]
    headers: [{host: a.example, name: Authorization, variable: WARDENV_TEST_NO_SUCH_VARIABLE}, {host: a.example, name: X-Key, file: /nonexistent/key}]
)";

}  // namespace

TEST_CASE("all that the engine and the host have to say about a policy is said at once, with its place") {
  const policy::Loaded loaded = load_policy(kWrong, Format::kYaml);
  CHECK(loaded.document == nullptr);
  std::string places;
  for (const policy::Finding& finding : loaded.findings) {
    places += std::to_string(finding.line) + ":" + std::to_string(finding.column) + (finding.severity == policy::Severity::kError ? " error " : " warning ") + finding.pointer + "\n";
  }
  INFO(all_text(loaded));
  CHECK(places ==
        "3:22 error /approvals/webhook\n"
        "6:40 warning /hooks/1/run/0\n"
        "7:39 warning /hooks/2/run/0\n"
        "10:38 error /profiles/one~1two/allow_host/1\n"
        "10:63 error /profiles/one~1two/allow_host/2\n"
        "11:39 error /profiles/one~1two/seccomp/allow/1\n"
        "11:53 error /profiles/one~1two/seccomp/allow/2\n"
        "14:13 error /profiles/three/access\n"
        "15:14 warning /profiles/three/ca_file\n"
        "16:39 warning /profiles/three/mounts/1/source\n"
        "18:64 warning /profiles/three/headers/0/variable\n"
        "18:133 warning /profiles/three/headers/1/file\n");
}

TEST_CASE("what is only missing on this host does not keep a policy from being loaded") {
  const policy::Loaded loaded = load_policy("version: \"1\"\ndefault: deny\nhooks: [{name: b, event: before_run, run: [no-such-hook-program]}]\n", Format::kYaml);
  CHECK(loaded.document != nullptr);
  CHECK_THAT(all_text(loaded), Catch::Matchers::Contains("warning: /hooks/0/run/0: there is no program `no-such-hook-program`"));
}

TEST_CASE("a policy that is refused is refused for an error, not for a warning that stands before it") {
  const auto opened = engine::PolicySource::open("", "version: \"1\"\ndefault: deny\nprofiles: {p: {network: host}}\ntolls: {}\n");
  REQUIRE_FALSE(opened);
  CHECK_THAT(opened.error().message, Catch::Matchers::Contains("4:1: error: /tolls: unknown key"));
}
