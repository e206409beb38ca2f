// SPDX-License-Identifier: Apache-2.0
// Acts on paths: every way to read, change, replace or link a file (threats, section B).
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "probe.h"

static int open_to_write(const char *path) {
  int fd = open(path, O_WRONLY | O_APPEND | O_NOCTTY);
  if (fd < 0) denied(errno);
  return fd;
}

static void append(int argc, char **argv) {
  int fd = open_to_write(argument(argc, argv, 0));
  const char *text = argument(argc, argv, 1);
  finish(write(fd, text, strlen(text)));
}

// open PATH: for writing, but writes nothing, so that the positive control is harmless.
static void open_write(int argc, char **argv) {
  (void)open_to_write(argument(argc, argv, 0));
  allowed();
}

// Reads a file; an empty one, as a mask shows it, counts as denied.
static void read_file(int argc, char **argv) {
  int fd = open(argument(argc, argv, 0), O_RDONLY | O_NONBLOCK | O_NOCTTY);
  if (fd < 0) denied(errno);
  char buffer[4096];
  ssize_t length = read(fd, buffer, sizeof buffer);
  if (length < 0) denied(errno);
  if (length == 0) denied(ENODATA);
  allowed();
}

static void cat(int argc, char **argv) {
  int fd = open(argument(argc, argv, 0), O_RDONLY | O_NONBLOCK);
  if (fd < 0) denied(errno);
  char buffer[4096];
  for (ssize_t length; (length = read(fd, buffer, sizeof buffer)) > 0;) {
    if (write(1, buffer, (size_t)length) != length) broken("write");
  }
  allowed();
}

static void list(int argc, char **argv) {
  DIR *folder = opendir(argument(argc, argv, 0));
  if (!folder) denied(errno);
  for (struct dirent *entry; (entry = readdir(folder));) data("entry", "%s", entry->d_name);
  allowed();
}

static void do_truncate(int argc, char **argv) { finish(truncate(argument(argc, argv, 0), 0)); }
static void do_chmod(int argc, char **argv) { finish(chmod(argument(argc, argv, 0), 0777)); }

// One way to a set-uid and set-gid file: its calls, and whether the file has the bits then.
static void make_gaining(int argc, char **argv) {
  const char *path = argument(argc, argv, 0), *way = argument(argc, argv, 1);
  const mode_t mode = S_ISUID | S_ISGID | 0755;
  const struct open_how how = {.flags = O_CREAT | O_WRONLY, .mode = mode};
  long made = strstr(way, "chmod") ? open(path, O_CREAT | O_WRONLY, 0600) : 0;
  if (made < 0) broken("open");
  long done = -1;
  if (!strcmp(way, "chmod")) done = syscall(SYS_chmod, path, mode);
  if (!strcmp(way, "chmod_high")) done = syscall(SYS_chmod, path, 0xdeadbeefffff0000UL | mode);
  if (!strcmp(way, "fchmod")) done = syscall(SYS_fchmod, made, mode);
  if (!strcmp(way, "fchmodat")) done = syscall(SYS_fchmodat, AT_FDCWD, path, mode);
  if (!strcmp(way, "fchmodat2")) done = syscall(452, AT_FDCWD, path, mode, 0);
  if (!strcmp(way, "creat")) done = syscall(SYS_creat, path, mode);
  if (!strcmp(way, "open")) done = syscall(SYS_open, path, O_CREAT | O_WRONLY, mode);
  if (!strcmp(way, "openat")) done = syscall(SYS_openat, AT_FDCWD, path, O_CREAT | O_WRONLY, mode);
  if (!strcmp(way, "openat2")) done = syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof how);
  if (!strcmp(way, "tmpfile")) {
    char link[64];
    int fd = (int)syscall(SYS_openat, AT_FDCWD, ".", O_TMPFILE | O_RDWR, mode);
    if (fd < 0) denied(errno);
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    done = linkat(AT_FDCWD, link, AT_FDCWD, path, AT_SYMLINK_FOLLOW);
  }
  if (!strcmp(way, "mknod")) done = syscall(SYS_mknod, path, S_IFREG | mode, 0);
  if (!strcmp(way, "mknodat")) done = syscall(SYS_mknodat, AT_FDCWD, path, mode, 0);
  if (done < 0) denied(errno);
  struct stat info;
  if (stat(path, &info) != 0 || (info.st_mode & S_ISUID) == 0) denied(EPERM);
  allowed();
}

