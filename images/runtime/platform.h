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

/// Bring up the network device with this address. False: there is no such device.
bool net_open(std::span<const std::uint8_t, 6> mac);

/// Send one Ethernet frame (without FCS, 14..1514 bytes). False: no room now, the frame is dropped.
bool net_send(std::span<const std::uint8_t> frame);

/// Take one received frame into the buffer. Returns its bytes; 0 = none waits. A frame longer than
/// the buffer is dropped.
std::size_t net_receive(std::span<std::uint8_t> buffer);

/// Sleep until a frame waits or monotonic_ms() reaches the deadline; may return early.
void wait_for_work(std::uint64_t deadline_ms);

/// End the guest with a status of 0..31 (images/abi/exit_codes.h).
[[noreturn]] void exit(int status);

/// End the guest as failed, after panic() has said why.
[[noreturn]] void abort();

}  // namespace images::runtime::platform
