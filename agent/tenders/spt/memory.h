// The memory of an spt guest: part of this process, at the guest's own addresses.
#pragma once

#include <cstdint>

#include "agent/tenders/failure.h"
#include "agent/tenders/guest_memory.h"
#include "agent/tenders/prepare.h"
#include "agent/tenders/wait_set.h"

namespace tenders::spt {

/// Map [abi::kGuestFirstPage, size) of zero pages at exactly that place. Below nothing is mapped.
/// errors no_memory | conflict (something of this process or the host's limits is there)
[[nodiscard]] bool map_memory(std::uint64_t size_bytes, bool executable, GuestMemory& memory,
                              Failure& failure);

/// Give every segment its own rights, and none to write what lies below the image.
/// errors io
[[nodiscard]] bool protect_memory(const Image& image, Failure& failure);

/// Write boot information, manifest and command line where the guest looks for them.
/// Returns the first address behind them.
std::uint64_t write_boot_info(const Prepared& prepared, const WaitSet& set,
                              const GuestMemory& memory);

}  // namespace tenders::spt
