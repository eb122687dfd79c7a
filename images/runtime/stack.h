// What lies below the stack.
#pragma once

#include <cstdint>

namespace images::runtime {

/// True if the address lies in the page that is missing below the stack; by each platform whose
/// guests are told of their faults.
bool in_stack_guard(std::uint64_t address);

}  // namespace images::runtime
