// What a guest's CPU held when it ended against its will.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace tenders {

struct TrapRegister {
  std::string_view name;  // as the CPU's manual has it: "rip"
  std::uint64_t value = 0;
};

struct Trap {
  static constexpr std::size_t kMaxRegisters = 40;

  std::string_view kind;                 // "page fault"; empty: nothing is known, nothing is told
  std::optional<std::uint64_t> pc;
  std::optional<std::uint64_t> address;  // that it could not use
  std::array<TrapRegister, kMaxRegisters> registers{};
  std::size_t register_count = 0;

  /// What does not fit is left out.
  void add(std::string_view name, std::uint64_t value) {
    if (register_count < registers.size()) registers[register_count++] = {name, value};
  }
};

}  // namespace tenders
