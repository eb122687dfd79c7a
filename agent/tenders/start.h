// How a tender begins: what the kernel handed over, and the function that each program writes.
#pragma once

#include <cstdint>
#include <span>

namespace tenders {

struct StartInfo {
  std::span<const char* const> arguments;  // argv, the program's name included
  std::uint64_t page_bytes = 4096;         // the host's
  std::uint64_t started_ns = 0;            // monotonic, at the first instruction
};

/// The program. What it returns is its exit status.
int tender_main(const StartInfo& start);

}  // namespace tenders
