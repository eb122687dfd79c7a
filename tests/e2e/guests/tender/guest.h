// A guest without a runtime, for the tests of the tenders: what it does is one word of its command
// line. It may do everything wrong that a guest can do.
#pragma once

#include <cstdint>
#include <string_view>

#include "images/abi/solo5.h"

namespace guest {

/// What the tender handed over, alike for both targets.
struct Boot {
  std::uint64_t memory_bytes = 0;
  std::string_view command_line;
  const images::abi::Manifest* manifest = nullptr;
};

/// Does what the command line says and ends the guest.
[[noreturn]] void act(const Boot& boot);

// By each target.
void say(std::string_view text);
[[noreturn]] void leave(int status);
void sleep_for_ever();
/// 512 bytes of a block device. False: the host could not, or would not.
bool read_sector(std::uint32_t handle, std::uint64_t offset, void* to);
bool write_sector(std::uint32_t handle, std::uint64_t offset, const void* from);
/// What only this target's guests can do wrong. False: no such word.
bool act_by_target(std::string_view word, std::string_view rest, const Boot& boot);

/// In decimal, on the console.
void say_number(std::uint64_t value);
/// A decimal number; 0 if it is none.
std::uint64_t number(std::string_view text);
/// Take the first word off.
std::string_view cut(std::string_view& text);

}  // namespace guest
