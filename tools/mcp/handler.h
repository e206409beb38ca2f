// SPDX-License-Identifier: Apache-2.0
// What stands behind the protocol: tools, and what a handler may do while it answers. The protocol (server.h) knows no tool; a set of
// tools is a Features. JSON travels as text, or as a parsed value by reference, so that this header costs its readers nothing.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace wardenv::mcp {

// kLegacy: 2025-03-26 to 2025-11-25, opened by `initialize`. kModern: 2026-07-28, stateless.
enum class Era { kLegacy, kModern };

enum class Hint { kUnset, kNo, kYes };

// ToolAnnotations of the specification; kUnset leaves the field out.
struct Annotations {
  Hint read_only = Hint::kUnset;
  Hint destructive = Hint::kUnset;
  Hint idempotent = Hint::kUnset;
  Hint open_world = Hint::kUnset;
};

// Whether a call may be handed back as a task (extension io.modelcontextprotocol/tasks) where the client declared that it knows them. kYes: it
// becomes one at the first progress() after two seconds. kRequired: from its beginning; a client that does not know tasks is refused (-32021).
enum class LongRunning { kNo, kYes, kRequired };

struct Tool {
  std::string name;
  std::string title{};
  std::string description{};
  std::string input_schema{};    // JSON text: an object schema, 2020-12, no combinator at its root, no network $ref
  std::string output_schema{};   // the same; empty: none
  Annotations annotations{};
  LongRunning long_running = LongRunning::kNo;
};

struct Content {
  enum class Kind { kText, kImage, kAudio, kTextResource, kBlobResource, kLink };
  Kind kind = Kind::kText;
  std::string text{};        // the text; base64 of kImage, kAudio, kBlobResource; the name of kLink
  std::string mime_type{};   // empty: left out
  std::string uri{};         // resources and links only
};

// How a call ended. kFailed: `isError`, for what a model can mend. kInputRequired: see CallContext::ask. kProtocolError: `error_code` and
// `error_message` go out as a JSON-RPC error (-32602 for what is malformed; our own codes lie outside -32768..-32000).
enum class Ending { kDone, kFailed, kInputRequired, kProtocolError };

struct ToolResult {
  std::string structured{};             // JSON text of an object, or empty. With no `content` it is mirrored as one text block
  std::vector<Content> content{};
  Ending ending = Ending::kDone;
  int error_code = 0;
  std::string error_message{};
  std::string error_data{};             // JSON text, or empty
};

ToolResult text_result(std::string text);
ToolResult structured_result(std::string json_object);
ToolResult failed(std::string text);                              // isError with a text that says how to mend the call
ToolResult protocol_error(int code, std::string message);
ToolResult input_required();

enum class LogLevel { kDebug, kInfo, kNotice, kWarning, kError, kCritical, kAlert, kEmergency };

// One question to the client. `method`: elicitation/create, sampling/createMessage or roots/list; `params`: JSON text of its params.
struct InputRequest {
  std::string key;      // names it within one ask()
  std::string method;
  std::string params{};
};

// kUnsupported: the client never declared that it can answer such a thing, or no thread may wait for it now. kPending: return input_required() now; the same call comes again
// with the answers. kCancelled: the call was cancelled, or the client gone, while we waited. kFailed: the client answered with an error.
enum class AskState { kAnswered, kPending, kUnsupported, kCancelled, kFailed };

struct Answers {
  AskState state = AskState::kUnsupported;
  std::map<std::string, std::string> by_key{};   // JSON text of each result, e.g. {"action": "accept", "content": {…}}
};

// Who calls. `grant` is the policy's name for the caller. `session`: the legacy session's id; in the modern era, and over stdio, a name of
// the connection or principal that outlives a request. Neither is a secret to be shown.
struct Caller {
  std::string grant{};
  std::string session{};
  Era era = Era::kModern;
  std::string protocol_version{};
  std::string client_name{};
};

// What a running call can use. Valid until call_tool returns; thread-safe.
class CallContext {
 public:
  CallContext() = default;
  CallContext(const CallContext&) = delete;
  CallContext& operator=(const CallContext&) = delete;
  virtual ~CallContext();

  [[nodiscard]] virtual const Caller& caller() const = 0;

  // Readable as soon as the call is cancelled: by a notification, a client that went away, or the end of the server. Owned by the context.
  // Ready for engine::RunIo::cancel_fd. Made at the first call: a tool that never asks doesn't pay for it.
  virtual int cancel_fd() = 0;
  [[nodiscard]] virtual bool cancelled() const = 0;

  // Progress goes out only where the client gave a token, and only where `done` has grown; else it is dropped. At a call's begin and every
  // few seconds: clients give up after 60 s of silence. Without a token too where the call may become a task: progress() makes it one.
  [[nodiscard]] virtual bool wants_progress() const = 0;
  virtual void progress(double done, std::optional<double> total, std::string_view message) = 0;

  // A log message to the client, dropped below the level that it asked for. `data`: JSON text.
  virtual void log(LogLevel level, std::string_view logger, std::string_view data) = 0;

