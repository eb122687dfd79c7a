// The memory of an hvt guest: what it finds there, and what even the tender must not write for it.
#pragma once

#include <cstdint>

#include "agent/tenders/failure.h"
#include "agent/tenders/guest_memory.h"
#include "agent/tenders/hvt/kvm.h"
#include "agent/tenders/prepare.h"

namespace tenders::hvt {

/// --mem as the ABI wants it: whole 2 MiB, at least one, at most 4 GiB. errors bad_argument
[[nodiscard]] bool memory_size(std::uint64_t memory_mib, std::uint64_t& size_bytes,
                               Failure& failure);

/// Write boot information, manifest and command line.
void write_boot_info(const Prepared& prepared, std::uint64_t cycles_per_second,
                     const GuestMemory& memory);

/// Protect the image's segments in the host, where the guest's own tables allow everything: the
/// guest's writes to its text then fail in KVM. Executable is only readable here. errors io
[[nodiscard]] bool protect_memory(const Image& image, const Vm& vm, GuestMemory& memory,
                                  Failure& failure);

}  // namespace tenders::hvt
