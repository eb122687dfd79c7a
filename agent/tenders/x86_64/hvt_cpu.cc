// An hvt guest's CPU on x86_64: long mode from the first instruction, all mapped where it is.
#include <linux/kvm.h>

#include "agent/tenders/cpu.h"
#include "agent/tenders/hvt/kvm.h"
#include "agent/tenders/sys.h"
#include "images/abi/solo5.h"
#include "images/abi/traps.h"

namespace tenders::hvt {
namespace {

namespace abi = images::abi;
using proto::Code;

// Where the tables lie in the guest's memory; page 0 stays empty.
constexpr std::uint64_t kSegmentTable = 0x1000;
constexpr std::uint64_t kPageMap = 0x2000;
constexpr std::uint64_t kDirectoryPointers = 0x3000;
constexpr std::uint64_t kDirectories = 0x4000;  // four of them
constexpr std::uint64_t kFirstTable = 0x8000;   // the first 2 MiB in small pages

constexpr std::uint64_t kPresent = 1;
constexpr std::uint64_t kWritable = 2;
constexpr std::uint64_t kLarge = 0x80;

constexpr std::uint64_t kCr0 = 0x80010021;  // PE, NE, WP, PG
constexpr std::uint64_t kCr0Protected = 1;
constexpr std::uint64_t kCr4 = 0x620;       // PAE, OSFXSR, OSXMMEXCPT
constexpr std::uint64_t kEfer = 0x500;      // LME, LMA
constexpr std::uint16_t kCodeSelector = 8;
constexpr std::uint16_t kDataSelector = 16;

// linux/kvm.h's flexible arrays have another size in C++, and the size is in the call's number.
constexpr std::uint32_t kMaxCpuidEntries = 256;
struct CpuidTable {
  std::uint32_t count;
  std::uint32_t padding;
  kvm_cpuid_entry2 entries[kMaxCpuidEntries];
};
static_assert(sizeof(kvm_cpuid_entry2) == 40);
constexpr unsigned long kGetSupportedCpuid = 0xC008AE05;
constexpr unsigned long kSetCpuid = 0x4008AE90;

void write_tables(const Vm& vm) {
  put(vm, kSegmentTable + kCodeSelector, 0x00af99000000ffff);
  put(vm, kSegmentTable + kDataSelector, 0x00cf93000000ffff);
  put(vm, kPageMap, kDirectoryPointers | kPresent | kWritable);
  for (std::uint64_t i = 0; i < 4; ++i) {
    put(vm, kDirectoryPointers + 8 * i, (kDirectories + kPage * i) | kPresent | kWritable);
  }
  put(vm, kDirectories, kFirstTable | kPresent | kWritable);
  for (std::uint64_t at = kLargePage; at < vm.memory_bytes; at += kLargePage) {
    put(vm, kDirectories + 8 * (at / kLargePage), at | kPresent | kWritable | kLarge);
  }
  for (std::uint64_t at = abi::kGuestFirstPage; at < kLargePage; at += kPage) {
    const std::uint64_t rights = at < abi::kGuestImageStart ? kPresent : kPresent | kWritable;
    put(vm, kFirstTable + 8 * (at / kPage), at | rights);
  }
}

kvm_segment segment(std::uint16_t selector, std::uint8_t type, bool code) {
  kvm_segment made{};
  made.limit = 0xffffffff;
  made.selector = selector;
  made.type = type;
  made.present = 1;
  made.s = 1;
  made.g = 1;
  made.l = code ? 1 : 0;
  made.db = code ? 0 : 1;
  return made;
}

bool set_system_registers(const Vm& vm, Failure& failure) {
  kvm_sregs registers{};
  long result = kvm_call(vm.cpu, KVM_GET_SREGS, &registers);
  if (result >= 0) {
    registers.cr0 = kCr0;
    registers.cr3 = kPageMap;
    registers.cr4 = kCr4;
    registers.efer = kEfer;
    registers.apic_base = 0;  // no APIC, and CPUID says so
    registers.cs = segment(kCodeSelector, 9, true);
    const kvm_segment data = segment(kDataSelector, 3, false);
    registers.ss = registers.ds = registers.es = registers.fs = registers.gs = data;
    registers.tr = {};
    registers.tr.type = 11;  // a task state, never used; absent is not allowed
    registers.tr.present = 1;
    registers.ldt = {};
    registers.ldt.unusable = 1;
    registers.gdt = {};
    registers.gdt.base = kSegmentTable;
    registers.gdt.limit = 23;
    registers.idt = {};  // the guest installs its own
    result = kvm_call(vm.cpu, KVM_SET_SREGS, &registers);
  }
  if (result >= 0) return true;
  return failure.because(Code::io, "KVM: system registers: ", sys::error_text(result));
}

bool set_cpuid(const Vm& vm, Failure& failure) {
  static CpuidTable table;
  table.count = kMaxCpuidEntries;
  long result = kvm_call(vm.kvm, kGetSupportedCpuid, &table);
  if (result >= 0) result = kvm_call(vm.cpu, kSetCpuid, &table);
  if (result >= 0) return true;
  return failure.because(Code::io, "KVM: CPU features: ", sys::error_text(result));
}

template <typename T>
void copy(const std::uint8_t* from, T& to) {
  auto* bytes = reinterpret_cast<std::uint8_t*>(&to);
  for (std::size_t i = 0; i < sizeof to; ++i) bytes[i] = from[i];
}

/// Of KVM's registers, or of our images' records.
template <typename T>
void add_general(const T& from, Trap& trap) {
  const TrapRegister registers[] = {
      {"rax", from.rax}, {"rbx", from.rbx}, {"rcx", from.rcx}, {"rdx", from.rdx},
      {"rsi", from.rsi}, {"rdi", from.rdi}, {"rbp", from.rbp}, {"r8", from.r8},
      {"r9", from.r9},   {"r10", from.r10}, {"r11", from.r11}, {"r12", from.r12},
      {"r13", from.r13}, {"r14", from.r14}, {"r15", from.r15}};
  for (const TrapRegister& one : registers) trap.add(one.name, one.value);
}

}  // namespace

unsigned long machine_type(int) { return 0; }

bool set_up_cpu(const Vm& vm, std::uint64_t entry, std::uint64_t& cycles_per_second,
                Failure& failure) {
  const long khz = sys::control(vm.cpu, KVM_GET_TSC_KHZ, 0UL);
  if (khz <= 0) {
    return failure.because(Code::not_supported, "KVM: the host's time stamp counter is unstable: ",
                           sys::error_text(khz));
  }
  cycles_per_second = static_cast<std::uint64_t>(khz) * 1000;
  write_tables(vm);
  kvm_regs registers{};
  registers.rip = entry;
  registers.rsp = vm.memory_bytes - kCpu.stack_offset;
  registers.rdi = abi::kHvtBootInfo;
  registers.rflags = 2;
  if (!set_cpuid(vm, failure) || !set_system_registers(vm, failure)) return false;
  const long result = kvm_call(vm.cpu, KVM_SET_REGS, &registers);
  if (result >= 0) return true;
  return failure.because(Code::io, "KVM: registers: ", sys::error_text(result));
}

Exit read_exit(const Vm& vm) {
  const kvm_run& run = *vm.run;
  Exit exit;
  exit.reason = run.exit_reason;
  if (run.exit_reason == KVM_EXIT_IO) {
    const auto* data = reinterpret_cast<const std::uint8_t*>(&run) + run.io.data_offset;
    if (run.io.direction != KVM_EXIT_IO_OUT || run.io.size != 4 || run.io.count != 1 ||
        run.io.port < abi::kHypercallPort) {
      exit.kind = Exit::Kind::bad_port;
      exit.address = run.io.port;
      return exit;
    }
    exit.kind = Exit::Kind::hypercall;
    exit.call = static_cast<std::uint32_t>(run.io.port - abi::kHypercallPort);
    exit.argument = GuestAddress{*reinterpret_cast<const std::uint32_t*>(data)};
  } else if (run.exit_reason == KVM_EXIT_MMIO) {
    exit.kind = Exit::Kind::bad_access;
    exit.address = run.mmio.phys_addr;
  } else if (run.exit_reason == KVM_EXIT_SHUTDOWN) {
    exit.kind = Exit::Kind::triple_fault;
  } else if (run.exit_reason == KVM_EXIT_HLT) {
    exit.kind = Exit::Kind::halted;
  } else if (run.exit_reason == KVM_EXIT_INTERNAL_ERROR) {
    exit.detail = run.internal.suberror;
  } else if (run.exit_reason == KVM_EXIT_FAIL_ENTRY) {
    exit.detail = static_cast<std::uint32_t>(run.fail_entry.hardware_entry_failure_reason);
  }
  return exit;
}

void read_abort(const Vm&, const std::uint8_t* record, Trap& trap) {
  if (record == nullptr) return;
  abi::HvtTrapX86 told;
  abi::HvtTrapDetailX86 more;
  copy(record, told);
  copy(record + sizeof told, more);
  trap.kind = "trap";  // Solo5's record does not say which
  trap.pc = told.rip;
  const TrapRegister registers[] = {{"rip", told.rip}, {"rsp", told.rsp}, {"rflags", told.rflags},
                                    {"cr2", told.cr2}, {"error_code", told.error_code},
                                    {"cs", told.cs},   {"ss", told.ss}};
  for (const TrapRegister& one : registers) trap.add(one.name, one.value);
  if (more.magic != abi::kTrapDetailMagic) return;
  if (more.vector < abi::kTrapNamesX86.size()) trap.kind = abi::kTrapNamesX86[more.vector];
  if (more.vector == abi::kPageFaultX86) trap.address = told.cr2;
  add_general(more, trap);
}

void read_registers(const Vm& vm, Trap& trap) {
  kvm_regs registers{};
  kvm_sregs system{};
  if (kvm_call(vm.cpu, KVM_GET_SREGS, &system) < 0 ||
      kvm_call(vm.cpu, KVM_GET_REGS, &registers) < 0) {
    return;
  }
  // AMD's CPUs begin anew at a triple fault, and KVM with them: then nothing is left to see.
  if ((system.cr0 & kCr0Protected) == 0) return;
  trap.pc = registers.rip;
  trap.add("rip", registers.rip);
  trap.add("rsp", registers.rsp);
  trap.add("rflags", registers.rflags);
  trap.add("cr2", system.cr2);
  add_general(registers, trap);
}

std::span<const unsigned long> reading_calls() {
  static constexpr unsigned long kCalls[] = {KVM_GET_REGS, KVM_GET_SREGS};
  return kCalls;
}

}  // namespace tenders::hvt
