// How a guest of our runtime ends on the `virtio` platform, as the host sees it. Freestanding.
//
// The guest writes one byte v to QEMU's isa-debug-exit (started as
// `-device isa-debug-exit,iobase=0xf4,iosize=1`) and QEMU ends with the status (v << 1) | 1. The
// values keep clear of QEMU's own 0 (also: a guest reset under -no-reboot, a triple fault) and
// 1 (QEMU could not start), and of 126 and above, which shells use.
//
//   QEMU's status   v           meaning
//   33 + 2 n        0x10 + n    the guest ended by itself with exit status n, n = 0..31
//   97              0x30        abort: a fault, a failed check or out of memory; the console says
//                               `panic: ...` and the registers
//   0               -           the machine was reset without a word: take it for an abort
//   1               -           QEMU itself failed: its stderr says why
//   by signal       -           the monitor was killed
//
// On ARM64 QEMU's machine has no such device: the guest writes kEndedWords and its status as the
// last line of its console, or `panic: ...`, and switches itself off; QEMU ends with status 0.
#pragma once

#include <cstdint>
#include <string_view>

namespace images::abi {

inline constexpr std::uint16_t kDebugExitPort = 0xf4;
inline constexpr int kMaxExitStatus = 31;
inline constexpr std::uint8_t kExitBase = 0x10;
inline constexpr std::uint8_t kAbortValue = 0x30;
inline constexpr std::string_view kEndedWords = "runtime: ended with status ";

/// What a guest's status is told as: itself, or kMaxExitStatus if it is out of range.
constexpr int told_exit_status(int status) {
  return status < 0 || status > kMaxExitStatus ? kMaxExitStatus : status;
}

/// The byte that a guest writes to end with `status`.
constexpr std::uint8_t debug_exit_value(int status) {
  return static_cast<std::uint8_t>(kExitBase + told_exit_status(status));
}

/// QEMU's process status for such a byte.
constexpr int qemu_status(std::uint8_t value) { return (value << 1) | 1; }

/// True if QEMU's process status says that the guest ended by itself.
constexpr bool is_guest_exit(int status) {
  return status >= qemu_status(kExitBase) &&
         status <= qemu_status(kExitBase + kMaxExitStatus) && (status & 1) == 1;
}

/// The guest's exit status; only if is_guest_exit(status).
constexpr int guest_exit_status(int status) { return (status >> 1) - kExitBase; }

/// True if the guest aborted.
constexpr bool is_guest_abort(int status) { return status == qemu_status(kAbortValue); }

static_assert(qemu_status(debug_exit_value(0)) == 33);
static_assert(qemu_status(kAbortValue) == 97);

}  // namespace images::abi
