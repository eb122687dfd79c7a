#include "images/runtime/aarch64/traps.h"

#include <cstdint>

#include "images/abi/traps.h"
#include "images/runtime/aarch64/memory.h"
#include "images/runtime/console.h"
#include "images/runtime/platform.h"

extern "C" {
extern const std::uint8_t exception_vectors[];
[[noreturn]] void handle_exception(std::uint64_t kind, std::uint64_t syndrome, std::uint64_t at,
                                   std::uint64_t address);
}

namespace images::runtime::arm64 {
namespace {

bool dying = false;

}  // namespace

void start_traps() {
  asm volatile("msr vbar_el1, %0; isb" : : "r"(exception_vectors) : "memory");
}

}  // namespace images::runtime::arm64

void handle_exception(std::uint64_t kind, std::uint64_t syndrome, std::uint64_t at,
                      std::uint64_t address) {
  using namespace images::runtime;
  if (arm64::dying) platform::abort();  // a fault while telling of a fault
  arm64::dying = true;
  const char* hint = address < 4096                    ? " (null pointer)"
                     : arm64::in_stack_guard(address) ? " (stack overflow)"
                                                      : "";
  print("panic: ", images::abi::trap_name_aarch64(syndrome), " ", Hex{address}, hint, ", pc ",
        Hex{at});
  print("  pc ", Hex{at}, " syndrome ", Hex{syndrome}, " address ", Hex{address}, " vector ", kind);
  platform::abort();
}
