#include "agent/tenders/sys.h"

#include <asm/stat.h>
#include <asm/unistd.h>
#include <linux/errno.h>
#include <linux/fcntl.h>

#include "images/abi/kernel_call.h"

namespace tenders::sys {
namespace {

long number_of(const void* address) { return reinterpret_cast<long>(address); }
long number_of(std::size_t size) { return static_cast<long>(size); }

struct KernelTime {
  std::int64_t seconds;
  std::int64_t nanoseconds;
};

// File types in st_mode; linux/stat.h hides them when glibc's headers are about.
constexpr unsigned kTypeMask = 0170000;
constexpr unsigned kSocket = 0140000;
constexpr unsigned kRegular = 0100000;
constexpr unsigned kBlockDevice = 0060000;

struct ErrorName {
  int number;
  std::string_view text;
};

constexpr ErrorName kErrors[] = {
    {EPERM, "Operation not permitted"},
    {ENOENT, "No such file or directory"},
    {EINTR, "Interrupted"},
    {EIO, "Input/output error"},
    {ENXIO, "No such device or address"},
    {E2BIG, "Argument list too long"},
    {EBADF, "No such descriptor"},
    {EAGAIN, "Resource temporarily unavailable"},
    {ENOMEM, "Out of memory"},
    {EACCES, "Permission denied"},
    {EFAULT, "Bad address"},
    {EBUSY, "Device or resource busy"},
    {EEXIST, "Exists already"},
    {ENODEV, "No such device"},
    {ENOTDIR, "Not a directory"},
    {EISDIR, "Is a directory"},
    {EINVAL, "Invalid argument"},
    {EMFILE, "Too many open files"},
    {ENOTTY, "Not a device of this kind"},
    {ETXTBSY, "File is being written or run"},
    {EFBIG, "File too large"},
    {ENOSPC, "No space left on device"},
    {EROFS, "Read-only file system"},
    {EPIPE, "Nobody reads"},
    {ENOSYS, "The kernel does not have this call"},
    {EOPNOTSUPP, "Not supported"},
    {ENETDOWN, "Network is down"},
};

}  // namespace

long call(long number, long a, long b, long c, long d, long e, long f) {
  return kernel_call(number, a, b, c, d, e, f);
}

long read(int descriptor, std::span<std::uint8_t> to) {
  return call(__NR_read, descriptor, number_of(to.data()), number_of(to.size()));
}

long write(int descriptor, std::span<const std::uint8_t> from) {
  return call(__NR_write, descriptor, number_of(from.data()), number_of(from.size()));
}

long read_at(int descriptor, std::span<std::uint8_t> to, std::uint64_t offset) {
  return call(__NR_pread64, descriptor, number_of(to.data()), number_of(to.size()),
              static_cast<long>(offset));
}

long write_at(int descriptor, std::span<const std::uint8_t> from, std::uint64_t offset) {
  return call(__NR_pwrite64, descriptor, number_of(from.data()), number_of(from.size()),
              static_cast<long>(offset));
}

void write_text(int descriptor, std::string_view text) {
  while (!text.empty()) {
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(text.data());
    const long wrote = write(descriptor, {bytes, text.size()});
    if (wrote == -EINTR) continue;
    if (wrote <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(wrote));
  }
}

long open(const char* path, int flags) {
  return call(__NR_openat, AT_FDCWD, number_of(path), flags | O_CLOEXEC, 0);
}

long close(int descriptor) { return call(__NR_close, descriptor); }

long control(int descriptor, unsigned long request, void* argument) {
  return call(__NR_ioctl, descriptor, static_cast<long>(request), number_of(argument));
}

long control(int descriptor, unsigned long request, unsigned long argument) {
  return call(__NR_ioctl, descriptor, static_cast<long>(request), static_cast<long>(argument));
}

long file_flags(int descriptor) { return call(__NR_fcntl, descriptor, F_GETFL); }

long set_file_flags(int descriptor, int flags) {
  return call(__NR_fcntl, descriptor, F_SETFL, flags);
}

long facts(int descriptor, FileFacts& out) {
  struct stat buffer {};
  const long result = call(__NR_fstat, descriptor, number_of(&buffer));
  if (result < 0) return result;
  const unsigned type = buffer.st_mode & kTypeMask;
  out.regular = type == kRegular;
  out.block_device = type == kBlockDevice;
  out.socket = type == kSocket;
  out.size_bytes = static_cast<std::uint64_t>(buffer.st_size);
  return 0;
}

long map(std::uint64_t address, std::uint64_t size, int protection, int flags) {
  return call(__NR_mmap, static_cast<long>(address), static_cast<long>(size), protection, flags, -1,
              0);
}

long protect(std::uint64_t address, std::uint64_t size, int protection) {
  return call(__NR_mprotect, static_cast<long>(address), static_cast<long>(size), protection);
}

long unmap(std::uint64_t address, std::uint64_t size) {
  return call(__NR_munmap, static_cast<long>(address), static_cast<long>(size));
}

std::uint64_t now_ns(int clock) {
  KernelTime time{};
  call(__NR_clock_gettime, clock, number_of(&time));
  return static_cast<std::uint64_t>(time.seconds) * 1'000'000'000 +
         static_cast<std::uint64_t>(time.nanoseconds);
}

long random_bytes(std::span<std::uint8_t> out) {
  return call(__NR_getrandom, number_of(out.data()), number_of(out.size()), 0);
}

void exit(int status) {
  for (;;) call(__NR_exit_group, status);
}

std::string_view error_text(long result) {
  for (const ErrorName& error : kErrors) {
    if (error.number == -result) return error.text;
  }
  return "the kernel refused";
}

}  // namespace tenders::sys
