// SPDX-License-Identifier: Apache-2.0
// Edits of a pyproject.toml: what was asked, and nothing else.
#include "engine/project/pyproject.h"

#include <random>
#include <set>

#include "engine/project/list_edit.h"
#include "engine/project/toml_depth.h"
#include "tests/support/catch.h"

using namespace wardenv;
using namespace wardenv::engine;

namespace {

std::string add(std::string_view text, const char* requirement, Section section = Section::kMain) {
  auto edit = add_requirement(text, section, *parse_requirement(requirement));
  return edit ? edit->text : "error: " + edit.error().message;
}

std::string remove(std::string_view text, const char* name, Section section = Section::kMain) {
  auto edit = remove_requirement(text, section, name);
  return edit ? edit->text : "error: " + edit.error().message;
}

std::string project(const std::string& list) { return "# top\n[project]\nname = \"x\"\ndependencies = " + list + "\n\n[tool.y]\nz = 1 # end\n"; }

}  // namespace

TEST_CASE("a requirement is added in the list's own layout") {
  CHECK(add(project("[]"), "b") == project("[\"b\"]"));
  CHECK(add(project("[ ]"), "b") == project("[\"b\"]"));
  CHECK(add(project("[\"a\"]"), "b>=2") == project("[\"a\", \"b>=2\"]"));
  CHECK(add(project("['a', ]"), "b") == project("['a', \"b\", ]"));
  CHECK(add(project("[\n  \"a\",\n]"), "b") == project("[\n  \"a\",\n  \"b\",\n]"));
  CHECK(add(project("[\n\t\"a\"\n]"), "b") == project("[\n\t\"a\",\n\t\"b\"\n]"));
  CHECK(add(project("[\n  \"a\", # why\n  # own line\n]"), "b") == project("[\n  \"a\", # why\n  \"b\",\n  # own line\n]"));
  CHECK(add(project("[\n  \"a\" # why\n]"), "b") == project("[\n  \"a\", # why\n  \"b\"\n]"));
  CHECK(add(project("[\n  \"a\"]"), "b") == project("[\n  \"a\",\n  \"b\"]"));
  CHECK(add(project("[\n  \"a\"\n  , # odd\n]"), "b") == project("[\n  \"a\"\n  , # odd\n  \"b\",\n]"));
  CHECK(add(project("[\n]"), "b") == project("[\n    \"b\",\n]"));
  CHECK(add(project("[\n  # none yet\n]"), "b") == project("[\n  # none yet\n    \"b\",\n]"));
  CHECK(add(project("[ # c\n  ]"), "b") == project("[ # c\n    \"b\",\n  ]"));
  CHECK(add(project("[\"a\",\n \"c\"]"), "b") == project("[\"a\",\n \"c\",\n \"b\"]"));
}

TEST_CASE("quotes in a marker") {
  CHECK(add(project("[]"), "b; python_version < \"3\"") == project("['b; python_version < \"3\"']"));
  CHECK(add(project("[]"), "b; python_version < '3'") == project("[\"b; python_version < '3'\"]"));
  CHECK(add(project("[]"), "b; os_name == '1' and os_name == \"2\"") == project("[\"b; os_name == '1' and os_name == \\\"2\\\"\"]"));
}

TEST_CASE("an entry of the same name is replaced in place") {
  CHECK(add(project("[\"a\", 'Foo_Bar>=1', \"c\"] # x"), "foo.bar>=2") == project("[\"a\", 'foo.bar>=2', \"c\"] # x"));
  CHECK(add(project("[\n  \"a==1\", # pinned\n  \"b\",\n]"), "a==2") == project("[\n  \"a==2\", # pinned\n  \"b\",\n]"));
  auto same = add_requirement(project("[\"a>=1\"]"), Section::kMain, *parse_requirement("A"));
  REQUIRE(same);
  CHECK(same->change == Change::kUnchanged);
  CHECK(same->text == project("[\"a>=1\"]"));
  const std::string markers = "[\"a; os_name == 'x'\", \"a>=1; os_name == 'y'\"]";
  CHECK(add(project(markers), "a>=2; os_name == 'y'") == project("[\"a; os_name == 'x'\", \"a>=2; os_name == 'y'\"]"));
  CHECK(add(project(markers), "a>=2").starts_with("error: "));
}