static void do_unlink(int argc, char **argv) { finish(unlink(argument(argc, argv, 0))); }
static void do_rmdir(int argc, char **argv) { finish(rmdir(argument(argc, argv, 0))); }
static void do_mkdir(int argc, char **argv) { finish(mkdir(argument(argc, argv, 0), 0777)); }
static void do_link(int argc, char **argv) { finish(link(argument(argc, argv, 0), argument(argc, argv, 1))); }
static void do_rename(int argc, char **argv) { finish(rename(argument(argc, argv, 0), argument(argc, argv, 1))); }
static void do_symlink(int argc, char **argv) { finish(symlink(argument(argc, argv, 0), argument(argc, argv, 1))); }
static void do_create(int argc, char **argv) {
  finish(open(argument(argc, argv, 0), O_WRONLY | O_CREAT | O_EXCL, 0666));
}

static void do_chown(int argc, char **argv) {
  struct stat info;
  if (stat(argument(argc, argv, 0), &info) != 0) denied(errno);
  finish(chown(argv[0], info.st_uid, info.st_gid));
}

static void do_utimes(int argc, char **argv) {
  const struct timespec times[2] = {{1, 0}, {1, 0}};
  finish(utimensat(AT_FDCWD, argument(argc, argv, 0), times, 0));
}

static void do_setxattr(int argc, char **argv) { finish(setxattr(argument(argc, argv, 0), "user.probe", "x", 1, 0)); }
static void do_fallocate(int argc, char **argv) { finish(fallocate(open_to_write(argument(argc, argv, 0)), 0, 0, 1)); }

// Asks for write permission on a descriptor that was opened for reading, where the file system checks the mount late.
static void do_ftruncate(int argc, char **argv) {
  int fd = open(argument(argc, argv, 0), O_RDWR);
  if (fd < 0) denied(errno);
  finish(ftruncate(fd, 0));
}

static void do_clone_range(int argc, char **argv) {
  int from = open("/proc/self/exe", O_RDONLY);
  int to = open(argument(argc, argv, 0), O_WRONLY);
  if (to < 0) denied(errno);
  finish(ioctl(to, FICLONE, from));
}

static void do_set_flags(int argc, char **argv) {
  int fd = open(argument(argc, argv, 0), O_RDONLY);
  int flags = 0;
  if (fd < 0 || ioctl(fd, FS_IOC_GETFLAGS, &flags) != 0) denied(errno);
  flags |= FS_NOATIME_FL;
  finish(ioctl(fd, FS_IOC_SETFLAGS, &flags));
}

static void do_map_shared(int argc, char **argv) {
  int fd = open(argument(argc, argv, 0), O_RDWR);
  if (fd < 0) denied(errno);
  char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (page == MAP_FAILED) denied(errno);
  page[0] = '!';
  allowed();
}

// Maps for reading, then asks for more.
static void do_map_late(int argc, char **argv) {
  int fd = open(argument(argc, argv, 0), O_RDONLY);
  if (fd < 0) denied(errno);
  char *page = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
  if (page == MAP_FAILED) denied(errno);
  if (mprotect(page, 4096, PROT_READ | PROT_WRITE) != 0) denied(errno);
  page[0] = '!';
  allowed();
}

// Opens without access, then again for writing through the descriptor's own name.
static void do_reopen(int argc, char **argv) {
  int fd = open(argument(argc, argv, 0), O_PATH);
  if (fd < 0) denied(errno);
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  finish(open(link, O_WRONLY | O_APPEND));
}

// link_reopen PATH: the same from a descriptor for reading.
static void do_reopen_reader(int argc, char **argv) {
  int fd = open(argument(argc, argv, 0), O_RDONLY);
  if (fd < 0) denied(errno);
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  finish(open(link, O_RDWR));
}

static void do_exchange(int argc, char **argv) {
  finish(syscall(SYS_renameat2, AT_FDCWD, argument(argc, argv, 0), AT_FDCWD, argument(argc, argv, 1), RENAME_EXCHANGE));
}

