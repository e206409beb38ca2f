// SPDX-License-Identifier: Apache-2.0
#include "engine/egress/resolver.h"

#include <netdb.h>
#include <netinet/in.h>
#include <resolv.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

#include "engine/egress/sockets.h"
#include "sandbox/base/unique_fd.h"

namespace wardenv::engine {
namespace {

constexpr std::size_t kThreads = 4, kMaxWaiting = 512, kMaxAddresses = 16;
constexpr std::size_t kMaxThreadsOfProcess = 64;   // name servers that never answer must not pile up threads, however many runs ask
std::atomic<std::size_t> threads_of_process = 0;

Resolution resolve(std::uint64_t asked_by, const std::string& host) {
  Resolution answer{.asked_by = asked_by, .host = host, .addresses = {}, .why = {}};
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_family = AF_UNSPEC;
  addrinfo* list = nullptr;
  const int error = ::getaddrinfo(host.c_str(), nullptr, &hints, &list);
  if (error != 0) {
    answer.why = ::gai_strerror(error);
    return answer;
  }
  for (const addrinfo* item = list; item != nullptr && answer.addresses.size() < kMaxAddresses; item = item->ai_next) {
    if (const auto address = from_sockaddr(item->ai_addr)) answer.addresses.push_back({*address, owner_of(*address)});
  }
  ::freeaddrinfo(list);
  if (answer.addresses.empty()) answer.why = "no address";
  return answer;
}

}  // namespace

struct Resolver::State {
  std::mutex mutex;
  std::condition_variable wake;
  std::deque<std::pair<std::uint64_t, std::string>> questions;
  std::vector<Resolution> answers;
  std::size_t threads = 0;
  std::size_t idle = 0;
  bool stop = false;
  UniqueFd wake_fd;

  void work() {
    // Of this thread alone: a name with dots is asked for as it is, and never again below the host's search domains (resolv.conf(5)), where it
    // would be another name than the one that was allowed.
    if (::res_init() == 0) _res.options &= ~static_cast<unsigned long>(RES_DNSRCH);
    std::unique_lock lock(mutex);
    for (;;) {
      ++idle;
      wake.wait(lock, [&] { return stop || !questions.empty(); });
      --idle;
      if (stop) return;
      const auto [asked_by, host] = std::move(questions.front());
      questions.pop_front();
      lock.unlock();
      Resolution answer = resolve(asked_by, host);
      lock.lock();
      if (stop) return;
      answers.push_back(std::move(answer));
      const std::uint64_t one = 1;
      (void)!::write(wake_fd.get(), &one, sizeof one);
    }
  }
};

Owner owner_of(const IpAddress& address) {
  const SocketAddress target = to_sockaddr(address, 9);
  const UniqueFd fd(::socket(target.family(), SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd.valid() || ::connect(fd.get(), target.get(), target.length) < 0) return Owner::kOther;
  SocketAddress source;
  source.length = sizeof source.storage;
  if (::getsockname(fd.get(), source.get(), &source.length) < 0) return Owner::kOther;
  return from_sockaddr(source.get()) == address ? Owner::kThisHost : Owner::kOther;
}

Resolver::Resolver(int wake_fd) : state_(std::make_shared<State>()) { state_->wake_fd.reset(::fcntl(wake_fd, F_DUPFD_CLOEXEC, 3)); }

Resolver::~Resolver() {
  const std::lock_guard lock(state_->mutex);
  state_->stop = true;
  state_->wake.notify_all();
}

bool Resolver::ask(std::uint64_t asked_by, const std::string& host) {
  const std::lock_guard lock(state_->mutex);
  if (state_->questions.size() >= kMaxWaiting) return false;
  state_->questions.emplace_back(asked_by, host);
  state_->wake.notify_one();
  if (state_->idle >= state_->questions.size() || state_->threads >= kThreads) return true;
  if (threads_of_process.fetch_add(1) >= kMaxThreadsOfProcess) {
    threads_of_process.fetch_sub(1);
    if (state_->threads > 0) return true;
    state_->questions.pop_back();
    return false;
  }
  try {
    std::thread([state = state_] {
      state->work();
      threads_of_process.fetch_sub(1);
    }).detach();
    ++state_->threads;
    return true;
  } catch (const std::system_error&) {
    threads_of_process.fetch_sub(1);
    if (state_->threads > 0) return true;
    state_->questions.pop_back();
    return false;
  }
}

std::vector<Resolution> Resolver::take_answers() {
  const std::lock_guard lock(state_->mutex);
  return std::exchange(state_->answers, {});
}

}  // namespace wardenv::engine
