// SPDX-License-Identifier: Apache-2.0
// One poll loop for each run, in the thread of the caller.
#include "engine/run_loop.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

namespace wardenv::engine {
namespace {

constexpr std::size_t kChunk = 64 * 1024;

class Loop {
 public:
  Loop(RunChannels& channels, const RunIo& io, sandbox::CgroupLeaf& leaf, Capture& out, Capture& err, OnOutputLimit on_limit)
      : channels_(channels), io_(io), out_(out), err_(err), on_limit_(on_limit), cancel_fd_(io.cancel_fd), oom_fd_(leaf.oom_fd()) {}

  RunEnd run() {
    while (!over_) step();
    // Whoever could write is dead: what is in the pipes is all there will be. Bounded by the pipes' size.
    while (read_stream(channels_.out, out_, io_.on_stdout)) {}
    while (read_stream(channels_.err, err_, io_.on_stderr)) {}
    return std::move(end_);
  }

 private:
  enum Place : std::size_t { kControl, kOut, kErr, kCancel, kOom, kListening, kSource, kSink, kPlaces };

  void step() {
    std::array<pollfd, kPlaces> fds{};
    fds[kSource].fd = fds[kSink].fd = -1;
    fds[kControl] = {channels_.control.get(), POLLIN, 0};
    fds[kOut] = {channels_.out.get(), POLLIN, 0};
    fds[kErr] = {channels_.err.get(), POLLIN, 0};
    fds[kCancel] = {cancel_fd_, POLLIN, 0};
    fds[kOom] = {oom_fd_, POLLIN, 0};
    fds[kListening] = {listening_.get(), POLLIN, 0};
    if (channels_.input) {
      fds[kSource] = channels_.input->source();
      fds[kSink] = channels_.input->sink();
    }
    if (::poll(fds.data(), fds.size(), -1) < 0) return;  // EINTR: again
    if (fds[kOut].revents != 0 && !read_stream(channels_.out, out_, io_.on_stdout)) channels_.out.reset();
    if (fds[kErr].revents != 0 && !read_stream(channels_.err, err_, io_.on_stderr)) channels_.err.reset();
    if (fds[kCancel].revents != 0) cancel(cancel_fd_, end_.cancelled);
    if (fds[kOom].revents != 0) cancel(oom_fd_, end_.out_of_memory);
    if (too_much()) cancel(cancel_fd_, end_.output_exceeded);
    if (fds[kListening].revents != 0) channels_.proxy->serve(std::exchange(listening_, {}));   // the first connection
    if ((fds[kSource].revents | fds[kSink].revents) != 0 && !channels_.input->pass_on()) give_up_input();
    if (fds[kControl].revents != 0) read_event();
  }

  // A command must not take half of its input for all of it.
  void give_up_input() {
    end_.input_errno = errno;
    channels_.input.reset();
    send_cancel();
  }

  void send_cancel() const { (void)::send(channels_.control.get(), "c", 1, MSG_NOSIGNAL); }

  [[nodiscard]] bool too_much() const {
    return on_limit_ == OnOutputLimit::kKill && !end_.output_exceeded && (out_.over_limit() || err_.over_limit());
  }

  // One byte to the launcher: it kills the run and then tells of its end as always.
  void cancel(int& fd, bool& reason) {
    fd = -1;
    reason = true;
    send_cancel();
  }

  // False where nothing more will come. The pipe does not block.
  bool read_stream(const UniqueFd& fd, Capture& capture, const OutputSink& sink) {
    if (!fd.valid()) return false;
    const ssize_t got = ::read(fd.get(), buffer_.get(), kChunk);
    if (got < 0) return errno == EINTR;
    if (got == 0) return false;
    const std::string_view chunk(buffer_.get(), static_cast<std::size_t>(got));
    capture.add(chunk);
    if (sink) sink(chunk);
    return true;
  }

  // One event, and the descriptor that came with it, if one did.
  ssize_t receive(wire::Event& event, UniqueFd& socket) const {
    iovec data{&event, sizeof event};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const ssize_t got = ::recvmsg(channels_.control.get(), &message, MSG_CMSG_CLOEXEC);
    const cmsghdr* header = got > 0 ? CMSG_FIRSTHDR(&message) : nullptr;
    if (header == nullptr || header->cmsg_type != SCM_RIGHTS) return got;
    int fd = -1;
    std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
    socket = above_stdio(UniqueFd(fd));
    return got;
  }

  void read_event() {
    wire::Event event{};
    UniqueFd socket;
    const ssize_t got = receive(event, socket);
    // What the launcher had not read when it closed its end is told before what it had said.
    if (got < 0 && (errno == EINTR || errno == ECONNRESET)) return;
    if (got != static_cast<ssize_t>(sizeof event)) {
      end_.launcher_died = over_ = true;
      return;
    }
    if (event.kind == wire::EventKind::kListening) {
      if (channels_.proxy != nullptr) listening_ = std::move(socket);
      return;
    }
    if (event.kind == wire::EventKind::kDenied) {
      end_.denied.push_back({event.number, event.count, {event.args[0], event.args[1], event.args[2]}});
      return;
    }
    end_.last = event;
    over_ = true;
  }

  RunChannels& channels_;
  const RunIo& io_;
  Capture& out_;
  Capture& err_;
  OnOutputLimit on_limit_;
  int cancel_fd_;
  int oom_fd_;
  std::unique_ptr<char[]> buffer_ = std::make_unique_for_overwrite<char[]>(kChunk);
  UniqueFd listening_;   // until somebody connects
  bool over_ = false;
  RunEnd end_;
};

}  // namespace

bool leaves_group(const RunEnd& end) {
  if (end.launcher_died || end.out_of_memory || end.cancelled || end.output_exceeded || end.cgroup.peak_processes > 1) return false;
  return end.last.kind == wire::EventKind::kEnded && end.last.cause == wire::Cause::kOwn && end.last.have_status != 0;
}

RunEnd run_to_end(RunChannels& channels, const RunIo& io, sandbox::CgroupLeaf& leaf, Capture& out, Capture& err, OnOutputLimit on_limit) {
  RunEnd end = Loop(channels, io, leaf, out, err, on_limit).run();
  end.cgroup = leaf.usage();
  if (end.cgroup.oom_kills > 0) end.out_of_memory = true;
  // A command that wrote its last byte too much and ended by itself had it all the same.
  if (on_limit == OnOutputLimit::kKill && (out.over_limit() || err.over_limit())) end.output_exceeded = true;
  return end;
}

}  // namespace wardenv::engine
