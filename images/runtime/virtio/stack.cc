// The stack of a machine, on which its boot code starts, and the page below it.
#include "images/runtime/stack.h"

extern "C" {
// `stack_top` is told to the assembler below; memory.cc of each CPU takes the first page away.
[[gnu::section(".bss.stack"), gnu::used]] alignas(4096)
std::uint8_t stack_with_guard[4096 + 128 * 1024];
asm(".globl stack_top\n.set stack_top, stack_with_guard + 4096 + 128 * 1024");
}

bool images::runtime::in_stack_guard(std::uint64_t address) {
  const auto guard = reinterpret_cast<std::uint64_t>(stack_with_guard);
  return address >= guard && address < guard + 4096;
}
