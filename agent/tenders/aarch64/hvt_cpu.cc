// An hvt guest's CPU on aarch64: EL1 with its MMU on from the first instruction, everything mapped
// where it is. No interrupt controller.
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
constexpr std::uint64_t kLevel0 = 0x1000;
constexpr std::uint64_t kLevel1 = 0x2000;
constexpr std::uint64_t kLevel2 = 0x3000;      // four of them
constexpr std::uint64_t kFirstTable = 0x7000;  // the first 2 MiB in small pages

constexpr std::uint64_t kTable = 3;
constexpr std::uint64_t kSmall = 3;
constexpr std::uint64_t kBlock = 1;
constexpr std::uint64_t kReadOnly = 1 << 7;
constexpr std::uint64_t kInnerShareable = 3 << 8;
constexpr std::uint64_t kAccessed = 1 << 10;
constexpr std::uint64_t kPrivilegedNoExecute = 1ULL << 53;
constexpr std::uint64_t kUserNoExecute = 1ULL << 54;
constexpr std::uint64_t kDeviceMemory = 1 << 2;  // index into MAIR: nGnRE
constexpr std::uint64_t kNormalMemory = 4 << 2;  // write-back
constexpr std::uint64_t kNormal =
    kAccessed | kInnerShareable | kNormalMemory | kUserNoExecute;

constexpr std::uint64_t kMair = 0x0000BBFF440C0400;
constexpr std::uint64_t kTcr = 24 | 1 << 8 | 1 << 10 | 3 << 12 |             // 40 bits, write-back
                               24ULL << 16 | 1ULL << 24 | 1ULL << 26 | 3ULL << 28 |
                               2ULL << 30 |                                  // 4 KiB granule
                               2ULL << 32 | 1ULL << 36 | 1ULL << 37;         // 40-bit IPA, TBI
constexpr std::uint64_t kSctlr = 0x1005;           // MMU and caches on
constexpr std::uint64_t kCpacr = 3 << 20;          // floating point is not trapped
constexpr std::uint64_t kPstate = 0x3C5;           // EL1h, all interrupts masked
constexpr std::uint64_t kDefaultAddressBits = 40;

constexpr std::uint64_t core_register(std::size_t offset) {
  return KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM_CORE | offset / 4;
}
constexpr std::uint64_t system_register(unsigned op0, unsigned op1, unsigned crn, unsigned crm,
                                        unsigned op2) {
  return KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM64_SYSREG | op0 << 14 | op1 << 11 |
         crn << 7 | crm << 3 | op2;
}

constexpr std::uint64_t kSyndrome = system_register(3, 0, 5, 2, 0);      // ESR_EL1
constexpr std::uint64_t kFaultAddress = system_register(3, 0, 6, 0, 0);  // FAR_EL1

/// 0 if KVM does not say.
std::uint64_t get(const Vm& vm, std::uint64_t id) {
  std::uint64_t value = 0;
  kvm_one_reg request{};
  request.id = id;
  request.addr = reinterpret_cast<std::uint64_t>(&value);
  return kvm_call(vm.cpu, KVM_GET_ONE_REG, &request) < 0 ? 0 : value;
}

void write_tables(const Vm& vm) {
  put(vm, kLevel0, kLevel1 | kTable);
  for (std::uint64_t i = 0; i < 4; ++i) put(vm, kLevel1 + 8 * i, (kLevel2 + kPage * i) | kTable);
  put(vm, kLevel1 + 8 * 4, abi::kHypercallMmio | kBlock | kAccessed | kDeviceMemory |
                               kPrivilegedNoExecute | kUserNoExecute);
  put(vm, kLevel2, kFirstTable | kTable);
  for (std::uint64_t at = kLargePage; at < vm.memory_bytes; at += kLargePage) {
    put(vm, kLevel2 + 8 * (at / kLargePage), at | kBlock | kNormal);
  }
  for (std::uint64_t at = abi::kGuestFirstPage; at < kLargePage; at += kPage) {
    const bool is_image = at >= abi::kGuestImageStart;
    put(vm, kFirstTable + 8 * (at / kPage),
        at | kSmall | kNormal | (is_image ? 0 : kReadOnly | kPrivilegedNoExecute));
  }
}

struct Setting {
  std::uint64_t id;
  std::uint64_t value;
};

bool set_registers(const Vm& vm, std::span<const Setting> settings, Failure& failure) {
  for (const Setting& setting : settings) {
    kvm_one_reg request{};
    request.id = setting.id;
    request.addr = reinterpret_cast<std::uint64_t>(&setting.value);
    const long result = kvm_call(vm.cpu, KVM_SET_ONE_REG, &request);
    if (result >= 0) continue;
    return failure.because(Code::io, "KVM: register ", Hex{setting.id}, ": ",
                           sys::error_text(result));
  }
  return true;
}

}  // namespace

unsigned long machine_type(int kvm) {
  const long bits = sys::control(kvm, KVM_CHECK_EXTENSION,
                                 static_cast<unsigned long>(KVM_CAP_ARM_VM_IPA_SIZE));
  return bits > 0 && bits < static_cast<long>(kDefaultAddressBits)
             ? static_cast<unsigned long>(bits)
             : 0;
}

