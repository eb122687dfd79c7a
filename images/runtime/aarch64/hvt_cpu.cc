// An hvt guest's CPU: faults are told, there are no interrupts, and the pages stay the tender's.
#include "images/abi/traps.h"
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
  print("panic: ", images::abi::trap_name_aarch64(syndrome), " ", Hex{address},
        address < 4096 ? " (null pointer)" : "", ", pc ", Hex{at});
  print("  pc ", Hex{at}, " syndrome ", Hex{syndrome}, " address ", Hex{address}, " vector ", kind);
  platform::abort();
}
