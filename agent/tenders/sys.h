// The system calls that the tenders make, without a C library. Each returns what the kernel does:
// a result, or a negative errno. Never retries; the caller decides.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace tenders::sys {

/// A call that a seccomp filter of ours names, as the kernel numbers it on this CPU.
long call(long number, long a = 0, long b = 0, long c = 0, long d = 0, long e = 0, long f = 0);

long read(int descriptor, std::span<std::uint8_t> to);
long write(int descriptor, std::span<const std::uint8_t> from);
long read_at(int descriptor, std::span<std::uint8_t> to, std::uint64_t offset);
long write_at(int descriptor, std::span<const std::uint8_t> from, std::uint64_t offset);
/// All of the text, as far as the descriptor takes it without waiting for more than its buffer.
void write_text(int descriptor, std::string_view text);

/// `path` ends with a NUL.
long open(const char* path, int flags);
long close(int descriptor);
long control(int descriptor, unsigned long request, void* argument);
long control(int descriptor, unsigned long request, unsigned long argument);
long file_flags(int descriptor);
long set_file_flags(int descriptor, int flags);

/// What fstat says, as far as the tenders ask.
struct FileFacts {
  bool regular = false;
  bool block_device = false;
  bool socket = false;
  std::uint64_t size_bytes = 0;
};
long facts(int descriptor, FileFacts& out);

long map(std::uint64_t address, std::uint64_t size, int protection, int flags);
long protect(std::uint64_t address, std::uint64_t size, int protection);
long unmap(std::uint64_t address, std::uint64_t size);

inline constexpr int kRealtime = 0;   // CLOCK_REALTIME
inline constexpr int kMonotonic = 1;  // CLOCK_MONOTONIC

/// Nanoseconds of one of these clocks.
std::uint64_t now_ns(int clock);
long random_bytes(std::span<std::uint8_t> out);

[[noreturn]] void exit(int status);

/// The kernel's word for an error: "No such file or directory". `result` is the negative errno.
std::string_view error_text(long result);

}  // namespace tenders::sys