TEST_CASE("an entry is removed with its comma and its comment") {
  CHECK(remove(project("[\"a\"]"), "a") == project("[]"));
  CHECK(remove(project("[\"a\",]"), "a") == project("[]"));
  CHECK(remove(project("[\"a\", \"b\", \"c\"]"), "a") == project("[\"b\", \"c\"]"));
  CHECK(remove(project("[\"a\", \"b\", \"c\"]"), "B") == project("[\"a\", \"c\"]"));
  CHECK(remove(project("[\"a\", \"b\", \"c\"]"), "c") == project("[\"a\", \"b\"]"));
  CHECK(remove(project("[\"a\", \"b\",]"), "b") == project("[\"a\",]"));
  CHECK(remove(project("[\n  \"a\",\n  \"b\", # why b\n  # about c\n  \"c\",\n]"), "b") == project("[\n  \"a\",\n  # about c\n  \"c\",\n]"));
  CHECK(remove(project("[\n  \"a\", # a\n  \"b\"\n]"), "b") == project("[\n  \"a\" # a\n]"));
  CHECK(remove(project("[\n  \"a\"\n]"), "a") == project("[\n]"));
  CHECK(remove(project("[\n  \"a\",\n]"), "x") == project("[\n  \"a\",\n]"));
  CHECK(remove(project("[\n \"a\", \"b\",\n \"c\"]"), "a") == project("[\n \"b\",\n \"c\"]"));
  CHECK(remove(project("[\n \"a\", \"b\",\n \"c\"]"), "c") == project("[\n \"a\", \"b\"]"));
  CHECK(remove(project("[\"a; os_name == 'x'\", \"b\", \"a\"]"), "a") == project("[\"b\"]"));
}

TEST_CASE("line ends of Windows stay") {
  CHECK(add("[project]\r\nname = \"x\"\r\ndependencies = [\r\n  \"a\", # c\r\n]\r\n", "b") ==
        "[project]\r\nname = \"x\"\r\ndependencies = [\r\n  \"a\", # c\r\n  \"b\",\r\n]\r\n");
  CHECK(add("[project]\r\nname = \"x\"\r\n", "b") == "[project]\r\nname = \"x\"\r\ndependencies = [\r\n    \"b\",\r\n]\r\n");
  CHECK(remove("[project]\r\ndependencies = [\r\n  \"a\",\r\n  \"b\",\r\n]\r\n", "a") == "[project]\r\ndependencies = [\r\n  \"b\",\r\n]\r\n");
}

TEST_CASE("a list that is missing is made where it belongs") {
  CHECK(add("[project]\nname = \"x\" # n\n\n[tool.y]\n", "b") == "[project]\nname = \"x\" # n\ndependencies = [\n    \"b\",\n]\n\n[tool.y]\n");
  CHECK(add("[project]\nurls.home = \"h\"\nkeywords = [\n 'k',\n]\n[project.scripts]\na = 'b'\n", "b") ==
        "[project]\nurls.home = \"h\"\nkeywords = [\n 'k',\n]\ndependencies = [\n    \"b\",\n]\n[project.scripts]\na = 'b'\n");
  CHECK(add("[project]", "b") == "[project]\ndependencies = [\n    \"b\",\n]\n");
  CHECK(add("project.name = 'x'\nother = 1\n", "b") == "project.name = 'x'\nproject.dependencies = [\n    \"b\",\n]\nother = 1\n");
  CHECK(add("[tool.y]\nz = 1\n[project]\nname = 'x'\n", "b") == "[tool.y]\nz = 1\n[project]\nname = 'x'\ndependencies = [\n    \"b\",\n]\n");
  CHECK(add("[project]\nname = 'x'\n", "b", Section::kDev) == "[project]\nname = 'x'\n\n[dependency-groups]\ndev = [\n    \"b\",\n]\n");
  CHECK(add("", "b", Section::kDev) == "[dependency-groups]\ndev = [\n    \"b\",\n]\n");
  CHECK(add("[dependency-groups]\ntest = ['t']\n", "b", Section::kDev) == "[dependency-groups]\ntest = ['t']\ndev = [\n    \"b\",\n]\n");
  CHECK(add("[dependency-groups]\nDev = [{include-group = \"test\"}]\ntest = []\n", "b", Section::kDev) ==
        "[dependency-groups]\nDev = [{include-group = \"test\"}, \"b\"]\ntest = []\n");
}

