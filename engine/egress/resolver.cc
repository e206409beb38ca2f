// SPDX-License-Identifier: Apache-2.0
#include "engine/egress/resolver.h"

#include <netdb.h>
#include <netinet/in.h>
#include <resolv.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <system_error>
#include <thread>
#include <unordered_map>
#include <utility>

#include "engine/egress/sockets.h"
#include "sandbox/base/unique_fd.h"

namespace wardenv::engine {
namespace {

constexpr std::size_t kThreads = 4, kMaxWaiting = 8192, kMaxAddresses = 16;
// Name servers that never answer must not pile up threads, however many runs ask. Each run may have its first thread whatever other runs
// wait for: those are counted apart from the others, which are shared.
constexpr std::size_t kMaxFirstThreads = 512, kMaxMoreThreads = 64;
std::atomic<std::size_t> first_threads = 0, more_threads = 0;

// A thread that counts, until its end.
class ThreadShare {
 public:
  ThreadShare(std::atomic<std::size_t>& count, std::size_t most) : count_(&count), had_(count.fetch_add(1) < most) {}
  ThreadShare(ThreadShare&& other) noexcept : count_(std::exchange(other.count_, nullptr)), had_(other.had_) {}
  ThreadShare(const ThreadShare&) = delete;
  ThreadShare& operator=(const ThreadShare&) = delete;
  ThreadShare& operator=(ThreadShare&&) = delete;
  ~ThreadShare() {
    if (count_ != nullptr) count_->fetch_sub(1);
  }
  [[nodiscard]] bool had() const { return had_; }

 private:
  std::atomic<std::size_t>* count_;
  bool had_;
};

// No way leads there, so it is not here: an address of this host has one always.
bool is_unreachable(int error) { return error == ENETUNREACH || error == EHOSTUNREACH || error == EAFNOSUPPORT; }

// Of this thread alone: a name with dots is asked for as it is, and never again below the host's search domains (resolv.conf(5)), where it
// would be another name than the one that was allowed.
bool set_up_resolver() {
  if (::res_init() != 0) return false;
  _res.options &= ~static_cast<unsigned long>(RES_DNSRCH);
  return true;
}

Resolution resolve(const std::string& host) {
  Resolution answer{.asked_by = 0, .host = host, .addresses = {}, .why = {}};
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
  std::deque<std::string> questions;                                    // that no thread has taken yet
  std::unordered_map<std::string, std::vector<std::uint64_t>> askers;   // of these and of those that are being asked
  std::size_t waiting = 0;                                              // askers, all in all
  std::vector<Resolution> answers;
  std::size_t threads = 0;
  std::size_t idle = 0;
  bool stop = false;
  UniqueFd wake_fd;

  void work() {
    bool ready = set_up_resolver();
    std::unique_lock lock(mutex);
    for (;;) {
      ++idle;
      wake.wait(lock, [&] { return stop || !questions.empty(); });
      --idle;
      if (stop) return;
      const std::string host = std::move(questions.front());
      questions.pop_front();
      lock.unlock();
      ready = ready || set_up_resolver();
      Resolution answer = ready ? resolve(host) : Resolution{.asked_by = 0, .host = host, .addresses = {}, .why = "the system's resolver can't be set up"};
      lock.lock();
      if (stop) return;
      tell(std::move(answer));
    }
  }

  // Everybody who asks for the name, once.
  void tell(Resolution answer) {
    const auto found = askers.find(answer.host);
    if (found == askers.end()) return;
    for (const std::uint64_t asker : found->second) {
      answer.asked_by = asker;
      answers.push_back(answer);
    }
    waiting -= found->second.size();
    askers.erase(found);
    const std::uint64_t one = 1;
    (void)!::write(wake_fd.get(), &one, sizeof one);
  }

  // False where the host has no thread to give.
  static bool start(const std::shared_ptr<State>& state) {
    const bool first = state->threads == 0;
    ThreadShare share(first ? first_threads : more_threads, first ? kMaxFirstThreads : kMaxMoreThreads);
    if (!share.had()) return false;
    try {
      std::thread([state, share = std::move(share)] { state->work(); }).detach();
    } catch (const std::system_error&) {
      return false;
    }
    ++state->threads;
    return true;
  }
};

Owner owner_of(const IpAddress& address) {
  const SocketAddress target = to_sockaddr(address, 9);
  const UniqueFd fd(::socket(target.family(), SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd.valid() || ::connect(fd.get(), target.get(), target.length) < 0) return is_unreachable(errno) ? Owner::kOther : Owner::kUnknown;
  SocketAddress source;
  source.length = sizeof source.storage;
  if (::getsockname(fd.get(), source.get(), &source.length) < 0) return Owner::kUnknown;
  return from_sockaddr(source.get()) == address ? Owner::kThisHost : Owner::kOther;
}

Resolver::Resolver(int wake_fd) : state_(std::make_shared<State>()) { state_->wake_fd.reset(::fcntl(wake_fd, F_DUPFD_CLOEXEC, 3)); }

Resolver::~Resolver() {
  const std::lock_guard lock(state_->mutex);
  state_->stop = true;
  state_->wake.notify_all();
}

// A name that is being asked for already is not asked for again: it would hold one more thread for the same answer.
bool Resolver::ask(std::uint64_t asked_by, const std::string& host) {
  State& state = *state_;
  const std::lock_guard lock(state.mutex);
  if (state.waiting >= kMaxWaiting) return false;
  const bool known = state.askers.contains(host);
  if (!known && state.idle <= state.questions.size() && state.threads < kThreads && !State::start(state_) && state.threads == 0) return false;
  state.askers[host].push_back(asked_by);
  ++state.waiting;
  if (known) return true;
  state.questions.push_back(host);
  state.wake.notify_one();
  return true;
}

std::vector<Resolution> Resolver::take_answers() {
  const std::lock_guard lock(state_->mutex);
  return std::exchange(state_->answers, {});
}

}  // namespace wardenv::engine
