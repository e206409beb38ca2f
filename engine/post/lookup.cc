// SPDX-License-Identifier: Apache-2.0
// getaddrinfo(3) knows no deadline: it works in a thread of its own, which nobody waits for longer than that.
#include "engine/post/lookup.h"

#include <netdb.h>

#include <algorithm>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "engine/cancel.h"

namespace wardenv::engine::post {
namespace {

using boost::asio::ip::tcp;
using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kLookAgain{25};   // how soon a wait hears that it was cancelled

struct Lookup {
  std::mutex mutex{};
  std::condition_variable done{};
  std::optional<Endpoints> found{};
};

Endpoints ask_system(const std::string& host, const std::string& port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* list = nullptr;
  Endpoints found;
  if (::getaddrinfo(host.c_str(), port.c_str(), &hints, &list) != 0) return found;
  for (const addrinfo* one = list; one != nullptr; one = one->ai_next) {
    tcp::endpoint endpoint;
    if (one->ai_addrlen > endpoint.capacity()) continue;
    std::copy_n(reinterpret_cast<const char*>(one->ai_addr), one->ai_addrlen, reinterpret_cast<char*>(endpoint.data()));
    endpoint.resize(one->ai_addrlen);
    found.push_back(endpoint);
  }
  ::freeaddrinfo(list);
  return found;
}

}  // namespace

Deadline next_look(Deadline deadline, int cancel_fd) { return cancel_fd < 0 ? deadline : std::min(deadline, Clock::now() + kLookAgain); }

Result<Endpoints> look_up(const Url& url, Deadline deadline, int cancel_fd) {
  boost::system::error_code not_numeric;
  const auto address = boost::asio::ip::make_address(url.host, not_numeric);
  if (!not_numeric) return Endpoints{{address, static_cast<std::uint16_t>(std::stoul(url.port))}};
  const auto lookup = std::make_shared<Lookup>();
  std::thread([lookup, url] {
    Endpoints found = ask_system(url.host, url.port);
    const std::scoped_lock lock(lookup->mutex);
    lookup->found = std::move(found);
    lookup->done.notify_one();
  }).detach();
  std::unique_lock lock(lookup->mutex);
  while (!lookup->found && Clock::now() < deadline && !is_cancelled(cancel_fd)) lookup->done.wait_until(lock, next_look(deadline, cancel_fd));
  if (!lookup->found) return fail(ErrorCode::kHost, "took too long: its name was not resolved");
  if (lookup->found->empty()) return fail(ErrorCode::kHost, "has a name that can't be resolved");
  return std::move(*lookup->found);
}

}  // namespace wardenv::engine::post
