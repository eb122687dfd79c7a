#include "images/runtime/x86_64/apic.h"

#include "images/runtime/device_memory.h"
#include "images/runtime/x86_64/cpu.h"
#include "images/runtime/x86_64/traps.h"

namespace images::runtime::x86 {
namespace {

// Intel SDM volume 3, "Advanced Programmable Interrupt Controller"; both at their usual places.
constexpr std::uintptr_t kLocalApic = 0xfee00000;
constexpr std::uintptr_t kIoApic = 0xfec00000;
constexpr std::uintptr_t kId = kLocalApic + 0x20;
constexpr std::uintptr_t kEndOfInterrupt = kLocalApic + 0xb0;
constexpr std::uintptr_t kSpurious = kLocalApic + 0xf0;
constexpr std::uintptr_t kTimerEntry = kLocalApic + 0x320;
constexpr std::uintptr_t kInitialCount = kLocalApic + 0x380;
constexpr std::uintptr_t kCurrentCount = kLocalApic + 0x390;
constexpr std::uintptr_t kDivide = kLocalApic + 0x3e0;
constexpr std::uint32_t kDivideByOne = 0xb;
constexpr std::uint32_t kBaseMsr = 0x1b;
constexpr std::uint64_t kBaseEnable = 1ULL << 11;
constexpr std::uint32_t kSoftwareEnable = 0x100;

}  // namespace

void start_apic() {
  out8(0x21, 0xff);  // the two 8259: every line masked
  out8(0xa1, 0xff);
  write_msr(kBaseMsr, read_msr(kBaseMsr) | kBaseEnable);
  write_device(kSpurious, kSoftwareEnable | kSpuriousVector);
  write_device(kDivide, kDivideByOne);
  write_device(kTimerEntry, kTimerVector);  // one-shot
}

void route_line(std::uint32_t line) {
  const std::uint32_t entry = 0x10 + 2 * line;
  const std::uint32_t this_cpu = read_device(kId) & 0xff000000;
  write_device(kIoApic, entry + 1);
  write_device(kIoApic + 0x10, this_cpu);
  write_device(kIoApic, entry);
  write_device(kIoApic + 0x10, kDeviceVector);  // fixed, physical, active high, edge, not masked
}

void end_of_interrupt() { write_device(kEndOfInterrupt, 0); }

void start_timer(std::uint32_t counts) { write_device(kInitialCount, counts); }

std::uint32_t timer_counts_left() { return read_device(kCurrentCount); }

}  // namespace images::runtime::x86