TEST_CASE("a document that a machine should not edit is refused") {
  for (const char* text : {"[tool.y]\n", "", "project = {name = 'x'}\n", "[project]\ndynamic = ['dependencies']\n", "[project]\ndependencies = 'a'\n",
                           "[project]\ndependencies = [1]\n", "[project.scripts]\na = 'b'\n", "[[project]]\nname = 'x'\n", "project = 1\n"}) {
    INFO(text);
    auto edit = add_requirement(text, Section::kMain, *parse_requirement("b"));
    REQUIRE_FALSE(edit);
    CHECK(edit.error().code == ErrorCode::kBadInput);
  }
  auto broken = add_requirement("[project]\nname = 'x'\ndependencies = [\n'a'\n'b']\n", Section::kMain, *parse_requirement("b"));
  REQUIRE_FALSE(broken);
  CHECK(broken.error().message.find("line 5") != std::string::npos);
  CHECK_FALSE(add_requirement("[project]\nname = 'x'\nname = 'y'\n", Section::kMain, *parse_requirement("b")));
  CHECK_FALSE(add_requirement(std::string("[project]\0", 10), Section::kMain, *parse_requirement("b")));
  CHECK_FALSE(add_requirement("[project]\nname = '\xff'\n", Section::kMain, *parse_requirement("b")));
}

