// The platform `hvt`: a virtual machine without devices, all by hypercalls.
#include "images/runtime/platform.h"

#include "images/abi/exit_codes.h"
#include "images/abi/solo5.h"
#include "images/runtime/begin.h"
#include "images/runtime/console.h"
#include "images/runtime/counter.h"
#include "images/runtime/hvt/hypercall.h"
#include "images/runtime/solo5/devices.h"
#include "images/runtime/stack.h"
#include "images/runtime/start.h"

extern "C" {
[[noreturn]] void solo5_start(const images::abi::HvtBootInfo* info);
}

namespace images::runtime {
namespace {

using abi::Hypercall;

constexpr std::uint64_t kNsPerMs = 1'000'000;
constexpr std::uint64_t kNsPerSecond = 1'000'000'000;

__extension__ using Wide = unsigned __int128;

std::uint64_t start_ticks = 0;
std::uint64_t ns_per_tick = 0;  // times 2^32: a multiplication instead of a division per look

std::uint64_t address_of(const void* place) { return reinterpret_cast<std::uint64_t>(place); }

void start_clock(std::uint64_t cycles_per_second) {
  if (cycles_per_second == 0) panic("the host does not say how fast its clock is");
  ns_per_tick = (kNsPerSecond << 32) / cycles_per_second;
  start_ticks = read_counter();
}

std::uint64_t clock_ns() {
  return static_cast<std::uint64_t>((Wide{read_counter() - start_ticks} * ns_per_tick) >> 32);
}

[[noreturn]] void halt(int status, const void* record) {
  abi::HaltCall call{address_of(record), status, 0};
  for (;;) hvt::hypercall(Hypercall::halt, call);
}

}  // namespace

bool solo5::read_block(const abi::ManifestEntry&, std::uint32_t handle, std::uint64_t offset,
                       std::span<std::uint8_t> block) {
  abi::BlockCall call{handle, offset, address_of(block.data()), block.size(), 0, 0};
  hvt::hypercall(Hypercall::block_read, call);
  return call.result == abi::kSolo5Ok;
}

bool solo5::write_block(const abi::ManifestEntry&, std::uint32_t handle, std::uint64_t offset,
                        std::span<const std::uint8_t> block) {
  abi::BlockCall call{handle, offset, address_of(block.data()), block.size(), 0, 0};
  hvt::hypercall(Hypercall::block_write, call);
  return call.result == abi::kSolo5Ok;
}

/// A stack that overflows writes to constants, which the tender sees and the guest is not told.
bool in_stack_guard(std::uint64_t) { return false; }

}  // namespace images::runtime

namespace images::runtime::platform {

void console_write(std::string_view text) {
  abi::PutsCall call{address_of(text.data()), text.size()};
  hvt::hypercall(abi::Hypercall::puts, call);
}

std::uint64_t monotonic_ms() { return clock_ns() / kNsPerMs; }

std::uint64_t ticks() { return read_counter(); }

bool net_send(std::size_t port, std::span<const std::uint8_t> frame) {
  abi::NetCall call{solo5::net_handle(port), address_of(frame.data()), frame.size(), 0, 0};
  hvt::hypercall(abi::Hypercall::net_write, call);
  return call.result == abi::kSolo5Ok;
}

std::size_t net_receive(std::size_t port, std::span<std::uint8_t> buffer) {
  abi::NetCall call{solo5::net_handle(port), address_of(buffer.data()), buffer.size(), 0, 0};
  hvt::hypercall(abi::Hypercall::net_read, call);
  return call.result == abi::kSolo5Ok ? static_cast<std::size_t>(call.size) : 0;
}

void wait_for_work(std::uint64_t deadline_ms) {
  const std::uint64_t now = clock_ns();
  const std::uint64_t deadline = deadline_ms * kNsPerMs;
  if (deadline <= now) return;
  abi::PollCall call{deadline - now, 0, 0, 0};
  hvt::hypercall(abi::Hypercall::poll, call);
}

void exit(int status) {
  halt(abi::told_exit_status(status), nullptr);
}

void abort() { halt(abi::kAbortStatus, hvt::trap_record()); }

}  // namespace images::runtime::platform

/// From solo5_entry.S. Sets the stack guard, so it has none of its own, never returns.
__attribute__((no_stack_protector)) void solo5_start(const images::abi::HvtBootInfo* info) {
  namespace runtime = images::runtime;
  runtime::hvt::start_cpu();
  runtime::mix_stack_guard(runtime::read_counter());
  runtime::run_constructors();
  runtime::start_clock(info->cycles_per_second);
  runtime::solo5::take_boot_info(*reinterpret_cast<const images::abi::Manifest*>(info->manifest),
                                 info->memory_bytes);
  runtime::start();
}
