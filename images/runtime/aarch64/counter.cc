#include "images/runtime/counter.h"

namespace images::runtime {

std::uint64_t read_counter() {
  std::uint64_t value;
  asm volatile("isb; mrs %0, cntvct_el0" : "=r"(value) : : "memory");
  return value;
}

}  // namespace images::runtime
