// KVM as the tender uses it: one machine, one memory, one CPU. The only file that opens /dev/kvm.
#pragma once

#include <cstdint>

#include "agent/tenders/failure.h"
#include "agent/tenders/guest_memory.h"
#include "agent/tenders/trap.h"

struct kvm_run;

namespace tenders::hvt {

struct Vm {
  int kvm = -1;
  int machine = -1;
  int cpu = -1;
  kvm_run* run = nullptr;  // shared with the kernel
  std::uint8_t* memory = nullptr;
  std::uint64_t memory_bytes = 0;
};

inline constexpr std::uint64_t kPage = 4096;
inline constexpr std::uint64_t kLargePage = 2 * 1024 * 1024;

/// An entry of a table in the guest's memory. address: below memory_bytes, a multiple of 8
inline void put(const Vm& vm, std::uint64_t address, std::uint64_t value) {
  *reinterpret_cast<std::uint64_t*>(vm.memory + address) = value;
}

/// Make machine, memory (zero, at guest address 0) and CPU. memory_bytes: a multiple of 2 MiB.
/// errors not_supported (no KVM, or one without what we need) | no_memory | io
/// in      kvm: a descriptor of /dev/kvm, or -1 to open it
[[nodiscard]] bool make_vm(int kvm, std::uint64_t memory_bytes, Vm& vm, Failure& failure);

/// A KVM call, repeated when a signal came between.
long kvm_call(int descriptor, unsigned long request, void* argument);

/// The address size to ask for when the machine is made (KVM_CREATE_VM's type); by each CPU.
unsigned long machine_type(int kvm);

/// Tables, registers and the entry; by each CPU.
/// out     cycles_per_second: of the counter that the guest reads
/// errors  not_supported | io
[[nodiscard]] bool set_up_cpu(const Vm& vm, std::uint64_t entry, std::uint64_t& cycles_per_second,
                              Failure& failure);

/// Why the CPU came back.
struct Exit {
  enum class Kind {
    hypercall,
    bad_access,        // to an address where the guest has nothing
    bad_port,          // x86_64: I/O that is no hypercall
    protected_memory,  // to its own memory, against the rights of a segment
    triple_fault,
    halted,
    broken,            // KVM itself failed
  } kind = Kind::broken;
  std::uint32_t call = 0;               // hypercall: its number, of any value
  GuestAddress argument{};              // hypercall: where its struct lies
  std::uint64_t address = 0;            // bad_access; bad_port: its number
  std::uint32_t reason = 0;             // broken: KVM's number
  std::uint32_t detail = 0;
};

/// What the last KVM_RUN left; by each CPU.
Exit read_exit(const Vm& vm);

/// What led to an abort that the guest told, by the record that it left (nullptr: none) or by what
/// its CPU still knows; by each CPU. `trap` stays empty if there is nothing.
void read_abort(const Vm& vm, const std::uint8_t* record, Trap& trap);

/// Pc and registers of a guest that ended without its own word; by each CPU.
void read_registers(const Vm& vm, Trap& trap);

/// The KVM calls on the CPU's descriptor that those two make; all of them only read. By each CPU.
std::span<const unsigned long> reading_calls();

}  // namespace tenders::hvt
