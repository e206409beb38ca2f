// SPDX-License-Identifier: Apache-2.0
// What of the C++ library `wardenv` needs beside templates: memory, and an end where the library itself would throw. What libraries that are headers
// throw in the judge's files is caught there.
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <functional>
#include <memory>
#include <new>

char __libc_single_threaded = 1;   // no thread is ever started

namespace {

// There is nobody to catch anything. The launcher sees our end, and nothing of the run outlives it.
[[noreturn]] void give_up(const char* what) {
  constexpr char kBefore[] = "wardenv: stopped: ";
  (void)!write(STDERR_FILENO, kBefore, sizeof kBefore - 1);
  (void)!write(STDERR_FILENO, what, strlen(what));
  (void)!write(STDERR_FILENO, "\n", 1);
  _exit(125);
}

// What is asked for lies side by side, so that a run touches few pages: musl's malloc(3) spreads it over four times as many, and each costs a page
// fault. What is given back serves the next of its size. The first arena is enough for a run without a quota.
struct alignas(16) Piece {
  size_t size_class = 0;
  union {
    Piece* next = nullptr;   // of those that were given back
    size_t mapped;           // of one that is a mapping of its own: its bytes
  };
};

constexpr size_t kUnit = sizeof(Piece);
constexpr size_t kFine = 64;          // classes of 16, 32, … 1024 bytes; then 2048, 4096, …
constexpr size_t kClasses = kFine + 6;
constexpr size_t kArena = 1 << 20;

alignas(4096) char first_arena[kArena];
char* unused = first_arena;
char* arena_end = first_arena + kArena;
Piece* given_back[kClasses];

// 64 KiB is the last class; what is larger gets the number behind it.
size_t class_of(size_t size) {
  if (size <= kFine * kUnit) return size == 0 ? 0 : (size - 1) / kUnit;
  return std::min<size_t>(kFine + static_cast<size_t>(std::bit_width((size - 1) / (kFine * kUnit))) - 1, kClasses);
}

size_t size_of(size_t size_class) { return size_class < kFine ? (size_class + 1) * kUnit : (kFine * kUnit) << (size_class - kFine + 1); }

char* map(size_t bytes) {
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return memory == MAP_FAILED ? nullptr : static_cast<char*>(memory);
}

void* allocate_large(size_t size) {
  if (size > PTRDIFF_MAX - kUnit) return nullptr;
  char* memory = map(size + kUnit);
  if (memory == nullptr) return nullptr;
  auto* piece = new (memory) Piece{kClasses, {}};
  piece->mapped = size + kUnit;
  return piece + 1;
}

void* allocate_or_none(size_t size) {
  const size_t size_class = class_of(size);
  if (size_class == kClasses) return allocate_large(size);
  if (Piece* piece = given_back[size_class]; piece != nullptr) {
    given_back[size_class] = piece->next;
    return piece + 1;
  }
  const size_t needed = size_of(size_class) + kUnit;
  if (needed > static_cast<size_t>(arena_end - unused)) {
    char* arena = map(kArena);
    if (arena == nullptr) return nullptr;
    unused = arena;
    arena_end = arena + kArena;
  }
  void* memory = unused;
  unused += needed;
  return new (memory) Piece{size_class, {}} + 1;
}

void* allocate(size_t size) {
  void* memory = allocate_or_none(size);
  if (memory == nullptr) give_up("out of memory");
  return memory;
}

Piece* piece_of(void* memory) { return static_cast<Piece*>(memory) - 1; }

size_t room_in(void* memory) {
  const Piece* piece = piece_of(memory);
  return piece->size_class == kClasses ? piece->mapped - kUnit : size_of(piece->size_class);
}

void give_back(void* memory) {
  if (memory == nullptr) return;
  Piece* piece = piece_of(memory);
  if (piece->size_class == kClasses) {
    (void)munmap(piece, piece->mapped);
    return;
  }
  Piece*& list = given_back[piece->size_class];
  piece->next = list;
  list = piece;
}

}  // namespace

void* operator new(size_t size) { return allocate(size); }
void* operator new[](size_t size) { return allocate(size); }
void operator delete(void* memory) noexcept { give_back(memory); }
void operator delete[](void* memory) noexcept { give_back(memory); }
void operator delete(void* memory, size_t) noexcept { give_back(memory); }
void operator delete[](void* memory, size_t) noexcept { give_back(memory); }