// tmpfile_link FOLDER NAME: a nameless file gets its name late.
static void do_tmpfile_link(int argc, char **argv) {
  int fd = open(argument(argc, argv, 0), O_TMPFILE | O_RDWR, 0600);
  if (fd < 0) denied(errno);
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  finish(linkat(AT_FDCWD, link, AT_FDCWD, argument(argc, argv, 1), AT_SYMLINK_FOLLOW));
}

// Finds the file by a handle, past every mount that hides or protects it.
static void do_open_by_handle(int argc, char **argv) {
  union {
    struct file_handle handle;
    char room[sizeof(struct file_handle) + MAX_HANDLE_SZ];
  } buffer;
  int mount_id = 0;
  memset(&buffer, 0, sizeof buffer);
  buffer.handle.handle_bytes = MAX_HANDLE_SZ;
  const char *path = argument(argc, argv, 0);
  if (name_to_handle_at(AT_FDCWD, path, &buffer.handle, &mount_id, 0) != 0) denied(errno);
  int mount_fd = open(path, O_RDONLY);
  finish(open_by_handle_at(mount_fd, &buffer.handle, O_RDWR));
}

// mknod PATH char|block|fifo MAJOR MINOR
static void do_mknod(int argc, char **argv) {
  const char *kind = argument(argc, argv, 1);
  mode_t type = kind[0] == 'c' ? S_IFCHR : kind[0] == 'b' ? S_IFBLK : S_IFIFO;
  finish(mknod(argument(argc, argv, 0), type | 0600,
               makedev((unsigned)number(argc, argv, 2), (unsigned)number(argc, argv, 3))));
}

static void identity(int argc, char **argv) {
  (void)argc, (void)argv;
  uid_t real, effective, saved;
  getresuid(&real, &effective, &saved);
  data("uids", "%u %u %u", real, effective, saved);
  char line[256];
  FILE *status = fopen("/proc/self/status", "r");
  if (!status) broken("/proc/self/status");
  while (fgets(line, sizeof line, status)) {
    if (strncmp(line, "CapEff:", 7) == 0) data("capabilities", "%s", strtok(line + 7, " \t\n"));
  }
  allowed();
}

// set_id UID: takes another identity, by every call there is.
static void set_id(int argc, char **argv) {
  uid_t id = (uid_t)number(argc, argv, 0);
  if (setresuid(id, id, id) == 0 || setresgid(id, id, id) == 0 || setgroups(1, &id) == 0) allowed();
  denied(errno);
}

static void hold_lock(const char *path, const char *kind) {
  int fd = open(path, O_RDWR);
  if (fd < 0) broken("open");
  struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
  long result = kind[0] == 'f' ? flock(fd, LOCK_EX | LOCK_NB)
                : kind[0] == 'r' ? fcntl(fd, F_SETLK, &lock)
                                 : fcntl(fd, F_SETLEASE, F_WRLCK);
  if (result != 0) broken(kind);
}

// lock_and_leave PATH flock|record|lease: an orphan in a session of its own holds on to the lock.
static void lock_and_leave(int argc, char **argv) {
  int ready[2];
  if (pipe(ready) != 0) broken("pipe");
  if (fork() == 0) {
    setsid();
    hold_lock(argument(argc, argv, 0), argument(argc, argv, 1));
    data("pid", "%d", getpid());
    if (write(ready[1], "x", 1) != 1) broken("write");
    for (int fd = 0; fd < 3; ++fd) close(fd);
    sleep(120);
    _exit(0);
  }
  close(ready[1]);
  char byte;
  if (read(ready[0], &byte, 1) != 1) broken("the holder failed");
  allowed();
}

enum { kIpcKey = 0x57a4d, kIpcSize = 4096 };

static long leave_ipc(void) {
  int made = 0;
  made += shmget(kIpcKey, kIpcSize, IPC_CREAT | 0666) >= 0;
  made += semget(kIpcKey, 1, IPC_CREAT | 0666) >= 0;
  made += msgget(kIpcKey, IPC_CREAT | 0666) >= 0;
  made += open("/dev/shm/wardenv-probe", O_CREAT | O_RDWR, 0666) >= 0;
  made += open("/tmp/wardenv-probe", O_CREAT | O_RDWR, 0666) >= 0;
  return made;
}

