#include "images/runtime/aarch64/traps.h"

#include <cstdint>

#include "images/abi/traps.h"
#include "images/runtime/console.h"
#include "images/runtime/platform.h"
#include "images/runtime/stack.h"

namespace images::runtime::arm64 {

// As vectors.S writes it.
struct TrapFrame {
  std::uint64_t x[31];
  std::uint64_t sp, pc, state, syndrome, address, kind;
};
static_assert(sizeof(TrapFrame) == 37 * 8);

}  // namespace images::runtime::arm64

extern "C" {
extern const std::uint8_t exception_vectors[];
images::runtime::arm64::TrapFrame trap_frame;
[[noreturn]] void handle_exception(const images::runtime::arm64::TrapFrame* frame);
}

namespace images::runtime::arm64 {
namespace {

bool dying = false;

}  // namespace

void start_traps() {
  asm volatile("msr vbar_el1, %0; isb" : : "r"(exception_vectors) : "memory");
}

}  // namespace images::runtime::arm64

void handle_exception(const images::runtime::arm64::TrapFrame* frame) {
  using namespace images::runtime;
  if (arm64::dying) platform::abort();  // a fault while telling of a fault
  arm64::dying = true;
  const arm64::TrapFrame& f = *frame;
  const char* hint = f.address < 4096                      ? " (null pointer)"
                     : in_stack_guard(f.address)           ? " (stack overflow)"
                                                           : "";
  print("panic: ", images::abi::trap_name_aarch64(f.syndrome), " ", Hex{f.address}, hint, ", pc ",
        Hex{f.pc});
  print("  pc ", Hex{f.pc}, " sp ", Hex{f.sp}, " state ", Hex{f.state}, " syndrome ",
        Hex{f.syndrome}, " address ", Hex{f.address}, " vector ", f.kind);
  for (std::size_t i = 0; i < 30; i += 6) {
    print("  x", i, " ", Hex{f.x[i]}, " x", i + 1, " ", Hex{f.x[i + 1]}, " x", i + 2, " ",
          Hex{f.x[i + 2]}, " x", i + 3, " ", Hex{f.x[i + 3]}, " x", i + 4, " ", Hex{f.x[i + 4]},
          " x", i + 5, " ", Hex{f.x[i + 5]});
  }
  print("  x30 ", Hex{f.x[30]});
  platform::abort();
}
