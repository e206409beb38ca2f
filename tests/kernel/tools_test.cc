// SPDX-License-Identifier: Apache-2.0
// The tools behind MCP, called as the protocol calls them: real policy, real sandboxes, no wire.
#include "tools/mcp/tools/tools.h"

#include <poll.h>
#include <sys/eventfd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

#include "sandbox/base/unique_fd.h"
#include "tests/kernel/support.h"
#include "tests/support/catch.h"

using namespace wardenv;
using namespace wardenv::mcp;
using namespace wardenv::testing;
using nlohmann::json;

namespace {

constexpr const char* kOpen = R"({"version": "1", "default": "allow"})";

class FakeContext : public CallContext {
 public:
  [[nodiscard]] const Caller& caller() const override { return caller_; }
  int cancel_fd() override { return cancel_.get(); }
  [[nodiscard]] bool cancelled() const override { return false; }
  [[nodiscard]] bool wants_progress() const override { return wants_progress_; }
  void progress(double done, std::optional<double>, std::string_view message) override {
    const std::lock_guard lock(mutex_);
    told_.emplace_back(done, message);
  }
  void log(LogLevel, std::string_view, std::string_view) override {}
  Answers ask(std::span<const InputRequest>, std::string_view) override { return {}; }
  [[nodiscard]] std::optional<std::string> resumed_state() const override { return {}; }
  [[nodiscard]] bool client_can(std::string_view) const override { return false; }

  void cancel() const { (void)::eventfd_write(cancel_.get(), 1); }

  Caller caller_{.session = "one"};
  bool wants_progress_ = false;
  std::mutex mutex_;
  std::vector<std::pair<double, std::string>> told_;

 private:
  UniqueFd cancel_{::eventfd(0, EFD_CLOEXEC)};
};

struct Served {
  ScratchFolder scratch;
  StateFolder state;
  engine::Engine engine = std::move(*engine::Engine::create());
  std::shared_ptr<engine::Gate> gate;
  std::unique_ptr<Features> tools;

  explicit Served(const std::string& policy = kOpen, std::vector<std::string> sets = {}) {
    auto opened = engine::Gate::open({.builtin_policy = policy, .state_dir = state.path(), .quota_store = "memory"});
    INFO((opened ? "" : opened.error().message + opened.error().hint));
    REQUIRE(opened);
    gate = *opened;
    auto made = open_tools({.workspaces = {scratch.path()}, .sets = std::move(sets)}, engine, *gate);
    REQUIRE(made);
    tools = std::move(*made);
  }

  void make_venv() const { REQUIRE(std::system(("/usr/bin/python3 -m venv --without-pip " + scratch.path() + "/.venv").c_str()) == 0); }

  ToolResult raw(const std::string& tool, json arguments, FakeContext& context) const {
    if (tools->lane_of(tool, context.caller()) == Lane::kUnknown) return protocol_error(-32602, "unknown");
    return tools->call_tool(tool, arguments, context);
  }

  // What a client would get: the structured object, and whether it is an error.
  json call(const std::string& tool, json arguments, FakeContext* context = nullptr) const {
    FakeContext own;
    const ToolResult result = raw(tool, std::move(arguments), context != nullptr ? *context : own);
    json object = json::parse(result.structured, nullptr, false);
    if (!object.is_object()) object = json::object();
    object["is_error"] = result.ending != Ending::kDone;
    object["unknown"] = result.ending == Ending::kProtocolError;
    return object;
  }

  json run(std::vector<std::string> args, json more = json::object(), FakeContext* context = nullptr) const {
    more["current_working_dir"] = scratch.path();
    more["command"] = args[0];
    more["args"] = std::vector<std::string>(args.begin() + 1, args.end());
    return call("run_in_venv", more, context);
  }

  [[nodiscard]] std::vector<std::string> names() const {
    std::vector<std::string> list;
    for (const Tool& tool : tools->list_tools({})) list.push_back(tool.name);
    return list;
  }
};

bool says(const json& object, const std::string& text) { return object.dump().find(text) != std::string::npos; }

}  // namespace

