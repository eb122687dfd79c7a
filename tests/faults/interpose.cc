#include "tests/faults/interpose.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <optional>

namespace faults {
namespace {

// Never destroyed: calls come until the very end of the program.
struct Watched {
  std::recursive_mutex order;
  std::string root;
  Watcher* watcher = nullptr;
};

Watched& watched() {
  static Watched* const one = new Watched;
  return *one;
}

std::string target_of(const char* link) {
  std::array<char, PATH_MAX> text{};
  const ssize_t length = ::readlink(link, text.data(), text.size());
  return length < 0 ? "" : std::string(text.data(), static_cast<std::size_t>(length));
}

std::string path_of(int descriptor) {
  return target_of(("/proc/self/fd/" + std::to_string(descriptor)).c_str());
}

std::string path_of(int directory, const char* name) {
  if (name[0] == '/') return name;
  const std::string folder =
      directory == AT_FDCWD ? target_of("/proc/self/cwd") : path_of(directory);
  return folder + "/" + name;
}

// Relative to the watched directory; none: it lies elsewhere.
std::optional<std::string> below_root(const std::string& path) {
  const std::string& root = watched().root;
  if (path == root) return "";
  if (path.size() <= root.size() || path.compare(0, root.size(), root) != 0) return std::nullopt;
  if (path[root.size()] != '/' || path.ends_with("-shm")) return std::nullopt;
  if (path.ends_with(" (deleted)")) return std::nullopt;
  return path.substr(root.size() + 1);
}

template <typename Function>
Function* next(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

// Makes the call, and tells of it if it concerns the directory and succeeds.
template <typename Call_, typename Describe>
auto observed(const std::string& path, Call_ call, Describe describe_op) {
  const std::lock_guard<std::recursive_mutex> in_order(watched().order);
  const auto place = watched().watcher != nullptr ? below_root(path) : std::nullopt;
  if (!place) return call();
  watched().watcher->before();
  const auto result = call();
  const int error = errno;
  if (result < 0) {
    watched().watcher->failed();
  } else {
    Op op;
    op.path = *place;
    describe_op(op, result);
    watched().watcher->made(std::move(op));
  }
  errno = error;
  return result;
}

bool idle() { return watched().watcher == nullptr; }

int observed_open(int directory, const char* name, int flags, mode_t mode,
                  int (*real)(int, const char*, int, ...)) {
  const bool may_change = (flags & (O_CREAT | O_TRUNC)) != 0 && (flags & O_TMPFILE) != O_TMPFILE;
  if (idle() || !may_change) return real(directory, name, flags, mode);
  const std::string path = path_of(directory, name);
  const std::lock_guard<std::recursive_mutex> in_order(watched().order);
  struct stat facts = {};
  const bool there = ::fstatat(directory, name, &facts, AT_SYMLINK_NOFOLLOW) == 0;
  if (there && (flags & O_TRUNC) == 0) return real(directory, name, flags, mode);
  const mode_t mask = ::umask(0);
  ::umask(mask);
  return observed(
      path, [&] { return real(directory, name, flags, mode); },
      [&](Op& op, int) {
        op.call = there ? Call::resize : Call::create;
        op.argument = there ? 0 : (mode & ~mask);
      });
}

// Whether a write through this descriptor is on the disk when it returns.
bool writes_through(int descriptor) {
  return (::fcntl(descriptor, F_GETFL) & (O_DSYNC | O_SYNC)) != 0;
}

template <typename Write>
ssize_t observed_write(int descriptor, const std::string& bytes, off_t offset, Write write) {
  const std::string path = path_of(descriptor);
  const ssize_t wrote = observed(path, write, [&](Op& op, ssize_t count) {
    op.call = Call::write;
    op.argument = static_cast<std::uint64_t>(offset);
    op.data = bytes.substr(0, static_cast<std::size_t>(count));
  });
  if (wrote > 0 && writes_through(descriptor)) {
    observed(path, [] { return 0; }, [](Op& op, int) { op.call = Call::sync_data; });
  }
  return wrote;
}

std::string copy_of(const void* bytes, std::size_t count) {
  return {static_cast<const char*>(bytes), count};
}

ssize_t observed_pwrite(int descriptor, const void* bytes, std::size_t count, off_t offset,
                        ssize_t (*real)(int, const void*, std::size_t, off_t)) {
  const auto write = [&] { return real(descriptor, bytes, count, offset); };
  return idle() ? write() : observed_write(descriptor, copy_of(bytes, count), offset, write);
}

int observed_resize(int descriptor, off_t size, int (*real)(int, off_t) noexcept) {
  if (idle()) return real(descriptor, size);
  return observed(path_of(descriptor), [&] { return real(descriptor, size); },
                  [size](Op& op, int) {
                    op.call = Call::resize;
                    op.argument = static_cast<std::uint64_t>(size);
                  });
}

// `allocate` gives less than 0 when it fails.
template <typename Allocate>
void observed_allocate(int descriptor, off_t end, Allocate allocate) {
  observed(path_of(descriptor), allocate, [end](Op& op, int) {
    op.call = Call::allocate;
    op.argument = static_cast<std::uint64_t>(end);
  });
}

int observed_fallocate(int descriptor, int mode, off_t from, off_t count,
                       int (*real)(int, int, off_t, off_t)) {
  // Room alone changes nothing that anybody reads.
  if (idle() || (mode & FALLOC_FL_KEEP_SIZE) != 0) return real(descriptor, mode, from, count);
  int result = 0;
  observed_allocate(descriptor, from + count,
                    [&] { return result = real(descriptor, mode, from, count); });
  return result;
}

int observed_posix_fallocate(int descriptor, off_t from, off_t count,
                             int (*real)(int, off_t, off_t)) {
  if (idle()) return real(descriptor, from, count);
  int error = 0;
  observed_allocate(descriptor, from + count, [&] {
    error = real(descriptor, from, count);
    return error == 0 ? 0 : -1;
  });
  return error;
}

int observed_sync(int descriptor, Call kind, int (*real)(int)) {
  if (idle()) return real(descriptor);
  return observed(path_of(descriptor), [&] { return real(descriptor); },
                  [kind](Op& op, int) { op.call = kind; });
}

int observed_rename(int from_directory, const char* from, int to_directory, const char* to,
                    int (*real)(int, const char*, int, const char*) noexcept) {
  const auto call = [&] { return real(from_directory, from, to_directory, to); };
  if (idle()) return call();
  const auto place = below_root(path_of(to_directory, to));
  return observed(path_of(from_directory, from), call, [&](Op& op, int) {
    op.call = Call::rename;
    op.to = place.value_or("");
  });
}

int observed_unlink(int directory, const char* name, int flags,
                    int (*real)(int, const char*, int) noexcept) {
  const auto call = [&] { return real(directory, name, flags); };
  if (idle()) return call();
  return observed(path_of(directory, name), call, [](Op& op, int) { op.call = Call::unlink; });
}

int observed_make_dir(int directory, const char* name, mode_t mode,
                      int (*real)(int, const char*, mode_t) noexcept) {
  const auto call = [&] { return real(directory, name, mode); };
  if (idle()) return call();
  return observed(path_of(directory, name), call, [mode](Op& op, int) {
    op.call = Call::make_dir;
    op.argument = mode;
  });
}

}  // namespace

void watch(const std::string& root, Watcher* watcher) {
  const std::lock_guard<std::recursive_mutex> in_order(watched().order);
  std::array<char, PATH_MAX> real_path{};
  watched().root = ::realpath(root.c_str(), real_path.data()) != nullptr ? real_path.data() : root;
  watched().watcher = watcher;
}

}  // namespace faults

// Below: the C library's names. Each looks up the library's own once, by dlsym.
using faults::Call;

extern "C" {

mode_t mode_argument(int flags, va_list arguments) {
  return (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(arguments, mode_t) : 0;
}

#define FAULTS_OPEN(NAME, NEXT)                                                       \
  int NAME(const char* name, int flags, ...) {                                        \
    static auto* const real = faults::next<int(int, const char*, int, ...)>(NEXT);    \
    va_list arguments;                                                                \
    va_start(arguments, flags);                                                       \
    const mode_t mode = mode_argument(flags, arguments);                              \
    va_end(arguments);                                                                \
    return faults::observed_open(AT_FDCWD, name, flags, mode, real);                  \
  }
FAULTS_OPEN(open, "openat")
FAULTS_OPEN(open64, "openat64")
#undef FAULTS_OPEN

#define FAULTS_OPENAT(NAME)                                                           \
  int NAME(int directory, const char* name, int flags, ...) {                         \
    static auto* const real = faults::next<int(int, const char*, int, ...)>(#NAME);   \
    va_list arguments;                                                                \
    va_start(arguments, flags);                                                       \
    const mode_t mode = mode_argument(flags, arguments);                              \
    va_end(arguments);                                                                \
    return faults::observed_open(directory, name, flags, mode, real);                 \
  }
FAULTS_OPENAT(openat)
FAULTS_OPENAT(openat64)
#undef FAULTS_OPENAT

#define FAULTS_PWRITE(NAME)                                                               \
  ssize_t NAME(int descriptor, const void* bytes, size_t count, off_t offset) {           \
    static auto* const real = faults::next<ssize_t(int, const void*, size_t, off_t)>(#NAME); \
    return faults::observed_pwrite(descriptor, bytes, count, offset, real);               \
  }
FAULTS_PWRITE(pwrite)
FAULTS_PWRITE(pwrite64)
#undef FAULTS_PWRITE

ssize_t write(int descriptor, const void* bytes, size_t count) {
  static auto* const real = faults::next<ssize_t(int, const void*, size_t)>("write");
  const auto call = [&] { return real(descriptor, bytes, count); };
  if (faults::idle()) return call();
  const bool appends = (::fcntl(descriptor, F_GETFL) & O_APPEND) != 0;
  const off_t offset = ::lseek(descriptor, 0, appends ? SEEK_END : SEEK_CUR);
  if (offset < 0) return call();  // a pipe or a socket
  return faults::observed_write(descriptor, faults::copy_of(bytes, count), offset, call);
}

#define FAULTS_RESIZE(NAME)                                                     \
  int NAME(int descriptor, off_t size) noexcept {                               \
    static auto* const real = faults::next<int(int, off_t) noexcept>(#NAME);    \
    return faults::observed_resize(descriptor, size, real);                     \
  }
FAULTS_RESIZE(ftruncate)
FAULTS_RESIZE(ftruncate64)
#undef FAULTS_RESIZE

#define FAULTS_ALLOCATE(NAME)                                                           \
  int NAME(int descriptor, int mode, off_t from, off_t count) {                         \
    static auto* const real = faults::next<int(int, int, off_t, off_t)>(#NAME);         \
    return faults::observed_fallocate(descriptor, mode, from, count, real);             \
  }                                                                                     \
  int posix_##NAME(int descriptor, off_t from, off_t count) {                           \
    static auto* const real = faults::next<int(int, off_t, off_t)>("posix_" #NAME);     \
    return faults::observed_posix_fallocate(descriptor, from, count, real);             \
  }
FAULTS_ALLOCATE(fallocate)
FAULTS_ALLOCATE(fallocate64)
#undef FAULTS_ALLOCATE

int fsync(int descriptor) {
  static auto* const real = faults::next<int(int)>("fsync");
  return faults::observed_sync(descriptor, Call::sync, real);
}

int fdatasync(int descriptor) {
  static auto* const real = faults::next<int(int)>("fdatasync");
  return faults::observed_sync(descriptor, Call::sync_data, real);
}

int fchmod(int descriptor, mode_t mode) noexcept {
  static auto* const real = faults::next<int(int, mode_t)>("fchmod");
  const auto call = [&] { return real(descriptor, mode); };
  if (faults::idle()) return call();
  return faults::observed(faults::path_of(descriptor), call, [mode](faults::Op& op, int) {
    op.call = Call::seal;
    op.argument = mode;
  });
}

int renameat(int from_directory, const char* from, int to_directory, const char* to) noexcept {
  static auto* const real =
      faults::next<int(int, const char*, int, const char*) noexcept>("renameat");
  return faults::observed_rename(from_directory, from, to_directory, to, real);
}

int rename(const char* from, const char* to) noexcept {
  return renameat(AT_FDCWD, from, AT_FDCWD, to);
}

int unlinkat(int directory, const char* name, int flags) noexcept {
  static auto* const real = faults::next<int(int, const char*, int) noexcept>("unlinkat");
  return faults::observed_unlink(directory, name, flags, real);
}

int unlink(const char* name) noexcept { return unlinkat(AT_FDCWD, name, 0); }

int mkdirat(int directory, const char* name, mode_t mode) noexcept {
  static auto* const real = faults::next<int(int, const char*, mode_t) noexcept>("mkdirat");
  return faults::observed_make_dir(directory, name, mode, real);
}

int mkdir(const char* name, mode_t mode) noexcept { return mkdirat(AT_FDCWD, name, mode); }

}  // extern "C"
