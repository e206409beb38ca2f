// SPDX-License-Identifier: Apache-2.0
// One POST. The only file here that pays for Beast's headers.
#include "engine/post/post.h"

#include <boost/asio/connect.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>
#include <exception>

#include "engine/cancel.h"
#include "engine/post/lookup.h"

namespace wardenv::engine::post {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using Request = http::request<http::string_body>;

constexpr std::uint32_t kMaxHeaderBytes = 16384;

// One connection on its way. Each step ends in time, or is made to end.
struct Exchange {
  asio::io_context context{1};
  beast::tcp_stream* stream = nullptr;
  Deadline deadline{};
  int cancel_fd = -1;   // looked at now and then: asio would make it non-blocking for all who hold it

  // Runs one asynchronous operation until it is over, the deadline has passed or all was cancelled.
  template <typename Begin>
  Status step(const char* what, const Begin& begin) {
    boost::system::error_code result;
    bool done = false;
    begin([&](boost::system::error_code error, const auto&...) {
      result = error;
      done = true;
    });
    context.restart();
    while (!context.stopped() && std::chrono::steady_clock::now() < deadline && !is_cancelled(cancel_fd)) context.run_one_until(next_look(deadline, cancel_fd));
    if (!done) {
      stream->close();
      context.restart();
      context.run();
      return fail(ErrorCode::kHost, "took too long");
    }
    if (result == http::error::body_limit) return fail(ErrorCode::kHost, "gave an answer that is too long");
    return result ? fail(ErrorCode::kHost, std::string(what) + ": " + result.message()) : Status();
  }
};

Request request_for(const Url& url, const Message& message) {
  Request request(http::verb::post, url.target, 11, message.body);
  request.set(http::field::host, (url.host.find(':') == std::string::npos ? url.host : "[" + url.host + "]") + ":" + url.port);
  request.set(http::field::content_type, "application/json");
  request.set(http::field::accept, "application/json");
  request.set(http::field::user_agent, "wardenv");
  for (const Header& header : message.headers) request.set(header.name, header.value);
  request.keep_alive(false);
  request.prepare_payload();
  return request;
}

template <typename Stream>
Result<Answer> ask(Exchange& exchange, Stream& stream, const Request& request, std::size_t max_bytes) {
  WARDENV_TRY(exchange.step("can't be asked", [&](auto done) { http::async_write(stream, request, std::move(done)); }));
  beast::flat_buffer buffer(kMaxHeaderBytes + max_bytes);
  http::response_parser<http::string_body> response;
  response.header_limit(kMaxHeaderBytes);
  response.body_limit(max_bytes);
  if (max_bytes == 0) {
    response.body_limit(boost::none);   // what it announces is nothing to us
    WARDENV_TRY(exchange.step("did not answer", [&](auto done) { http::async_read_header(stream, buffer, response, std::move(done)); }));
  } else {
    WARDENV_TRY(exchange.step("did not answer", [&](auto done) { http::async_read(stream, buffer, response, std::move(done)); }));
  }
  return Answer{response.get().result_int(), std::move(response.get().body())};
}

Status connect(Exchange& exchange, const Endpoints& endpoints) {
  exchange.stream->expires_never();   // the deadline is the steps'
  return exchange.step("can't be reached", [&](auto done) { exchange.stream->async_connect(endpoints, std::move(done)); });
}

Result<Answer> send_plain(Exchange& exchange, const Endpoints& endpoints, const Request& request, std::size_t max_bytes) {
  beast::tcp_stream stream(exchange.context);
  exchange.stream = &stream;
  WARDENV_TRY(connect(exchange, endpoints));
  return ask(exchange, stream, request, max_bytes);
}

Result<Answer> send_tls(Exchange& exchange, const Url& url, const Endpoints& endpoints, const Request& request, std::size_t max_bytes) {
  asio::ssl::context tls(asio::ssl::context::tls_client);
  boost::system::error_code error;
  tls.set_default_verify_paths(error);
  tls.set_verify_mode(asio::ssl::verify_peer);
  beast::ssl_stream<beast::tcp_stream> stream(exchange.context, tls);
  exchange.stream = &beast::get_lowest_layer(stream);
  stream.set_verify_callback(asio::ssl::host_name_verification(url.host));
  if (SSL_set_tlsext_host_name(stream.native_handle(), url.host.c_str()) != 1) return fail(ErrorCode::kHost, "has a name that does not fit into TLS");
  WARDENV_TRY(connect(exchange, endpoints));
  WARDENV_TRY(exchange.step("has no good certificate", [&](auto done) { stream.async_handshake(asio::ssl::stream_base::client, std::move(done)); }));
  return ask(exchange, stream, request, max_bytes);
}

}  // namespace

Result<Answer> send(const Url& url, const Message& message, Deadline deadline, std::size_t max_bytes, int cancel_fd) try {
  const auto endpoints = look_up(url, deadline, cancel_fd);
  if (!endpoints) return tl::unexpected(endpoints.error());
  Exchange exchange{.deadline = deadline, .cancel_fd = cancel_fd};
  const Request request = request_for(url, message);
  if (url.scheme == Url::Scheme::kHttps) return send_tls(exchange, url, *endpoints, request, max_bytes);
  return send_plain(exchange, *endpoints, request, max_bytes);
} catch (const std::exception& failure) {
  return fail(ErrorCode::kHost, std::string("failed: ") + failure.what());
}

}  // namespace wardenv::engine::post