TEST_CASE("tools are described so that every client can read it") {
  const Served served;
  const auto tools = served.tools->list_tools({});
  CHECK(tools.size() == 16);
  for (const Tool& tool : tools) {
    INFO(tool.name);
    CHECK_FALSE(tool.title.empty());
    CHECK(tool.description.size() > 30);
    CHECK(tool.annotations.read_only != Hint::kUnset);
    CHECK(tool.annotations.open_world != Hint::kUnset);
    for (const std::string& text : {tool.input_schema, tool.output_schema}) {
      INFO(text);
      const json schema = json::parse(text, nullptr, false);
      REQUIRE(schema.is_object());
      CHECK(schema["type"] == "object");
      for (const char* word : {"anyOf", "oneOf", "allOf", "$ref", "$schema", "not", "if"}) CHECK_FALSE(schema.contains(word));
      for (const auto& [name, property] : schema["properties"].items()) CHECK(property.contains("type"));
      for (const auto& name : schema.value("required", json::array())) CHECK(schema["properties"].contains(name.get<std::string>()));
    }
    CHECK(json::parse(tool.input_schema)["additionalProperties"] == false);
  }
}

TEST_CASE("sets of tools are switched off, and hidden ones do not exist") {
  const Served files(kOpen, {"files"});
  CHECK(files.names() == std::vector<std::string>{"read_file", "write_file", "list_files"});
  CHECK(files.call("run_in_venv", json::object())["unknown"] == true);
  const Served hidden(R"({"version": "1", "default": "allow", "hide": ["run_in_venv"]})");
  const auto names = hidden.names();
  CHECK(std::count(names.begin(), names.end(), "run_in_venv") == 0);
  CHECK(std::count(names.begin(), names.end(), "start_run") == 0);   // it would be the same by another name
  CHECK(std::count(names.begin(), names.end(), "sync") == 1);
  CHECK(hidden.call("start_run", json::object())["unknown"] == true);
  engine::Gate& gate = *hidden.gate;
  engine::Engine other = std::move(*engine::Engine::create());
  auto unknown = open_tools({.workspaces = {hidden.scratch.path()}, .sets = {"everything"}}, other, gate);
  REQUIRE_FALSE(unknown);
  CHECK(unknown.error().hint.find("venv, run, packages, files, jobs") != std::string::npos);
  CHECK_FALSE(open_tools({.workspaces = {"/"}}, other, gate));
}

TEST_CASE("arguments that are wrong are told so that the call can be mended") {
  const Served served;
  const std::string here = served.scratch.path();
  const struct {
    const char* tool;
    json arguments;
    const char* words;
  } kWrong[] = {
      {"run_in_venv", json::object(), "`current_working_dir` is missing"},
      {"run_in_venv", {{"current_working_dir", 7}}, "must be a string, not a number"},
      {"run_in_venv", {{"current_working_dir", here}}, "`command` is missing"},
      {"run_in_venv", {{"current_working_dir", here}, {"command", "pytest -x"}}, "put the rest into `args`"},
      {"run_in_venv", {{"current_working_dir", here}, {"command", "x"}, {"args", "-x"}}, "must be a list of strings"},
      {"run_in_venv", {{"current_working_dir", here}, {"command", "x"}, {"args", {1}}}, "must hold strings only"},
      {"run_in_venv", {{"current_working_dir", here}, {"command", std::string("a\0b", 3)}}, "NUL"},
      {"run_in_venv", {{"current_working_dir", here}, {"command", "x"}, {"timeout_seconds", "5"}}, "whole number from 1"},
      {"run_in_venv", {{"current_working_dir", here}, {"command", "x"}, {"timeout_seconds", 0}}, "whole number from 1"},
      {"run_in_venv", {{"current_working_dir", here}, {"command", "x"}, {"cmd", "x"}}, "there is no argument `cmd`"},
      {"run_in_venv", {{"current_working_dir", "/etc"}, {"command", "x"}}, "not inside a served workspace"},
      {"run_in_venv", {{"current_working_dir", here + "/.."}, {"command", "x"}}, "leads out"},
      {"run_in_venv", {{"current_working_dir", here + "/gone"}, {"command", "x"}}, "No such file"},
      {"add_package", {{"current_working_dir", here}, {"package_name", "--index-url=http://x"}}, "option"},
      {"add_package", {{"current_working_dir", here}, {"package_name", "."}}, "path"},
      {"add_package", {{"current_working_dir", here}, {"package_name", "x"}, {"dev", "yes"}}, "true or false"},
      {"add_packages", {{"current_working_dir", here}, {"package_names", json::array()}}, "at least one"},
      {"add_packages", {{"current_working_dir", here}, {"package_names", {"ok", "git+ssh://h/x"}}}, "address"},
      {"remove_package", {{"current_working_dir", here}, {"package_name", "x>=1"}}, "more than a name"},
      {"read_file", {{"path", "/etc/passwd"}}, "not inside a served workspace"},
      {"read_file", {{"path", "x"}, {"offset", -1}}, "whole number"},
      {"write_file", {{"path", "x"}}, "`content` is missing"},
      {"write_file", {{"path", "x"}, {"content", "y"}, {"if_exists", "append"}}, "must be \"replace\" or \"fail\""},
      {"list_files", {{"depth", 99}}, "whole number from 1 to 16"},
      {"run_status", json::object(), "`run_id` is missing"},
  };
  for (const auto& wrong : kWrong) {
    const json answer = served.call(wrong.tool, wrong.arguments);
    INFO(wrong.tool << " " << wrong.arguments.dump() << "\n" << answer.dump());
    CHECK(answer["is_error"] == true);
    CHECK(answer["error"]["message"].get<std::string>().find(wrong.words) != std::string::npos);
  }
}

