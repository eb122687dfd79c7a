// The guest as a process under seccomp.
#include <asm/unistd.h>

#include "images/abi/kernel_call.h"
#include "images/runtime/spt/kernel.h"
#include "tests/e2e/guests/tender/guest.h"

namespace spt = images::runtime::spt;

namespace {
const images::abi::SptBootInfo* boot_info;
const images::abi::Manifest& manifest() {
  return *reinterpret_cast<const images::abi::Manifest*>(boot_info->manifest);
}
}  // namespace

void guest::say(std::string_view text) {
  kernel_call(__NR_write, spt::kConsole, reinterpret_cast<long>(text.data()),
              static_cast<long>(text.size()), 0, 0, 0);
}

void guest::leave(int status) { spt::leave(status); }

void guest::sleep_for_ever() { spt::wait_until(*boot_info, ~0ULL >> 1); }

bool guest::read_sector(std::uint32_t handle, std::uint64_t offset, void* to) {
  return kernel_call(__NR_pread64, static_cast<long>(manifest().entries[handle].descriptor),
                     reinterpret_cast<long>(to), 512, static_cast<long>(offset), 0, 0) == 512;
}

bool guest::write_sector(std::uint32_t handle, std::uint64_t offset, const void* from) {
  return kernel_call(__NR_pwrite64, static_cast<long>(manifest().entries[handle].descriptor),
                     reinterpret_cast<long>(from), 512, static_cast<long>(offset), 0, 0) == 512;
}

namespace {
alignas(512) std::uint8_t buffer[4096];
}

/// call NUMBER [ARGUMENT]...: any system call.
/// disk NUMBER DESCRIPTOR SIZE OFFSET: one of the two that move a disk's bytes, to a good place.
bool guest::act_by_target(std::string_view word, std::string_view rest, const Boot&) {
  if (word == "disk") {
    const auto call = static_cast<long>(number(cut(rest)));
    const auto descriptor = static_cast<long>(number(cut(rest)));
    const auto size = static_cast<long>(number(cut(rest)));
    const auto offset = static_cast<long>(number(cut(rest)));
    const long moved = kernel_call(call, descriptor, reinterpret_cast<long>(buffer), size, offset,
                                   0, 0);
    say("moved ");
    say_number(moved < 0 ? 0 : static_cast<std::uint64_t>(moved));
    say("\n");
    return true;
  }
  if (word != "call") return false;
  std::uint64_t words[7];
  for (std::uint64_t& one : words) one = number(cut(rest));
  const auto signed_of = [&words](int i) { return static_cast<long>(words[i]); };
  kernel_call(signed_of(0), signed_of(1), signed_of(2), signed_of(3), signed_of(4), signed_of(5),
              signed_of(6));
  say("the call was made\n");
  return true;
}

extern "C" [[noreturn]] void solo5_entry(const images::abi::SptBootInfo* info) {
  boot_info = info;
  guest::act({info->memory_bytes, reinterpret_cast<const char*>(info->command_line), &manifest()});
}