// For <memory_resource>, which asks for no more than any memory has.
void* operator new(size_t size, std::align_val_t alignment) {
  if (static_cast<size_t>(alignment) > kUnit) give_up("memory of too large an alignment");
  return allocate(size);
}
void operator delete(void* memory, std::align_val_t) noexcept { give_back(memory); }
void operator delete(void* memory, size_t, std::align_val_t) noexcept { give_back(memory); }

// std::get_temporary_buffer, for std::stable_sort.
void* operator new(size_t size, const std::nothrow_t&) noexcept { return allocate_or_none(size); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { give_back(memory); }
constinit const std::nothrow_t std::nothrow{};

namespace std {

bool _Sp_make_shared_tag::_S_eq(const type_info&) noexcept { return false; }   // without type information std::make_shared asks by address

void __throw_bad_alloc() { give_up("out of memory"); }
void __throw_bad_array_new_length() { give_up("too large an array"); }
void __throw_bad_cast() { give_up("bad cast"); }
void __throw_logic_error(const char* what) { give_up(what); }
void __throw_invalid_argument(const char* what) { give_up(what); }
void __throw_runtime_error(const char* what) { give_up(what); }
void __throw_length_error(const char* what) { give_up(what); }
void __throw_out_of_range(const char* what) { give_up(what); }
void __throw_out_of_range_fmt(const char* what, ...) { give_up(what); }
void __throw_bad_function_call() { give_up("an empty function was called"); }
void __throw_bad_optional_access() { give_up("an empty optional was read"); }
void __throw_system_error(int) { give_up("a lock failed"); }

}  // namespace std

extern "C" {

// The C library's own callers and SQLite's get theirs from the same place (malloc(3)).
void* malloc(size_t size) {
  void* memory = allocate_or_none(size);
  if (memory == nullptr) errno = ENOMEM;
  return memory;
}

void free(void* memory) {
  const int error = errno;
  give_back(memory);
  errno = error;
}

void* calloc(size_t count, size_t size) {
  size_t bytes = 0;
  if (__builtin_mul_overflow(count, size, &bytes)) {
    errno = ENOMEM;
    return nullptr;
  }
  void* memory = allocate_or_none(bytes);   // the compiler makes a call of calloc of malloc and memset
  if (memory != nullptr) return memset(memory, 0, bytes);
  errno = ENOMEM;
  return nullptr;
}

void* realloc(void* memory, size_t size) {
  if (memory == nullptr) return malloc(size);
  if (size <= room_in(memory)) return memory;
  void* larger = malloc(size);
  if (larger == nullptr) return nullptr;
  memcpy(larger, memory, room_in(memory));
  free(memory);
  return larger;
}

// Nothing here asks for pages.
void* aligned_alloc(size_t alignment, size_t size) {
  if (alignment <= kUnit) return malloc(size);
  errno = ENOMEM;
  return nullptr;
}

// Exceptions lie in memory as all else does; the library would keep some aside for each start of the program. In front of each is the library's own
// header (unwind-cxx.h, __cxa_refcounted_exception), smaller than this.
constexpr size_t kExceptionHeader = 256;

void* __cxa_allocate_exception(size_t size) noexcept {
  char* memory = static_cast<char*>(allocate(kExceptionHeader + size));
  memset(memory, 0, kExceptionHeader);
  return memory + kExceptionHeader;
}
void __cxa_free_exception(void* thrown) noexcept { give_back(static_cast<char*>(thrown) - kExceptionHeader); }

// Of libgcc's unwinder (glibc's <dlfcn.h>): where the tables are that tell how to unwind from `address`. There is one program and nothing else.
struct FoundObject {
  unsigned long long flags;
  void* begin;
  void* end;
  struct link_map* map;
  void* eh_frame;
  unsigned long long reserved[7];
};
extern const char __executable_start, etext;   // the linker's (end(3))

int _dl_find_object(void* address, FoundObject* found) {
  const char* at = static_cast<const char*>(address);
  const auto* segment = reinterpret_cast<const ElfW(Phdr)*>(getauxval(AT_PHDR));
  const ElfW(Phdr)* const end = segment + getauxval(AT_PHNUM);
  while (segment != end && segment->p_type != PT_GNU_EH_FRAME) ++segment;
  if (segment == end || at < &__executable_start || at >= &etext) return -1;
  *found = {0, const_cast<char*>(&__executable_start), const_cast<char*>(&etext), nullptr, reinterpret_cast<void*>(segment->p_vaddr), {}};
  return 0;
}

// Libraries that were built where the C library checks this, and has a name of its own for fcntl(2) with large files.
void* __memcpy_chk(void* to, const void* from, size_t count, size_t room) {
  if (count > room) give_up("memory behind its end was to be written");
  return memcpy(to, from, count);
}
void* __memset_chk(void* to, int value, size_t count, size_t room) {
  if (count > room) give_up("memory behind its end was to be written");
  return memset(to, value, count);
}
int fcntl64(int fd, int command, ...) {
  va_list more;
  va_start(more, command);
  void* argument = va_arg(more, void*);
  va_end(more);
  return fcntl(fd, command, argument);
}
void __explicit_bzero_chk(void* bytes, size_t count, size_t room) {
  if (count > room) give_up("memory behind its end was to be wiped");
  explicit_bzero(bytes, count);
}

int renameat2(int from_folder, const char* from, int to_folder, const char* to, unsigned flags) {
  return static_cast<int>(syscall(SYS_renameat2, from_folder, from, to_folder, to, flags));
}

void* __dso_handle = nullptr;   // of a program, which is never unloaded

[[noreturn]] void __cxa_pure_virtual() { give_up("a pure virtual function was called"); }

// An error is told in one way, whichever program met it: where musl has other words than glibc, of calls that are made here.
const char* strerrordesc_np(int number) {
  static constexpr struct { int number; const char* words; } kWords[] = {
      {EIO, "Input/output error"}, {ECHILD, "No child processes"}, {ENOMEM, "Cannot allocate memory"}, {EBUSY, "Device or resource busy"},
      {EXDEV, "Invalid cross-device link"}, {EMFILE, "Too many open files"}, {ENOTTY, "Inappropriate ioctl for device"}, {ESPIPE, "Illegal seek"},
      {ENAMETOOLONG, "File name too long"}, {ELOOP, "Too many levels of symbolic links"}, {EOVERFLOW, "Value too large for defined data type"},
      {ENOTSOCK, "Socket operation on non-socket"}, {EMSGSIZE, "Message too long"}, {EOPNOTSUPP, "Operation not supported"}, {ETIMEDOUT, "Connection timed out"},
      {EUCLEAN, "Structure needs cleaning"}, {EDQUOT, "Disk quota exceeded"}};
  for (const auto& item : kWords) {
    if (item.number == number) return item.words;
  }
  return strerror(number);
}

const char* sigabbrev_np(int number) {
  static constexpr struct { int number; const char* name; } kNames[] = {
      {SIGHUP, "HUP"}, {SIGINT, "INT"}, {SIGQUIT, "QUIT"}, {SIGILL, "ILL"}, {SIGTRAP, "TRAP"}, {SIGABRT, "ABRT"}, {SIGBUS, "BUS"}, {SIGFPE, "FPE"},
      {SIGKILL, "KILL"}, {SIGUSR1, "USR1"}, {SIGSEGV, "SEGV"}, {SIGUSR2, "USR2"}, {SIGPIPE, "PIPE"}, {SIGALRM, "ALRM"}, {SIGTERM, "TERM"}, {SIGSTKFLT, "STKFLT"},
      {SIGCHLD, "CHLD"}, {SIGCONT, "CONT"}, {SIGSTOP, "STOP"}, {SIGTSTP, "TSTP"}, {SIGTTIN, "TTIN"}, {SIGTTOU, "TTOU"}, {SIGURG, "URG"}, {SIGXCPU, "XCPU"},
      {SIGXFSZ, "XFSZ"}, {SIGVTALRM, "VTALRM"}, {SIGPROF, "PROF"}, {SIGWINCH, "WINCH"}, {SIGPOLL, "POLL"}, {SIGPWR, "PWR"}, {SIGSYS, "SYS"}};
  for (const auto& item : kNames) {
    if (item.number == number) return item.name;
  }
  return nullptr;
}

}
