// SPDX-License-Identifier: Apache-2.0
// One thread reads and watches; whoever has an answer writes it.
#include "tools/mcp/stdio.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <thread>

#include "tools/mcp/line_io.h"
#include "tools/mcp/message.h"
#include "tools/mcp/request_state.h"

namespace wardenv::mcp {
namespace {

constexpr auto kLastAnswers = std::chrono::milliseconds(250);   // for what is nearly done as the input ends
constexpr auto kPatience = std::chrono::milliseconds(600);
constexpr std::size_t kChunk = 65536;

class LineSink : public Sink {
 public:
  LineSink(LineWriter& writer, std::size_t max_backlog) : writer_(writer), max_backlog_(max_backlog) {}
  // A client that does not read loses notifications, never answers.
  bool send(std::string message) override {
    make_one_line(message);
    if (writer_.backlog() < max_backlog_) writer_.write(std::move(message));
    return !writer_.broken();
  }
  void finish(std::string message, int) override {
    make_one_line(message);
    writer_.write(std::move(message));
  }
  void abandon() override {}

 private:
  LineWriter& writer_;
  const std::size_t max_backlog_;
};

// A pipe or socket is ours alone; a terminal's flags are shared with whoever started us, and stay as they are.
void set_nonblocking(int fd) {
  struct stat info{};
  if (fstat(fd, &info) == 0 && (S_ISFIFO(info.st_mode) || S_ISSOCK(info.st_mode))) fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

class Session {
 public:
  Session(Server& server, const StdioWire& wire, const StdioOptions& options, int stop_fd)
      : server_(server), options_(options), in_(wire.in.get()), out_(wire.out.get()), stop_fd_(stop_fd), wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
        writer_(out_, wake_.get()), reader_(options.max_line_bytes), sink_(std::make_shared<LineSink>(writer_, options.max_backlog_bytes)),
        channel_(std::make_shared<Channel>("stdio-" + random_id(), options.grant)) {
    set_nonblocking(out_);
    channel_->set_standing(sink_);
    server_.listen_to(channel_);
  }

  StdioEnd run() {
    std::optional<StdioEnd> end;
    while (!end) end = step();
    if (*end == StdioEnd::kInput) wait_for_last_answers();
    server_.shut_down(kPatience);
    channel_->set_standing(nullptr);
    for (int i = 0; i < 10 && writer_.backlog() > 0 && !writer_.broken(); ++i) wait_for_output();
    return *end;
  }

 private:
  // Waits for something to do, and does it.
  std::optional<StdioEnd> step() {
    const std::size_t backlog = writer_.backlog();
    const short reading = backlog < options_.max_backlog_bytes ? POLLIN : 0;
    // Events 0 still tell of an error: a pipe whose reader has gone.
    std::array<pollfd, 4> fds{{{in_, reading, 0}, {out_, static_cast<short>(backlog > 0 ? POLLOUT : 0), 0}, {wake_.get(), POLLIN, 0}, {stop_fd_, POLLIN, 0}}};
    if (reading == 0) fds[0].fd = -1;   // else its end would wake us again and again
    if (poll(fds.data(), fds.size(), -1) < 0) return errno == EINTR ? std::nullopt : std::optional(StdioEnd::kStopped);
    if (fds[3].revents != 0) return StdioEnd::kStopped;
    if (fds[2].revents != 0) {
      eventfd_t count = 0;
      eventfd_read(wake_.get(), &count);
    }
    if ((fds[1].revents & POLLOUT) != 0) writer_.flush();
    if ((fds[1].revents & (POLLERR | POLLNVAL)) != 0 || writer_.broken()) return StdioEnd::kOutput;
    if (fds[0].revents != 0) return read_input();
    return std::nullopt;
  }

  std::optional<StdioEnd> read_input() {
    std::array<char, kChunk> chunk;
    const ssize_t count = read(in_, chunk.data(), chunk.size());
    if (count < 0 && (errno == EINTR || errno == EAGAIN)) return std::nullopt;
    if (count <= 0) return StdioEnd::kInput;
    reader_.add({chunk.data(), static_cast<std::size_t>(count)}, [this](LineReader::Line line, std::string_view text) { take(line, text); });
    return std::nullopt;
  }

  void take(LineReader::Line line, std::string_view text) {
    if (line == LineReader::Line::kTooLong) {
      writer_.write(error_message({}, kInvalidRequest, "a line may have " + std::to_string(options_.max_line_bytes) + " bytes at most; this one was skipped"));
      return;
    }
    while (!text.empty() && (text.back() == '\r' || text.back() == ' ')) text.remove_suffix(1);
    if (text.empty()) return;
    // A sink for each message: each can be bound to one call.
    server_.handle({.text = text, .channel = channel_, .grant = options_.grant, .sink = std::make_shared<LineSink>(writer_, options_.max_backlog_bytes)});
  }

  void wait_for_last_answers() {
    const auto until = std::chrono::steady_clock::now() + kLastAnswers;
    while (channel_->under_way() > 0 && std::chrono::steady_clock::now() < until) std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }

  void wait_for_output() {
    pollfd fd{out_, POLLOUT, 0};
    poll(&fd, 1, 10);
    writer_.flush();
  }

  Server& server_;
  const StdioOptions& options_;
  const int in_;
  const int out_;
  const int stop_fd_;
  UniqueFd wake_;
  LineWriter writer_;
  LineReader reader_;
  std::shared_ptr<LineSink> sink_;
  std::shared_ptr<Channel> channel_;
};

}  // namespace

// Closed ones are held by a descriptor that is open for nothing.
bool is_open_for(int fd, int access) {
  const int flags = fcntl(fd, F_GETFL);
  return flags >= 0 && (flags & O_PATH) == 0 && ((flags & O_ACCMODE) == O_RDWR || (flags & O_ACCMODE) == access);
}

Result<StdioWire> take_stdio() {
  if (!is_open_for(0, O_RDONLY) || !is_open_for(1, O_WRONLY)) return fail(ErrorCode::kBadInput, "standard input and output must be open", "start it as an MCP client does, or serve over --http");
  StdioWire wire{UniqueFd(fcntl(0, F_DUPFD_CLOEXEC, 10)), UniqueFd(fcntl(1, F_DUPFD_CLOEXEC, 10))};
  if (!wire.in.valid() || !wire.out.valid()) return fail_errno(ErrorCode::kHost, "standard input and output");
  const UniqueFd null(open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (!null.valid() || dup2(null.get(), 0) < 0 || dup2(2, 1) < 0) return fail_errno(ErrorCode::kHost, "putting /dev/null in the place of standard input");
  return wire;
}

// Whoever still runs as this returns may write to the session's sinks: so it is never freed. The process is about to end.
StdioEnd serve_stdio(Server& server, const StdioWire& wire, const StdioOptions& options, int stop_fd) {
  return (new Session(server, wire, options, stop_fd))->run();
}

}  // namespace wardenv::mcp
