// SPDX-License-Identifier: Apache-2.0
// The sandbox's init (PID 1): starts the command, reaps orphans, relays how the command ended.
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "sandbox/launch/context.h"

namespace wardenv::launch {
namespace {

// Where descriptors sit once close_descriptors_step has run.
enum : int { kStatusFd = 3, kProcFd = 4, kFilesFd = 5, kFirstFree = 6 };

// Written by the child that shares our memory, read once it is gone.
struct ExecResult {
  int error = ENOENT;
  bool found = false;   // a file of that name exists
  bool failed = false;
};

void note_failure(ExecResult& result, const char* path) {
  bool exists = (errno != ENOENT && errno != ENOTDIR) || faccessat(AT_FDCWD, path, F_OK, 0) == 0;
  if (!exists) return;
  result.found = true;
  result.error = errno == ENOENT ? ELIBBAD : errno;  // the file is there, its interpreter is not
}

void try_exec(const char* path, char** argv, char** env, ExecResult& result) {
  syscall(SYS_execve, path, argv, env);
  note_failure(result, path);
}

bool is_that_file(const wire::PlanHeader& header, int fd) {
  struct stat status {};
  if (fstat(fd, &status) < 0) return false;
  return status.st_dev == header.program_device && status.st_ino == header.program_inode && status.st_ctim.tv_sec == header.program_changed_s &&
         status.st_ctim.tv_nsec == header.program_changed_ns;
}

// An absolute path, name by name. A symbolic link on the way is ENOTDIR, one at the end is what is opened. The filter knows no openat2(2).
int open_without_links(const char* path) {
  int at = open_file(AT_FDCWD, "/", O_PATH | O_DIRECTORY);
  while (at >= 0 && *path != '\0') {
    while (*path == '/') ++path;
    const size_t length = strcspn(path, "/");
    char name[256];
    if (length >= sizeof name) return errno = ENAMETOOLONG, -1;
    memcpy(name, path, length);
    name[length] = '\0';
    path += length;
    const int above = at;
    at = open_file(above, name, O_PATH | O_NOFOLLOW | (*path == '/' ? O_DIRECTORY : 0));
    const int error = errno;
    close(above);
    errno = error;
  }
  return at;
}

// The file that was looked up before the call was judged, and no other: what is checked is what is executed. A script can't be executed by
// a descriptor that is closed then (execveat(2), ENOENT): its interpreter opens the path, which was checked the moment before.
void exec_program(const Plan& plan, char** argv, char** env, ExecResult& result) {
  const wire::PlanHeader& header = plan.header();
  const char* path = plan.text(header.program);
  const int fd = open_without_links(path);
  if (fd < 0 && errno != ENOTDIR) return note_failure(result, path);
  result.found = true;
  if (fd < 0 || !is_that_file(header, fd)) {
    result.error = ESTALE;
    return;
  }
  syscall(SYS_execveat, fd, "", argv, env, AT_EMPTY_PATH);
  if (errno == ENOENT) syscall(SYS_execve, path, argv, env);
  note_failure(result, path);
}

// execvp(3) with the plan's own folders: what can't be executed is passed over, and told of where nothing else is found. A name with a slash is
// taken as it is.
void exec_command(const Plan& plan, char** argv, char** env, ExecResult& result) {
  const wire::PlanHeader& header = plan.header();
  if (header.program != 0) return exec_program(plan, argv, env, result);
  if (strchr(argv[0], '/') != nullptr) return try_exec(argv[0], argv, env, result);
  char path[4096];
  for (uint32_t i = 0; i < header.search_count; ++i) {
    int length = snprintf(path, sizeof path, "%s/%s", plan.text_at(header.search, i), argv[0]);
    ExecResult here;
    if (length < static_cast<int>(sizeof path)) try_exec(path, argv, env, here);
    if (!result.found) result = here;
    if (here.found && here.error != EACCES && here.error != ELIBBAD) return;
  }
}

// Where no string of the plan is any more, on a page that is there already: no memory is cheaper.
char** behind(const Plan& plan) {
  const auto end = reinterpret_cast<uintptr_t>(sandbox_plan + plan.header().size);
  return reinterpret_cast<char**>((end + sizeof(char*) - 1) / sizeof(char*) * sizeof(char*));
}

// Points an array of strings into the plan; `next` is where it goes, and then where the next one may.
char** string_array(const Plan& plan, uint32_t array, uint32_t count, char**& next) {
  char** strings = next;
  for (uint32_t i = 0; i < count; ++i) *next++ = const_cast<char*>(plan.text_at(array, i));
  *next++ = nullptr;
  return strings;
}

// The parent sleeps until the child has executed the command or given up, so `result` needs no pipe (vfork(2)).
pid_t start_command(const Plan& plan, ExecResult& result) {
  const wire::PlanHeader& header = plan.header();
  if (size_t{header.argv_count} + header.env_count + 2 > kMaxStrings) return result.error = E2BIG, -1;
  char** next = behind(plan);
  char** argv = string_array(plan, header.argv, header.argv_count, next);
  char** env = string_array(plan, header.env, header.env_count, next);
  pid_t pid = vfork();
  if (pid == 0) {
    setsid();
    exec_command(plan, argv, env, result);
    result.failed = true;
    _exit(127);
  }
  if (pid < 0) result.error = errno;
  return pid;
}

uint64_t microseconds(const timeval& time) {
  return static_cast<uint64_t>(time.tv_sec) * 1'000'000 + static_cast<uint64_t>(time.tv_usec);
}

// Where no other process is left, the run is over here and now: what remains is to take the empty sandbox apart, for which nobody
// needs to wait. All others are our children, by birth or as orphans (pid_namespaces(7)).
void tell_end(int status) {
  int ignored = 0;
  pid_t other = 0;
  do other = waitpid(-1, &ignored, WNOHANG | __WALL);
  while (other > 0);
  const bool alone = other < 0 && errno == ECHILD;
  rusage usage{};
  getrusage(RUSAGE_CHILDREN, &usage);
  wire::Frame frame{wire::FrameKind::kExited, 0, status, alone ? 1U : 0U, microseconds(usage.ru_utime), microseconds(usage.ru_stime),
                    static_cast<uint64_t>(usage.ru_maxrss) * 1024};
  send_frame(kStatusFd, frame);
}

[[noreturn]] void reap_until_end(pid_t command) {
  for (;;) {
    int status = 0;
    pid_t pid = waitpid(-1, &status, __WALL);
    if (pid != command && !(pid < 0 && errno != EINTR)) continue;
    if (pid == command) tell_end(status);
    _exit(0);
  }
}

}  // namespace

alignas(16) uint8_t sandbox_plan[wire::kMaxPlanBytes + 1 + (kMaxStrings + 1) * sizeof(char*)];

void send_frame(int socket, const wire::Frame& frame, const int* fds, int fd_count) {
  iovec data{const_cast<wire::Frame*>(&frame), sizeof frame};
  alignas(cmsghdr) char control[CMSG_SPACE(3 * sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  if (fd_count > 0) {
    message.msg_control = control;
    message.msg_controllen = static_cast<socklen_t>(CMSG_SPACE(static_cast<size_t>(fd_count) * sizeof(int)));
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = static_cast<socklen_t>(CMSG_LEN(static_cast<size_t>(fd_count) * sizeof(int)));
    memcpy(CMSG_DATA(header), fds, static_cast<size_t>(fd_count) * sizeof(int));
  }
  if (sendmsg(socket, &message, MSG_NOSIGNAL) < 0) _exit(1);  // nobody is left to tell
}

// Nothing of the launcher's is kept while a sandbox waits: not its socket to the engine, not what belongs to other runs.
int keep_only(const int* fds, int count) {
  int lowest = 0;
  for (;;) {
    int next = -1;
    for (int i = 0; i < count; ++i) {
      if (fds[i] >= lowest && (next < 0 || fds[i] < next)) next = fds[i];
    }
    const unsigned last = next < 0 ? ~0U : static_cast<unsigned>(next) - 1;
    if (next != lowest && syscall(kernel::kSysCloseRange, lowest, last, 0) < 0) return errno;
    if (next < 0) return 0;
    lowest = next + 1;
  }
}

void await_rest(Context& context) {
  wire::Rest rest{};
  iovec data[] = {{&rest, sizeof rest}, {sandbox_plan, wire::kMaxPlanBytes + 1}};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof rest.place)];
  msghdr message{};
  message.msg_iov = data;
  message.msg_iovlen = 2;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  int kept[] = {context.status, context.root, context.files, context.proc, context.ruleset};
  if (keep_only(kept, 5) != 0) _exit(1);
  ssize_t got = 0;
  do got = recvmsg(context.status, &message, MSG_CMSG_CLOEXEC);
  while (got < 0 && errno == EINTR);
  const cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (got <= static_cast<ssize_t>(sizeof rest) || (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) _exit(1);
  const size_t fds_size = header != nullptr ? header->cmsg_len - CMSG_LEN(0) : 0;
  if (rest.count < 0 || fds_size != static_cast<size_t>(rest.count) * sizeof(int)) _exit(1);
  int fds[wire::kMaxSlots + 3];
  if (header != nullptr) memcpy(fds, CMSG_DATA(header), fds_size);
  for (int i = 0; i < rest.count; ++i) {
    (rest.place[i] < 3 ? context.stdio[rest.place[i]] : context.slots[rest.place[i] - 3]) = fds[i];
  }
  context.plan.bytes = sandbox_plan;
}

// Never a socket, which may be one that we take orders from, nor a folder, from which there is a way out.
bool is_stream(int fd) {
  struct stat status {};
  return fstat(fd, &status) == 0 && !S_ISSOCK(status.st_mode) && !S_ISDIR(status.st_mode);
}

// First all out of the way, then down to their places: no move can land on a descriptor that is still needed.
int close_descriptors_step(Context& context, const wire::Step&) {
  for (int fd : context.stdio) {
    if (!is_stream(fd)) return EBADF;
  }
  const bool watched = context.plan.header().watchdog != 0;   // else nobody needs those two any more
  int sources[kFirstFree] = {context.stdio[0], context.stdio[1], context.stdio[2], context.status, watched ? context.proc : -1, watched ? context.files : -1};
  for (int& fd : sources) {
    if (fd >= 0 && (fd = static_cast<int>(syscall(SYS_fcntl, fd, F_DUPFD_CLOEXEC, 32))) < 0) return errno;   // musl's fcntl() makes two calls of it
  }
  for (int target = 0; target < kFirstFree; ++target) {
    if (sources[target] >= 0 && dup3(sources[target], target, target > 2 ? O_CLOEXEC : 0) < 0) return errno;
  }
  if (syscall(kernel::kSysCloseRange, watched ? kFirstFree : kProcFd, ~0U, 0) < 0) return errno;
  context.status = kStatusFd;
  context.proc = kProcFd;
  context.files = kFilesFd;
  return 0;
}

// Nobody but the launcher has the other end. Without its word nothing is ever executed.
void await_go() {
  char word = 0;
  ssize_t got = 0;
  do got = recv(kStatusFd, &word, sizeof word, MSG_TRUNC);
  while (got < 0 && errno == EINTR);
  if (got != 1 || word != wire::kGo) _exit(1);
}

// What the launcher needs of us goes over before the command exists; then nothing but reaping is left to do.
void become_init(Context& context, uint32_t step_number) {
  const wire::PlanHeader& header = context.plan.header();
  int fds[3];
  int count = 0;
  if (context.listener >= 0) fds[count++] = context.listener;
  if (header.watchdog != 0) {
    fds[count++] = context.proc;
    fds[count++] = context.files;
  }
  if (count > 0) {
    send_frame(kStatusFd, {wire::FrameKind::kListener, step_number, 0, context.listener >= 0 ? 1U : 0U, 0, 0, 0}, fds, count);
  }
  if (context.listener >= 0) close(context.listener);
  if (header.watchdog != 0) syscall(kernel::kSysCloseRange, kProcFd, kFilesFd, 0);
  if (chdir(context.plan.text(header.cwd)) < 0) {
    send_frame(kStatusFd, {wire::FrameKind::kFailed, step_number, errno, 0, 0, 0, 0});
    _exit(1);
  }
  if (header.held != 0) {
    await_go();
    check_places(context, step_number - 1);
  }
  ExecResult result;
  pid_t command = start_command(context.plan, result);
  syscall(kernel::kSysCloseRange, 0, 2, 0);
  if (command < 0) {
    send_frame(kStatusFd, {wire::FrameKind::kFailed, step_number, result.error, 0, 0, 0, 0});
    _exit(1);
  }
  if (result.failed) {
    send_frame(kStatusFd, {wire::FrameKind::kExecFailed, step_number, result.error, result.found ? 1U : 0U, 0, 0, 0});
    _exit(1);
  }
  reap_until_end(command);
}

}  // namespace wardenv::launch
