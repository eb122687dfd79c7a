// What the runtime asks of the platform under it: console, clock, network frames, sleep, end.
//
// One folder per platform (virtio; hvt and spt come beside) and one per CPU implement it; nothing
// above this header knows which. Single-threaded; no function here allocates.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace images::runtime::platform {

/// Write text to the console. Never blocks for long: what a stalled console cannot take is lost.
void console_write(std::string_view text);

/// Milliseconds since the start of the guest, never backwards.
std::uint64_t monotonic_ms();

/// A fast counter of unspecified rate, for jitter in the random generator.
std::uint64_t ticks();

/// The archive of images/abi/config_volume.h; empty if the host gave none.
std::span<const std::uint8_t> config_volume();

/// The memory that is left for the appliance, beside image, stack and config volume.
std::span<std::uint8_t> free_memory();

inline constexpr std::size_t kMaxPorts = 8;

/// Bring up the network device with this address as a port, 0..kMaxPorts - 1, each once and before
/// free_memory() is asked for: what a device needs is taken from there. False: there is no such
/// device, or no memory for it.
bool net_open(std::size_t port, std::span<const std::uint8_t, 6> mac);

/// Send one Ethernet frame (without FCS, 14..1518 bytes) from an open port. False: no room now, the
/// frame is dropped.
bool net_send(std::size_t port, std::span<const std::uint8_t> frame);

/// Take one frame that an open port received into the buffer. Returns its bytes; 0 = none waits. A
/// frame longer than the buffer is dropped.
std::size_t net_receive(std::size_t port, std::span<std::uint8_t> buffer);

/// A block device: a volume of the manifest, which on hvt and spt the image declares. The host
/// checks all bounds.
struct Volume {
  std::uint32_t handle = 0;          // 0: there is none of that name
  std::uint32_t block_bytes = 0;     // what is read or written at once
  std::uint64_t capacity_bytes = 0;  // a multiple of it
};

/// The volume of that name.
Volume find_volume(std::string_view name);

/// Read or write one block, at an offset that is a multiple of its size; `block` is as long. When
/// write returns, the host has it: how soon the disk does is the manifest's `sync`. False: the host
/// could not.
bool volume_read(const Volume& volume, std::uint64_t offset, std::span<std::uint8_t> block);
bool volume_write(const Volume& volume, std::uint64_t offset, std::span<const std::uint8_t> block);

/// Sleep until a frame waits or monotonic_ms() reaches the deadline; may return early.
void wait_for_work(std::uint64_t deadline_ms);

/// End the guest with a status of 0..31 (images/abi/exit_codes.h).
[[noreturn]] void exit(int status);

/// End the guest as failed, after panic() has said why.
[[noreturn]] void abort();

}  // namespace images::runtime::platform
