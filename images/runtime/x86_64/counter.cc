#include "images/runtime/counter.h"

#include "images/runtime/x86_64/cpu.h"

namespace images::runtime {

std::uint64_t read_counter() { return x86::read_tsc(); }

}  // namespace images::runtime