TEST_CASE("hostile documents are refused, not obeyed") {
  std::string deep = "[a";
  for (int i = 0; i < 300'000; ++i) deep += ".a";
  CHECK_FALSE(is_shallow(deep + "]\n"));
  CHECK_FALSE(read_pyproject(deep + "]\n"));
  std::string quoted = "\"a\"";
  for (int i = 0; i < 40; ++i) quoted += ".\"a\"";
  CHECK_FALSE(is_shallow(quoted + " = 1\n"));
  CHECK(is_shallow("x = \"................................\" # ..................................\ny = '''...\n.......................'''\n"));
  std::string brackets = "x = ";
  for (int i = 0; i < 200'000; ++i) brackets += '[';
  CHECK_FALSE(read_pyproject(brackets));
  CHECK_FALSE(read_pyproject(std::string(2 << 20, '#')));
  CHECK_FALSE(read_pyproject("[dependency-groups]\ndev = [{include-group = \"gone\"}]\n"));
  auto cycle = read_pyproject("[dependency-groups]\ndev = ['a', {include-group = \"b\"}]\nb = [{include-group = \"Dev\"}, 'c']\n");
  REQUIRE(cycle);
  CHECK(cycle->dev == std::vector<std::string>{"a", "c"});
}

TEST_CASE("a pyproject is read") {
  auto read = read_pyproject("[project]\nname = 'n'\nrequires-python = '>=3.9'\ndependencies = ['a', \"b>=1\"]\n");
  REQUIRE(read);
  CHECK(read->name == "n");
  CHECK(read->requires_python == ">=3.9");
  CHECK(read->dependencies == std::vector<std::string>{"a", "b>=1"});
  auto fresh = read_pyproject(new_pyproject("my \"project\""));
  REQUIRE(fresh);
  CHECK(fresh->name == "my-project");
  CHECK(read_pyproject(new_pyproject("..."))->name == "project");
}

namespace {

// Documents of all layouts, from a seed.
class Documents {
 public:
  explicit Documents(unsigned seed) : random_(seed) {}

  std::string make() {
    newline_ = pick({"\n", "\r\n"});
    std::string text = maybe("# caf\xc3\xa9 first" + newline_) + "[project]" + maybe(" # head") + newline_ + "name = \"\xe2\x82\xac\"" + maybe(" # n") + newline_;
    text += maybe("urls.home = 'http://x'" + newline_);
    if (one_in(8)) text += "dependencies = []" + newline_;
    else if (!one_in(8)) text += "dependencies = " + list() + maybe(" # after") + newline_;
    text += maybe(newline_ + "[project.scripts]" + newline_ + "run = 'a:b'" + newline_);
    text += maybe("[dependency-groups] # groups" + newline_ + "dev=" + list() + newline_);
    return text + maybe("[tool.x]" + newline_ + "y = [1, 2] # last");
  }

  std::string name() { return "pkg" + std::to_string(random_() % 6); }
  bool one_in(unsigned n) { return random_() % n == 0; }

 private:
  std::string pick(std::vector<std::string> from) { return from[random_() % from.size()]; }
  std::string maybe(const std::string& text) { return one_in(2) ? text : ""; }

  std::string list() {
    std::string text = "[" + maybe(" # open" + newline_);
    const auto count = random_() % 5;
    std::set<std::string> used;
    for (unsigned i = 0; i < count; ++i) {
      const std::string item = name();
      if (!used.insert(item).second) continue;
      const std::string quote = pick({"'", "\""});
      if (used.size() > 1) text += pick({",", " ,", ", ", ", # between" + newline_, "," + newline_, " # before" + newline_ + ","});
      text += pick({"", " ", newline_ + "  ", newline_ + "\t# own" + newline_ + "\t"}) + quote + item + pick({"", ">=1", "[extra]"}) + quote;
    }
    if (!used.empty()) text += pick({"", ",", " ,", "," + newline_, " # end" + newline_, ", # end" + newline_});
    return text + pick({"", " ", newline_}) + "]";
  }

  std::mt19937 random_;
  std::string newline_;
};

std::vector<std::string> names_of(const std::vector<std::string>& list) {
  std::vector<std::string> names;
  for (const std::string& item : list) names.push_back(parse_requirement(item)->name);
  return names;
}

// Characters of `part` that are missing in `whole`, by comments: each comment of the one is in the other as often.
std::size_t comments(const std::string& text) { return static_cast<std::size_t>(std::count(text.begin(), text.end(), '#')); }

std::size_t bare_newlines(const std::string& text) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < text.size(); ++i) count += text[i] == '\n' && (i == 0 || text[i - 1] != '\r') ? 1 : 0;
  return count;
}

}  // namespace

TEST_CASE("after any edit the document parses, and all else is as it was") {
  for (unsigned seed = 0; seed < 3000; ++seed) {
    Documents documents(seed);
    const std::string text = documents.make();
    INFO("seed " << seed << "\n" << text);
    auto before = read_pyproject(text);
    REQUIRE(before);
    const Section section = documents.one_in(2) ? Section::kMain : Section::kDev;
    const std::string name = documents.name();

    auto added = add_requirement(text, section, *parse_requirement(name + "==7"));
    REQUIRE(added);
    INFO(added->text);
    auto after = read_pyproject(added->text);
    REQUIRE(after);
    const auto& list = section == Section::kMain ? after->dependencies : after->dev;
    CHECK(std::count(list.begin(), list.end(), name + "==7") == 1);
    CHECK((section == Section::kMain ? after->dev == before->dev : after->dependencies == before->dependencies));
    CHECK(comments(added->text) == comments(text));
    if (text.find('\r') != std::string::npos) CHECK(bare_newlines(added->text) == bare_newlines(text));

    auto removed = remove_requirement(added->text, section, name);
    REQUIRE(removed);
    CHECK(removed->change == Change::kRemoved);
    auto last = read_pyproject(removed->text);
    REQUIRE(last);
    auto expected = names_of(section == Section::kMain ? before->dependencies : before->dev);
    std::erase(expected, name);
    CHECK(names_of(section == Section::kMain ? last->dependencies : last->dev) == expected);
    CHECK(*canonical_without(removed->text, section) == *canonical_without(text, section));
    CHECK(comments(removed->text) + 2 >= comments(text));
  }
}
