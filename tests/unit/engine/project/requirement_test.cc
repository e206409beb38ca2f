// SPDX-License-Identifier: Apache-2.0
// Dependency specifiers: what is one, what is something else that an installer would obey.
#include "engine/project/requirement.h"

#include "tests/support/catch.h"

using namespace wardenv;
using namespace wardenv::engine;

namespace {

std::string again(std::string_view text, DirectReference direct = DirectReference::kRefuse) {
  auto parsed = parse_requirement(text, direct);
  return parsed ? to_string(*parsed) : "error: " + parsed.error().message;
}

void check_refused(std::string_view text, const std::string& word) {
  INFO(text);
  auto parsed = parse_requirement(text);
  REQUIRE_FALSE(parsed);
  INFO(parsed.error().message);
  CHECK(parsed.error().message.find(word) != std::string::npos);
  CHECK(parsed.error().message.find('\n') == std::string::npos);
  CHECK_FALSE(parsed.error().hint.empty());
}

}  // namespace

TEST_CASE("dependency specifiers are read and written anew") {
  CHECK(again("requests") == "requests");
  CHECK(again("  requests  ") == "requests");
  CHECK(again("A.B-C_d") == "A.B-C_d");
  CHECK(again("name<=1") == "name<=1");
  CHECK(again("name>=3,<2") == "name>=3,<2");
  CHECK(again("name (>=3, < 2)") == "name>=3,<2");
  CHECK(again("name [fred , bar] ==1.*") == "name[fred,bar]==1.*");
  CHECK(again("name[]") == "name");
  CHECK(again("name~=1.4.2") == "name~=1.4.2");
  CHECK(again("name===anything+goes") == "name===anything+goes");
  CHECK(again("name==1!2.0.post1.dev3+local.7") == "name==1!2.0.post1.dev3+local.7");
  CHECK(again("name>=1;python_version<'3.12'") == "name>=1; python_version<'3.12'");
  CHECK(again("argparse;python_version<\"2.7\"") == "argparse; python_version<\"2.7\"");
  CHECK(again("n; os_name=='a' and (python_version not in '3.7 3.8' or extra == 'b')") ==
        "n; os_name=='a' and (python_version not in '3.7 3.8' or extra == 'b')");
}

TEST_CASE("what an installer would take for something else is refused by name") {
  for (const char* text : {"--index-url=https://evil.test/simple", "-r requirements.txt", "-e .", "--target=/tmp", " --pre", "-"}) check_refused(text, "option");
  for (const char* text : {".", "./pkg", "../x", "/abs/path", "~/x", "a\\b", "pkg/sub"}) check_refused(text, "path");
  for (const char* text : {"git+ssh://host/x", "https://host/x.whl", "file:///etc/passwd", "git+https://h/x#egg=y"}) check_refused(text, "address");
  for (const char* text : {"name @ https://host/x.whl", "name@file:///x", "name[extra] @ git+ssh://h/x"}) check_refused(text, "address to install from");
  for (const char* text : {"x.whl", "x-1.0-py3-none-any.whl", "x.tar.gz", "x.ZIP"}) check_refused(text, "looks like a file");
  for (const char* text : {"a\nb", "a\n--index-url=x", "a\rb", "a\x01"}) check_refused(text, "line break");
  check_refused(std::string_view("a\0b", 3), "line break");
  for (const char* text : {"", "   ", "\t"}) check_refused(text, "empty");
  check_refused("requests flask", "something after");
  check_refused("requests --upgrade", "something after");
  check_refused("r\xc3\xa9quests", "no package name has");
  check_refused(std::string(2000, 'a'), "too long");
}

TEST_CASE("broken specifiers are refused") {
  for (const char* text : {"name>=", "name>=latest", "name==*", "name>=1.*", "name=1", "name>=1,", "name (>=1", "name[a", "name[a b]", "name[a,,b]", "_name", "name-",
                           "name; ", "name; python_version", "name; python_version < 3", "name; nonsense == '1'", "name; (os_name == 'a'", "name; os_name == 'a' or",
                           "name; os_name == 'a' 'b'", "name;os_name=='a\\'"}) {
    INFO(text);
    CHECK_FALSE(parse_requirement(text));
  }
  CHECK_FALSE(parse_requirement("n; " + std::string(500, '(') + "os_name == 'a'" + std::string(500, ')')));
}

TEST_CASE("a direct reference is read where it is allowed") {
  CHECK(again("name[a] @ https://host/x.whl ; os_name == 'a'", DirectReference::kAllow) == "name[a] @ https://host/x.whl ; os_name == 'a'");
}

TEST_CASE("a name alone") {
  CHECK(*parse_package_name("Foo.Bar") == "Foo.Bar");
  for (const char* text : {"foo>=1", "foo[a]", "foo; os_name == 'a'", "-y", ""}) CHECK_FALSE(parse_package_name(text));
  CHECK(normalized_name("Foo._-.Bar_baz") == "foo-bar-baz");
  CHECK(normalized_name("foo") == "foo");
}
