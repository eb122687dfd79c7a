// What differs from CPU to CPU for both tenders; defined in each CPU's folder, which CMake picks.
#pragma once

#include <cstdint>
#include <string_view>

namespace tenders {

struct CpuFacts {
  std::string_view name;        // as manifests spell it: "x86_64"
  std::uint16_t elf_machine;
  std::uint32_t audit_arch;     // what a seccomp filter sees
  std::uint64_t stack_offset;   // the first stack pointer is the end of memory minus this
};

extern const CpuFacts kCpu;

/// The name of an ELF machine number: "aarch64", or "another CPU".
std::string_view cpu_name(std::uint16_t elf_machine);

}  // namespace tenders
