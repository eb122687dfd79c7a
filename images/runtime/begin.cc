#include "images/runtime/begin.h"

#include "images/runtime/console.h"

extern "C" {
std::uintptr_t __stack_chk_guard = 0x5bd1e995a7c3f100;
void __stack_chk_fail() { images::runtime::panic("a stack buffer overflowed"); }
using Constructor = void (*)();
extern const Constructor constructors_start[];
extern const Constructor constructors_end[];
}

namespace images::runtime {

void run_constructors() {
  for (const Constructor* c = constructors_start; c != constructors_end; ++c) (*c)();
}

}  // namespace images::runtime