  // Asks the client. Legacy: sends the requests, and waits for the answers or a cancel. Modern: the answers, where this call carries them,
  // else kPending: the handler returns input_required(), and the call comes again from its beginning, with `state` in resumed_state().
  // `state` is authenticated, bound to caller, tool and arguments, good once and for ten minutes; it is not secret. With an empty one there is
  // nothing to forge, and an answer is taken as it comes: give a state wherever the answer decides something.
  virtual Answers ask(std::span<const InputRequest> requests, std::string_view state) = 0;
  [[nodiscard]] virtual std::optional<std::string> resumed_state() const = 0;
  // Whether the client declared a capability, by its path: "elicitation", "sampling", "elicitation/url".
  [[nodiscard]] virtual bool client_can(std::string_view capability) const = 0;

  // Hands the call back as a task now, and goes on: the answer will be the task's result. False: this client, or this call, has no tasks. For
  // a handler that asks first, and then takes long.
  virtual bool become_task() { return false; }

  // Polling of SEP-1699: ends the HTTP stream of this request, legacy era; the client resumes it. Elsewhere nothing.
  virtual void close_stream() {}
};

struct ServerInfo {
  std::string name;
  std::string title{};
  std::string version{};
  std::string instructions{};
};

struct Resource {
  std::string uri;          // or the URI template
  std::string name;
  std::string description{};
  std::string mime_type{};
};

struct PromptArgument {
  std::string name;
  std::string description{};
  bool required = false;
};

struct Prompt {
  std::string name;
  std::string description{};
  std::vector<PromptArgument> arguments{};
};

struct PromptMessage {
  std::string role;     // user | assistant
  Content content{};
};

struct PromptResult {
  std::vector<PromptMessage> messages{};
  Ending ending = Ending::kDone;   // kInputRequired as with tools; kProtocolError for an unknown prompt
  int error_code = 0;
  std::string error_message{};
};

// What the protocol wants to hear from the tools, from any thread. Empty ones are never called.
struct Changes {
  std::function<void()> tools{};
  std::function<void()> prompts{};
  std::function<void()> resources{};
  std::function<void(const std::string& uri)> resource_updated{};
};

// What a server offers besides tools; each switches on the capability of that name.
struct Offers {
  bool resources = false;
  bool prompts = false;
  bool completions = false;
  bool logging = true;
};

// kInline: answers within microseconds and never waits: runs on the I/O thread. kQuick: answers soon, but may read a file or wait for a lock:
// runs in a small pool of its own, never behind a long run. kWorker: runs in the pool, and may block for as long as it likes.
// kUnknown: no such tool for this caller (also: hidden from it); answered -32602.
enum class Lane { kInline, kQuick, kWorker, kUnknown };

// A set of tools. Thread-safe: called from many threads at once. Nothing here throws.
class Features {
 public:
  Features() = default;
  Features(const Features&) = delete;
  Features& operator=(const Features&) = delete;
  virtual ~Features();

  [[nodiscard]] virtual ServerInfo info() const = 0;
  [[nodiscard]] virtual Offers offers() const { return {}; }
  // Called once, before the first request; what changes later is told through `changes`.
  virtual void attach(Changes changes);

  // The tools that this caller may see, in a stable order.
  virtual std::vector<Tool> list_tools(const Caller& caller) = 0;
  virtual Lane lane_of(std::string_view tool, const Caller& caller) = 0;
  // After Changes::tools: whether that changed what the callers of this grant see, and whether there is such a grant any more.
  virtual bool tools_changed_for(const std::string& grant);
  virtual bool has_grant(const std::string& grant);
  // REQUIRES: lane_of did not say kUnknown. `arguments` is an object.
  virtual ToolResult call_tool(std::string_view tool, const nlohmann::json& arguments, CallContext& context) = 0;

  // A call of a tool for which lane_of said kUnknown was refused, for whoever keeps a log. `arguments`: any JSON. May wait, as a quick call may.
  virtual void note_unknown(std::string_view tool, const nlohmann::json& arguments, const Caller& caller);

  // Whether something that a session started goes on in the background.
  virtual bool session_has_runs(const Caller& caller);
  // A legacy session is over (ended by its client, or idle for too long): what it left running in the background should go.
  virtual void session_ended(const std::string& session);

  virtual std::vector<Resource> list_resources(const Caller& caller);
  virtual std::vector<Resource> list_resource_templates(const Caller& caller);
  virtual std::optional<Content> read_resource(std::string_view uri, const Caller& caller);   // none: no such resource
  virtual std::vector<Prompt> list_prompts(const Caller& caller);
  virtual PromptResult get_prompt(std::string_view name, const nlohmann::json& arguments, CallContext& context);
  // Values for an argument; `reference`: a prompt's name or a resource template's URI.
  virtual std::vector<std::string> complete(std::string_view reference, std::string_view argument, std::string_view value);
};

}  // namespace wardenv::mcp