bool set_up_cpu(const Vm& vm, std::uint64_t entry, std::uint64_t& cycles_per_second,
                Failure& failure) {
  kvm_vcpu_init target{};
  long result = kvm_call(vm.machine, KVM_ARM_PREFERRED_TARGET, &target);
  if (result >= 0) result = kvm_call(vm.cpu, KVM_ARM_VCPU_INIT, &target);
  if (result < 0) return failure.because(Code::io, "KVM: the CPU: ", sys::error_text(result));
  asm volatile("mrs %0, cntfrq_el0" : "=r"(cycles_per_second));
  write_tables(vm);
  const Setting settings[] = {
      {system_register(3, 0, 1, 0, 2), kCpacr},
      {system_register(3, 0, 10, 2, 0), kMair},
      {system_register(3, 0, 2, 0, 2), kTcr},
      {system_register(3, 0, 2, 0, 0), kLevel0},
      {system_register(3, 0, 1, 0, 0), kSctlr},
      {kSyndrome, 0},  // any number at first; an abort reads it
      {core_register(offsetof(kvm_regs, regs.pstate)), kPstate},
      {core_register(offsetof(kvm_regs, sp_el1)), vm.memory_bytes - kCpu.stack_offset},
      {core_register(offsetof(kvm_regs, regs.regs[0])), abi::kHvtBootInfo},
      {core_register(offsetof(kvm_regs, regs.pc)), entry},
  };
  return set_registers(vm, settings, failure);
}

Exit read_exit(const Vm& vm) {
  const kvm_run& run = *vm.run;
  Exit exit;
  exit.reason = run.exit_reason;
  if (run.exit_reason == KVM_EXIT_MMIO) {
    exit.address = run.mmio.phys_addr;
    const std::uint64_t offset = run.mmio.phys_addr - abi::kHypercallMmio;
    if (run.mmio.phys_addr < abi::kHypercallMmio || run.mmio.is_write == 0 || run.mmio.len != 4 ||
        offset % 8 != 0 || offset / 8 > 0xffff) {
      exit.kind = Exit::Kind::bad_access;
      return exit;
    }
    exit.kind = Exit::Kind::hypercall;
    exit.call = static_cast<std::uint32_t>(offset / 8);
    exit.argument = GuestAddress{*reinterpret_cast<const std::uint32_t*>(run.mmio.data)};
  } else if (run.exit_reason == KVM_EXIT_SYSTEM_EVENT) {
    exit.kind = Exit::Kind::halted;
  } else if (run.exit_reason == KVM_EXIT_INTERNAL_ERROR) {
    exit.detail = run.internal.suberror;
  } else if (run.exit_reason == KVM_EXIT_FAIL_ENTRY) {
    exit.detail = static_cast<std::uint32_t>(run.fail_entry.hardware_entry_failure_reason);
  }
  return exit;
}

/// No layout of a record is agreed on for this CPU. But a guest that tells of an exception takes no
/// other behind it, so the CPU still knows the one that it was.
void read_abort(const Vm& vm, const std::uint8_t*, Trap& trap) {
  const std::uint64_t syndrome = get(vm, kSyndrome);
  if (syndrome == 0) return;  // as we set it: there was none
  trap.kind = abi::trap_name_aarch64(syndrome);
  trap.pc = get(vm, core_register(offsetof(kvm_regs, elr_el1)));
  if (abi::has_address_aarch64(syndrome)) trap.address = get(vm, kFaultAddress);
  trap.add("elr_el1", *trap.pc);
  trap.add("spsr_el1", get(vm, core_register(offsetof(kvm_regs, spsr))));
  trap.add("esr_el1", syndrome);
  trap.add("far_el1", get(vm, kFaultAddress));
}

void read_registers(const Vm& vm, Trap& trap) {
  constexpr std::string_view kNames[] = {
      "x0",  "x1",  "x2",  "x3",  "x4",  "x5",  "x6",  "x7",  "x8",  "x9",  "x10",
      "x11", "x12", "x13", "x14", "x15", "x16", "x17", "x18", "x19", "x20", "x21",
      "x22", "x23", "x24", "x25", "x26", "x27", "x28", "x29", "x30"};
  trap.pc = get(vm, core_register(offsetof(kvm_regs, regs.pc)));
  trap.add("pc", *trap.pc);
  trap.add("sp_el1", get(vm, core_register(offsetof(kvm_regs, sp_el1))));
  trap.add("pstate", get(vm, core_register(offsetof(kvm_regs, regs.pstate))));
  trap.add("esr_el1", get(vm, kSyndrome));
  trap.add("far_el1", get(vm, kFaultAddress));
  for (std::size_t i = 0; i < std::size(kNames); ++i) {
    trap.add(kNames[i], get(vm, core_register(offsetof(kvm_regs, regs.regs) + 8 * i)));
  }
}

std::span<const unsigned long> reading_calls() {
  static constexpr unsigned long kCalls[] = {KVM_GET_ONE_REG};
  return kCalls;
}

}  // namespace tenders::hvt
