// SPDX-License-Identifier: Apache-2.0
// The engine's side of the launcher: a datagram socket talks to it. launcher_start.cc starts it.
#include "sandbox/launcher_client.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "sandbox/plan_wire.h"

namespace wardenv::sandbox {

struct LauncherClient::Impl {
  UniqueFd socket;
  int pid = -1;
  bool apart = false;

  ~Impl() {
    socket.reset();
    wait();
  }

  void wait() {
    pid_t got = -1;
    do got = pid > 0 ? ::waitpid(pid, nullptr, 0) : pid;
    while (got < 0 && pid > 0 && errno == EINTR);
    pid = -1;
  }
};

LauncherClient::LauncherClient(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
LauncherClient::LauncherClient(LauncherClient&&) noexcept = default;
LauncherClient& LauncherClient::operator=(LauncherClient&&) noexcept = default;
LauncherClient::~LauncherClient() = default;

void LauncherClient::dismiss() { impl_->socket.reset(); }
void LauncherClient::wait() { impl_->wait(); }

int LauncherClient::pid() const { return impl_->pid; }

Result<LauncherEnds> make_ends() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) return fail_errno(ErrorCode::kHost, "socketpair");
  UniqueFd theirs(ends[1]);
  LauncherEnds made{above_stdio(UniqueFd(ends[0])), above_stdio(std::move(theirs))};
  if (!made.ours.valid() || !made.theirs.valid()) return fail_errno(ErrorCode::kHost, "F_DUPFD_CLOEXEC");
  return made;
}

Status tell_sender(const UniqueFd& theirs) {
  const int on = 1;
  if (::setsockopt(theirs.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof on) < 0) return fail_errno(ErrorCode::kHost, "SO_PASSCRED");
  return {};
}

LauncherClient LauncherClient::adopt(UniqueFd socket, int pid, bool apart) {
  auto impl = std::make_unique<Impl>();
  impl->socket = std::move(socket);
  impl->pid = pid;
  impl->apart = apart;
  return LauncherClient(std::move(impl));
}

namespace {

Status send_plan(int socket, const std::vector<std::uint8_t>& plan, const std::vector<int>& fds) {
  std::vector<char> control(CMSG_SPACE(fds.size() * sizeof(int)));
  iovec data{const_cast<std::uint8_t*>(plan.data()), plan.size()};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = static_cast<decltype(message.msg_controllen)>(control.size());   // its type differs between C libraries
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = static_cast<decltype(header->cmsg_len)>(CMSG_LEN(fds.size() * sizeof(int)));
  std::memcpy(CMSG_DATA(header), fds.data(), fds.size() * sizeof(int));
  ssize_t done = 0;
  do done = ::sendmsg(socket, &message, MSG_NOSIGNAL);
  while (done < 0 && errno == EINTR);
  if (done < 0) return fail_errno(ErrorCode::kLauncher, "the launcher is gone", "somebody, or a limit of ours (`ulimit -a`), ended it: run it again");
  return {};
}

// Over a new control socket the launcher only answers, or it takes orders of ours, too: the rest of a plan, or that a run may be entered.
enum class Control { kAnswers, kTakesOrders };

// The other end of the control socket goes along as the first descriptor.
Result<UniqueFd> send_with_control(int socket, const std::vector<std::uint8_t>& plan, std::vector<int> fds, Control kind) {
  auto ends = make_ends();
  if (!ends) return tl::unexpected(ends.error());
  if (kind == Control::kTakesOrders) WARDENV_TRY(tell_sender(ends->theirs));
  fds.insert(fds.begin(), ends->theirs.get());
  WARDENV_TRY(send_plan(socket, plan, fds));
  return std::move(ends->ours);
}

// Until it has the run, the launcher is where we are, who are about to wait.
void lend_cpu(int launcher) {
  const int here = ::sched_getcpu();
  if (here < 0 || here >= CPU_SETSIZE) return;
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  CPU_SET(static_cast<std::size_t>(here), &cpus);
  ::sched_setaffinity(launcher, sizeof cpus, &cpus);
}

std::vector<int> in_order(const LaunchFds& fds) {
  std::vector<int> order{fds.in, fds.out, fds.err};
  order.insert(order.end(), fds.slots.begin(), fds.slots.end());
  return order;
}

}  // namespace

Result<UniqueFd> LauncherClient::submit(const std::vector<std::uint8_t>& plan, const LaunchFds& fds) const {
  if (impl_->apart) lend_cpu(impl_->pid);
  const bool held = reinterpret_cast<const wire::PlanHeader*>(plan.data())->held != 0;
  return send_with_control(impl_->socket.get(), plan, in_order(fds), held ? Control::kTakesOrders : Control::kAnswers);
}

Result<UniqueFd> LauncherClient::prepare(const std::vector<std::uint8_t>& early_plan, const std::vector<int>& slots) const {
  return send_with_control(impl_->socket.get(), early_plan, slots, Control::kTakesOrders);
}

Status LauncherClient::submit_to(const UniqueFd& control, const std::vector<std::uint8_t>& plan, const LaunchFds& fds) const {
  if (impl_->apart) lend_cpu(impl_->pid);
  return send_plan(control.get(), plan, in_order(fds));
}

bool LauncherClient::let_in(const UniqueFd& control) {
  ssize_t done = 0;
  do done = ::send(control.get(), &wire::kGo, sizeof wire::kGo, MSG_NOSIGNAL);
  while (done < 0 && errno == EINTR);
  return done == sizeof wire::kGo;
}

Result<std::string> find_launcher() {
  char self[4096];
  const ssize_t length = ::readlink("/proc/self/exe", self, sizeof self - 1);
  if (length < 0) return fail_errno(ErrorCode::kHost, "cannot read /proc/self/exe", "mount /proc");
  const std::string program(self, static_cast<std::size_t>(length));
  const std::string folder = program.substr(0, program.rfind('/'));
  for (const char* place : {"/wardenv-launcher", "/../libexec/wardenv/wardenv-launcher"}) {
    if (::access((folder + place).c_str(), X_OK) == 0) return folder + place;
  }
  return fail(ErrorCode::kHost, "wardenv-launcher is not installed beside `" + program + "`", "install wardenv again, with `cmake --install`");
}

}  // namespace wardenv::sandbox