TEST_CASE("a command is run and reported") {
  const Served served;
  const json without = served.run({"python", "-V"});
  CHECK(without["is_error"] == true);
  CHECK(says(without, "call init first"));
  served.make_venv();
  const json good = served.run({"python", "-c", "import sys; print(sys.prefix); print(input()); sys.exit(3)"}, {{"stdin", "typed\n"}});
  INFO(good.dump());
  CHECK(good["is_error"] == false);
  CHECK(good["outcome"] == "exited");
  CHECK(good["exit_code"] == 3);
  CHECK(good["stdout"] == served.scratch.path() + "/.venv\ntyped\n");
  CHECK(good["decision"]["effect"] == "allow");
  const json missing = served.run({"no-such-program"});
  CHECK(missing["exit_code"] != 0);
  CHECK(says(missing, "no-such-program"));
  const json late = served.run({"sleep", "60"}, {{"timeout_seconds", 1}});
  CHECK(late["outcome"] == "timed_out");
  CHECK(late["is_error"] == false);
  const json more = served.run({"true"}, {{"timeout_seconds", 3600}});   // the default profile has 30 s
  CHECK(more["is_error"] == true);
  CHECK(says(more, "more than the policy grants"));
}

TEST_CASE("the working folder chooses where to start, not what can be written") {
  const Served served;
  served.make_venv();
  std::filesystem::create_directories(served.scratch.path() + "/sub/.git/hooks");
  std::filesystem::create_directories(served.scratch.path() + "/.git/hooks");
  // A folder below must not become the workspace: then what is protected in the workspace above would be left out.
  const json result = served.call("run_in_venv", {{"current_working_dir", served.scratch.path() + "/sub"},
                                                  {"command", "sh"},
                                                  {"args", {"-c", "pwd; touch ../in-workspace ../.git/hooks/x ../.venv/x; ls .."}}});
  INFO(result.dump());
  CHECK(std::filesystem::exists(served.scratch.path() + "/in-workspace"));
  CHECK_FALSE(std::filesystem::exists(served.scratch.path() + "/.git/hooks/x"));
  CHECK_FALSE(std::filesystem::exists(served.scratch.path() + "/.venv/x"));
}

