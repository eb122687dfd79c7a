// The platform `spt`: a process of the host that can make seven kinds of system call.
#include "images/runtime/platform.h"

#include <asm/unistd.h>

#include "images/abi/exit_codes.h"
#include "images/abi/kernel_call.h"
#include "images/abi/solo5.h"
#include "images/runtime/begin.h"
#include "images/runtime/console.h"
#include "images/runtime/counter.h"
#include "images/runtime/solo5/devices.h"
#include "images/runtime/spt/kernel.h"
#include "images/runtime/start.h"

extern "C" {
[[noreturn]] void solo5_start(const images::abi::SptBootInfo* info);
}

namespace images::runtime {
namespace {

constexpr std::uint64_t kNsPerMs = 1'000'000;

const abi::SptBootInfo* boot = nullptr;
std::uint64_t start_ns = 0;

long size_of(std::span<const std::uint8_t> bytes) { return static_cast<long>(bytes.size()); }

}  // namespace

bool solo5::read_block(const abi::ManifestEntry& device, std::uint32_t, std::uint64_t offset,
                       std::span<std::uint8_t> block) {
  return kernel_call(__NR_pread64, static_cast<long>(device.descriptor),
                     reinterpret_cast<long>(block.data()), size_of(block),
                     static_cast<long>(offset), 0, 0) == size_of(block);
}

bool solo5::write_block(const abi::ManifestEntry& device, std::uint32_t, std::uint64_t offset,
                        std::span<const std::uint8_t> block) {
  return kernel_call(__NR_pwrite64, static_cast<long>(device.descriptor),
                     reinterpret_cast<long>(block.data()), size_of(block),
                     static_cast<long>(offset), 0, 0) == size_of(block);
}

}  // namespace images::runtime

namespace images::runtime::platform {

void console_write(std::string_view text) {
  while (!text.empty()) {
    const long wrote = kernel_call(__NR_write, spt::kConsole, reinterpret_cast<long>(text.data()),
                                   static_cast<long>(text.size()), 0, 0, 0);
    if (wrote <= 0) return;  // nobody takes it
    text.remove_prefix(static_cast<std::size_t>(wrote));
  }
}

std::uint64_t monotonic_ms() { return (spt::clock_ns(1) - start_ns) / kNsPerMs; }

std::uint64_t ticks() { return read_counter(); }

bool net_send(std::size_t port, std::span<const std::uint8_t> frame) {
  return kernel_call(__NR_write, solo5::net_descriptor(port), reinterpret_cast<long>(frame.data()),
                     size_of(frame), 0, 0, 0) == size_of(frame);
}

std::size_t net_receive(std::size_t port, std::span<std::uint8_t> buffer) {
  const long got = kernel_call(__NR_read, solo5::net_descriptor(port),
                               reinterpret_cast<long>(buffer.data()), size_of(buffer), 0, 0, 0);
  return got > 0 ? static_cast<std::size_t>(got) : 0;
}

void wait_for_work(std::uint64_t deadline_ms) {
  spt::wait_until(*boot, start_ns + deadline_ms * kNsPerMs);
}

void exit(int status) { spt::leave(abi::told_exit_status(status)); }

void abort() { spt::leave(abi::kAbortStatus); }

}  // namespace images::runtime::platform

/// From solo5_entry.S. Sets the stack guard, so it has none of its own, and never returns.
__attribute__((no_stack_protector)) void solo5_start(const images::abi::SptBootInfo* info) {
  namespace runtime = images::runtime;
  runtime::mix_stack_guard(runtime::read_counter());
  runtime::run_constructors();
  runtime::boot = info;
  runtime::start_ns = runtime::spt::clock_ns(1);
  runtime::solo5::take_boot_info(*reinterpret_cast<const images::abi::Manifest*>(info->manifest),
                                 info->memory_bytes);
  runtime::start();
}
