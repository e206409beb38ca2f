// SPDX-License-Identifier: Apache-2.0
// What a request of a connection asks for: who may ask, which path, which method.
#include <nlohmann/json.hpp>

#include "tools/mcp/core.h"
#include "tools/mcp/http_connection.h"
#include "tools/mcp/message.h"

namespace wardenv::mcp {
namespace {

namespace http = boost::beast::http;

constexpr const char* kMetadataPath = "/.well-known/oauth-protected-resource";

std::string_view view(boost::beast::string_view text) { return {text.data(), text.size()}; }

// What the protocol checks against the body. A header that comes twice means two things to two readers: it matches nothing.
class HeadOfRequest : public Headers {
 public:
  explicit HeadOfRequest(const http::fields& fields) : fields_(fields) {}
  [[nodiscard]] std::string_view find(std::string_view name) const override {
    const auto range = fields_.equal_range(boost::beast::string_view(name.data(), name.size()));
    if (range.first == range.second) return {};
    if (std::next(range.first) != range.second) return "\x01 given twice";
    return view(range.first->value());
  }

 private:
  const http::fields& fields_;
};

}  // namespace

bool Connection::admit() {
  if (!host_allowed(field("Host"), shared_.origins)) return refuse(403, "this Host is not served here"), false;
  if (!origin_allowed(field("Origin"), shared_.origins)) return refuse(403, "this Origin is not allowed: `--allow-origin` adds one"), false;
  const std::string_view path = view(parser_->get().target());
  const bool open_to_all = path == "/healthz" || path.starts_with(kMetadataPath) || parser_->get().method() == http::verb::options;
  grant_ = shared_.options.default_grant;
  if (!shared_.asks_for_tokens() || open_to_all) return true;
  const auto token = bearer_of(field("Authorization"));
  const auto grant = token ? shared_.options.grant_of_token(*token) : std::nullopt;
  if (!grant) return challenge(token ? "invalid_token" : ""), false;
  grant_ = *grant;
  return true;
}

void Connection::request_arrived() {
  if (!head_checked_) {
    head_arrived();
    if (responding_ || answered_) return;
  }
  responding_ = true;
  std::string_view path = view(parser_->get().target());
  path = path.substr(0, path.find('?'));
  if (path == shared_.options.path) return handle_mcp();
  if (parser_->get().method() == http::verb::get) return handle_get(path);
  refuse(404, "nothing is here; the MCP endpoint is " + shared_.options.path);
}

void Connection::handle_get(std::string_view path) {
  if (path == "/healthz") return respond(200, "text/plain", shared_.stopping ? "stopping\n" : "ok\n", {});
  if (path == "/metrics" && shared_.options.metrics) return respond(200, "text/plain; version=0.0.4", shared_.options.metrics(grant_), {});
  if (path == kMetadataPath || path == kMetadataPath + shared_.options.path) return metadata();
  refuse(404, "nothing is here; the MCP endpoint is " + shared_.options.path);
}

// OAuth 2.0 Protected Resource Metadata (RFC 9728). The tokens are those of the policy's grants: there is no authorization server to name.
void Connection::metadata() {
  const std::string scheme = shared_.options.tls_cert.empty() ? "http://" : "https://";
  const std::string url = scheme + std::string(field("Host")) + shared_.options.path;
  respond(200, "application/json",
          nlohmann::json{{"resource", url}, {"resource_name", shared_.options.resource_name}, {"bearer_methods_supported", {"header"}}}.dump(),
          "Cache-Control: max-age=3600\r\n" + cors());
}

void Connection::challenge(std::string_view error) {
  const std::string scheme = shared_.options.tls_cert.empty() ? "http://" : "https://";
  std::string head = "WWW-Authenticate: Bearer resource_metadata=\"" + scheme + std::string(field("Host")) + kMetadataPath + shared_.options.path + "\"";
  if (!error.empty()) head.append(", error=\"").append(error).append("\"");
  refuse(401, error.empty() ? "a bearer token is needed: one of the policy's grants" : "this token is nobody's", head + "\r\n");
}

void Connection::handle_mcp() {
  const http::verb verb = parser_->get().method();
  if (verb == http::verb::post) return post();
  if (verb == http::verb::options) return preflight();
  const bool session = !field("Mcp-Session-Id").empty() && field("MCP-Protocol-Version") != kModernVersion;
  if (session && verb == http::verb::get) return open_standing();
  if (session && verb == http::verb::delete_) return end_session();
  refuse(405, "only POST; GET and DELETE need the Mcp-Session-Id of a session", "Allow: POST\r\n");
}

void Connection::post() {
  if (!is_json(field("Content-Type"))) return refuse(415, "Content-Type must be application/json");
  const std::string_view accept = field("Accept");
  const bool any = accept.empty() || accepts(accept, "*/*") || accepts(accept, "application/*");
  const bool events = accepts(accept, "text/event-stream");
  if (!any && !events && !accepts(accept, "application/json")) return refuse(406, "Accept must list application/json and text/event-stream");
  sink_ = std::make_shared<HttpSink>(shared_.io, shared_from_this(), events, cors());
  const std::string session(field("Mcp-Session-Id"));
  const auto channel = session.empty() ? nullptr : shared_.server.session(session, grant_);
  if (channel) {
    const auto opened = channel->opened();
    const bool primes = opened && opened->protocol_version >= "2025-11-25";
    sink_->keep_in(shared_.streams_of(session, grant_), primes ? Priming::kYes : Priming::kNo);
  }
  const HeadOfRequest head(parser_->get());
  const std::shared_ptr<HttpSink> sink = sink_;   // it may be over before this returns
  shared_.server.handle({.text = parser_->get().body(), .headers = &head, .grant = grant_, .sink = sink});
}

// GET: where a legacy session hears what belongs to no request, or takes up a stream that was cut (2025-11-25, "Listening for Messages").
void Connection::open_standing() {
  if (!accepts(field("Accept"), "text/event-stream")) return refuse(406, "Accept must list text/event-stream");
  const std::string session(field("Mcp-Session-Id"));
  const auto channel = shared_.server.session(session, grant_);
  if (!channel) return refuse(404, "no such session");
  channel->touch();
  SessionStreams& streams = shared_.streams_of(session, grant_);
  if (const std::string_view last = field("Last-Event-ID"); !last.empty()) {
    EventId id;
    stream_ = parse_event_id(last, id) ? streams.find(id.stream) : nullptr;
    if (!stream_) return refuse(400, "Last-Event-ID is none that this session still has");
    return stream_->resume(shared_from_this(), id.sequence);
  }
  const auto opened = channel->opened();
  stream_ = streams.make(opened && opened->protocol_version >= "2025-11-25" ? Priming::kYes : Priming::kNo);
  streams.set_standing(stream_);
  channel->set_standing(std::make_shared<StandingSink>(shared_.io, stream_));
  stream_->attach(shared_from_this(), cors());
}

void Connection::end_session() {
  const std::string session(field("Mcp-Session-Id"));
  if (!shared_.server.end_session(session, grant_)) return refuse(404, "no such session");
  if (const auto at = shared_.sessions.find(session); at != shared_.sessions.end()) at->second.close();
  respond(200, {}, {}, cors());
}

void Connection::preflight() {
  respond(204, {}, {},
          cors() + "Access-Control-Allow-Methods: POST, GET, DELETE\r\nAccess-Control-Max-Age: 600\r\n"
                   "Access-Control-Allow-Headers: Authorization, Content-Type, Last-Event-ID, MCP-Protocol-Version, Mcp-Method, Mcp-Name, Mcp-Session-Id\r\n");
}

// Only for an origin that was checked before.
std::string Connection::cors() const {
  const std::string origin(field("Origin"));
  if (origin.empty()) return {};
  return "Access-Control-Allow-Origin: " + origin + "\r\nAccess-Control-Expose-Headers: Mcp-Session-Id, WWW-Authenticate\r\nVary: Origin\r\n";
}

}  // namespace wardenv::mcp
