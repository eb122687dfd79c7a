// The way from the tender into an spt guest, of no return: what is left of the tender is one page
// of code without data.
#pragma once

#include <cstdint>

namespace tenders::spt {

/// Read by enter.S of each CPU: keep the order.
struct Enter {
  std::uint64_t low_begin;   // [begin, begin + size) is unmapped: all between the guest's memory
  std::uint64_t low_size;    // and the last page of code
  std::uint64_t high_begin;  // and all behind that page
  std::uint64_t high_size;
  std::uint64_t filter;      // a sock_fprog in the guest's memory
  std::uint64_t entry;
  std::uint64_t stack;
  std::uint64_t boot_info;
};

/// First address that no program can have on this host. The CPU's folder knows where to look.
std::uint64_t end_of_addresses();

extern "C" {
/// The page that stays: begin and end of enter.S.
extern const std::uint8_t spt_trampoline[] __attribute__((visibility("hidden")));
[[noreturn]] void spt_enter(const Enter* enter) __attribute__((visibility("hidden")));
}

}  // namespace tenders::spt
