// An hvt guest's CPU: faults are told, there are no interrupts, and the pages stay the tender's.
#include <string_view>

#include "images/runtime/console.h"
#include "images/runtime/hvt/hypercall.h"
#include "images/runtime/platform.h"

extern "C" {
extern const std::uint8_t exception_vectors[];
[[noreturn]] void handle_exception(std::uint64_t kind, std::uint64_t syndrome, std::uint64_t at,
                                   std::uint64_t address);
}

namespace images::runtime::hvt {
namespace {

bool dying = false;

std::string_view name_of(std::uint64_t syndrome) {
  switch (syndrome >> 26) {
    case 0x00: return "unknown instruction";
    case 0x0e: return "illegal state";
    case 0x15: return "system call";
    case 0x18: return "forbidden system register";
    case 0x20:
    case 0x21: return "page fault executing";
    case 0x22: return "misaligned instruction";
    case 0x24:
    case 0x25: return (syndrome & 0x40) != 0 ? "page fault writing" : "page fault reading";
    case 0x26: return "misaligned stack";
    case 0x3c: return "breakpoint";
    default: return "exception";
  }
}

}  // namespace

void start_cpu() {
  asm volatile("msr vbar_el1, %0; isb" : : "r"(exception_vectors) : "memory");
}

const void* trap_record() { return nullptr; }

}  // namespace images::runtime::hvt

void handle_exception(std::uint64_t kind, std::uint64_t syndrome, std::uint64_t at,
                      std::uint64_t address) {
  using namespace images::runtime;
  if (hvt::dying) platform::abort();  // a fault while telling of a fault
  hvt::dying = true;
  print("panic: ", hvt::name_of(syndrome), " ", Hex{address},
        address < 4096 ? " (null pointer)" : "", ", pc ", Hex{at});
  print("  pc ", Hex{at}, " syndrome ", Hex{syndrome}, " address ", Hex{address}, " vector ", kind);
  platform::abort();
}
