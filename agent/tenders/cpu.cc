#include "agent/tenders/cpu.h"

#include "images/abi/elf.h"

namespace tenders {

std::string_view cpu_name(std::uint16_t elf_machine) {
  if (elf_machine == images::abi::kElfMachineX86) return "x86_64";
  if (elf_machine == images::abi::kElfMachineAarch64) return "aarch64";
  return "another CPU";
}

}  // namespace tenders