static long find_ipc(void) {
  int found = 0;
  found += shmget(kIpcKey, 0, 0) >= 0;
  found += semget(kIpcKey, 0, 0) >= 0;
  found += msgget(kIpcKey, 0) >= 0;
  found += access("/dev/shm/wardenv-probe", F_OK) == 0;
  found += access("/tmp/wardenv-probe", F_OK) == 0;
  return found;
}

static void remove_ipc(void) {
  shmctl(shmget(kIpcKey, 0, 0), IPC_RMID, NULL);
  semctl(semget(kIpcKey, 0, 0), 0, IPC_RMID);
  msgctl(msgget(kIpcKey, 0), IPC_RMID, NULL);
  unlink("/dev/shm/wardenv-probe");
  unlink("/tmp/wardenv-probe");
}

// ipc leave|find|remove: System V objects and files in shared memory that could outlive a run.
static void ipc(int argc, char **argv) {
  const char *what = argument(argc, argv, 0);
  if (what[0] == 'r') {
    remove_ipc();
    allowed();
  }
  long count = what[0] == 'l' ? leave_ipc() : find_ipc();
  data("objects", "%ld", count);
  if (!count) denied(ENOENT);
  allowed();
}

// Dies with a core dump where that is possible at all.
static void dump_core(int argc, char **argv) {
  (void)argc, (void)argv;
  pid_t child = fork();
  if (child == 0) {
    const struct rlimit endless = {RLIM_INFINITY, RLIM_INFINITY};
    if (setrlimit(RLIMIT_CORE, &endless) != 0) data("limit", "%s", strerror(errno));
    abort();
  }
  int status = 0;
  waitpid(child, &status, 0);
  if (!WIFSIGNALED(status)) broken("child did not die");
  if (!WCOREDUMP(status)) denied(EFBIG);
  allowed();
}

// swap A B: exchanges two names for ever, as fast as it can. For the host side of a race.
static void swap_for_ever(int argc, char **argv) {
  const char *one = argument(argc, argv, 0), *other = argument(argc, argv, 1);
  while (syscall(SYS_renameat2, AT_FDCWD, one, AT_FDCWD, other, RENAME_EXCHANGE) == 0) {
  }
  broken("renameat2");
}

// read_and_append PATH: prints what it reads, then tries to add to it; for paths that a race may have replaced.
static void read_and_append(int argc, char **argv) {
  const char *path = argument(argc, argv, 0);
  char buffer[256] = {0};
  int fd = open(path, O_RDONLY);
  if (fd >= 0 && read(fd, buffer, sizeof buffer - 1) > 0) data("content", "%s", buffer);
  fd = open(path, O_WRONLY | O_APPEND);
  finish(fd < 0 ? -1 : write(fd, "poisoned\n", 9));
}

const Act kFileActs[] = {
    {"append", append},
    {"open_write", open_write},
    {"read", read_file},
    {"cat", cat},
    {"list", list},
    {"truncate", do_truncate},
    {"ftruncate", do_ftruncate},
    {"chmod", do_chmod},
    {"make_gaining", make_gaining},
    {"chown", do_chown},
    {"utimes", do_utimes},
    {"setxattr", do_setxattr},
    {"fallocate", do_fallocate},
    {"clone_range", do_clone_range},
    {"set_flags", do_set_flags},
    {"map_shared", do_map_shared},
    {"map_late", do_map_late},
    {"reopen", do_reopen},
    {"reopen_reader", do_reopen_reader},
    {"unlink", do_unlink},
    {"rmdir", do_rmdir},
    {"mkdir", do_mkdir},
    {"create", do_create},
    {"link", do_link},
    {"symlink", do_symlink},
    {"rename", do_rename},
    {"exchange", do_exchange},
    {"tmpfile_link", do_tmpfile_link},
    {"open_by_handle", do_open_by_handle},
    {"mknod", do_mknod},
    {"identity", identity},
    {"set_id", set_id},
    {"lock_and_leave", lock_and_leave},
    {"ipc", ipc},
    {"dump_core", dump_core},
    {"swap", swap_for_ever},
    {"read_and_append", read_and_append},
    {NULL, NULL},
};