TEST_CASE("code is run whatever its length, and a traceback shows its lines") {
  const Served served;
  served.make_venv();
  served.scratch.write("mine.py", "value = 7\n");
  const json good = served.call("run_python", {{"code", "# " + std::string(300'000, 'x') + "\nimport mine, sys\nprint(mine.value, __name__, sys.argv[1:])"}, {"args", {"a", "b"}}});
  INFO(good.dump().substr(0, 2000));
  CHECK(good["stdout"] == "7 __main__ ['a', 'b']\n");
  const json bad = served.call("run_python", {{"code", "def f():\n    return 1 / 0  # here\nf()\n"}});
  CHECK(bad["exit_code"] == 1);
  CHECK(says(bad, "return 1 / 0  # here"));
  CHECK(says(bad, "ZeroDivisionError"));
  CHECK_FALSE(says(bad, "linecache"));
  CHECK(served.call("run_python", {{"code", "raise SystemExit(5)"}})["exit_code"] == 5);
  CHECK(says(served.call("run_python", {{"code", "def f(:"}}), "SyntaxError"));
  CHECK(served.call("run_python", {{"code", "import pickle\nclass A: pass\nassert type(pickle.loads(pickle.dumps(A()))) is A\n"}})["exit_code"] == 0);
}

TEST_CASE("the policy speaks before anything happens") {
  const Served served(R"({"version": "1", "default": "deny", "tools": {
    "run_in_venv": {"limits": [{"counter": "c", "window": "minute", "max": 2, "scope": "grant"}]},
    "start_run": {}, "write_file": {"profile": "look"}, "list_files": {"deny_if": [{"arg": "depth", "op": "gt", "value": 1, "reason": "too deep"}]}},
    "profiles": {"look": {"access": "read-only"}}})");
  served.make_venv();
  CHECK(served.run({"true"})["exit_code"] == 0);
  CHECK(served.call("start_run", {{"current_working_dir", served.scratch.path()}, {"command", "true"}})["is_error"] == false);   // counts as one
  const json refused = served.run({"touch", "x"});
  INFO(refused.dump());
  CHECK(refused["is_error"] == true);
  CHECK(refused["outcome"] == "denied");
  CHECK(refused["decision"]["rule"] == "/tools/run_in_venv/limits/0");
  CHECK(refused["retry_after_ms"].get<int>() > 0);
  CHECK(says(refused["error"]["hint"], "try again in"));
  CHECK_FALSE(std::filesystem::exists(served.scratch.path() + "/x"));
  CHECK(served.call("start_run", {{"current_working_dir", served.scratch.path()}, {"command", "true"}})["is_error"] == true);

  const json other = served.call("read_file", {{"path", "x"}});
  CHECK(other["outcome"] == "denied");
  const json write = served.call("write_file", {{"path", "x"}, {"content", "y"}});
  CHECK(write["is_error"] == true);
  CHECK_FALSE(std::filesystem::exists(served.scratch.path() + "/x"));
  CHECK(says(served.call("list_files", {{"depth", 2}}), "too deep"));
  CHECK(served.call("list_files", json::object())["is_error"] == false);
}

TEST_CASE("a call that waits for a person says so") {
  const Served served(R"({"version": "1", "default": "allow", "tools": {"run_in_venv": {"action": "require_approval", "reason": "ask first"}}})");
  served.make_venv();
  const json waits = served.run({"touch", "x"});
  INFO(waits.dump());
  CHECK(waits["outcome"] == "approval_required");
  CHECK(waits["is_error"] == true);
  CHECK_FALSE(waits["approval_id"].get<std::string>().empty());
  CHECK(says(waits["error"]["hint"], "wardenv approvals approve"));
  CHECK_FALSE(std::filesystem::exists(served.scratch.path() + "/x"));
}

TEST_CASE("files of the workspace are written, read and listed") {
  const Served served;
  CHECK(served.call("write_file", {{"path", "src/a.txt"}, {"content", "h\u00e9llo"}})["created"] == true);
  CHECK(served.call("write_file", {{"path", "src/a.txt"}, {"content", "h\u00e9llo"}})["created"] == false);
  CHECK(served.call("write_file", {{"path", "src/a.txt"}, {"content", ""}, {"if_exists", "fail"}})["is_error"] == true);
  const json part = served.call("read_file", {{"path", "a.txt"}, {"current_working_dir", served.scratch.path() + "/src"}, {"max_bytes", 4}});
  CHECK(part["text"] == "h\u00e9l");
  CHECK(part["size"] == 6);
  CHECK(part["next_offset"] == 4);
  const json rest = served.call("read_file", {{"path", served.scratch.path() + "/src/a.txt"}, {"offset", 4}});
  CHECK(rest["text"] == "lo");
  CHECK(rest["next_offset"] == nullptr);
  served.scratch.write("bytes", std::string("\xff\0a", 3));
  CHECK(served.call("read_file", {{"path", "bytes"}})["base64"] == "/wBh");
  const json list = served.call("list_files", {{"depth", 2}});
  CHECK(list["entries"].size() == 3);
  CHECK(list["complete"] == true);
  for (const char* path : {".git/hooks/x", ".claude/settings.json", "a.pth", ".venv/x", "../x", "/etc/x"}) {
    INFO(path);
    CHECK(served.call("write_file", {{"path", path}, {"content", "x"}})["is_error"] == true);
  }
  std::filesystem::create_symlink("/etc", served.scratch.path() + "/etc");
  CHECK(served.call("read_file", {{"path", "etc/passwd"}})["is_error"] == true);
  CHECK(served.call("list_files", {{"path", "etc"}})["is_error"] == true);
  CHECK(served.call("run_in_venv", {{"current_working_dir", served.scratch.path() + "/etc"}, {"command", "x"}})["is_error"] == true);
}

TEST_CASE("a run goes on in the background, for its owner only") {
  const Served served;
  served.make_venv();
  const json started = served.call("start_run", {{"current_working_dir", served.scratch.path()},
                                                 {"command", "python"},
                                                 {"args", {"-c", "import sys, time; sys.stdout.write('one\\n'); time.sleep(60)"}}});
  INFO(started.dump());
  REQUIRE(started["is_error"] == false);
  const std::string id = started["run_id"];
  json status = served.call("run_status", {{"run_id", id}, {"wait_seconds", 20}});
  CHECK(status["stdout"] == "one\n");
  CHECK(status["state"] == "running");
  CHECK(status["report"] == nullptr);
  CHECK(served.call("list_runs", json::object())["runs"].size() == 1);

  FakeContext other;
  other.caller_.session = "two";
  CHECK(served.call("run_status", {{"run_id", id}}, &other)["is_error"] == true);
  CHECK(served.call("cancel_run", {{"run_id", id}}, &other)["is_error"] == true);
  CHECK(served.call("list_runs", json::object(), &other)["runs"].empty());

  CHECK(served.call("cancel_run", {{"run_id", id}})["is_error"] == false);
  for (int i = 0; i < 100 && status["state"] != "ended"; ++i) status = served.call("run_status", {{"run_id", id}, {"stdout_offset", 4}, {"wait_seconds", 1}});
  CHECK(status["state"] == "ended");
  CHECK(status["report"]["outcome"] == "cancelled");
  CHECK(status["stdout"] == "");
}

TEST_CASE("what runs in the background ends with its session, and with the tools") {
  Served served;
  served.make_venv();
  const std::string marker = "marker-" + std::to_string(::getpid());
  FakeContext context;
  const json arguments{{"current_working_dir", served.scratch.path()}, {"command", "sh"}, {"args", {"-c", "sleep 600; true", marker}}};
  REQUIRE(served.call("start_run", arguments, &context)["is_error"] == false);
  served.tools->session_ended("one");
  CHECK(gone(marker));
  REQUIRE(served.call("start_run", arguments, &context)["is_error"] == false);
  served.tools.reset();
  CHECK(gone(marker));
}

TEST_CASE("a call is cancelled, with everything in it") {
  const Served served;
  served.make_venv();
  FakeContext context;
  std::thread canceller([&] {
    for (int i = 0; i < 1000 && !std::filesystem::exists(served.scratch.path() + "/ready"); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    context.cancel();
  });
  const std::string marker = "cancelled-" + std::to_string(::getpid());
  const json report = served.run({"sh", "-c", "touch ready; sleep 600 & sleep 600; true", marker}, json::object(), &context);
  canceller.join();
  CHECK(report["outcome"] == "cancelled");
  CHECK(gone(marker));
}

TEST_CASE("progress comes at once, and then with the last line of output") {
  const Served served;
  served.make_venv();
  FakeContext context;
  context.wants_progress_ = true;
  REQUIRE(served.run({"sh", "-c", "echo working on it; sleep 4"}, json::object(), &context)["exit_code"] == 0);
  REQUIRE(context.told_.size() >= 2);
  CHECK(context.told_[0].first < context.told_[1].first);
  CHECK(context.told_[1].second == "working on it");
  FakeContext quiet;
  served.run({"true"}, json::object(), &quiet);
  CHECK(quiet.told_.empty());
}

TEST_CASE("an environment is made and described") {
  const Served served;
  const json before = served.call("describe_environment", json::object());
  CHECK(before["venv"]["exists"] == false);
  const json made = served.call("init", {{"current_working_dir", served.scratch.path()}});
  INFO(made.dump());
  CHECK(made["ok"] == true);
  CHECK(made["created"] == true);
  const json after = served.call("describe_environment", json::object());
  CHECK(after["venv"]["exists"] == true);
  const json list = served.call("list_packages", json::object());
  INFO(list.dump());
  CHECK(says(list["packages"], "\"pip\""));
}
