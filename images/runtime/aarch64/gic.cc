#include "images/runtime/aarch64/gic.h"

#include "images/runtime/aarch64/memory.h"
#include "images/runtime/device_memory.h"

namespace images::runtime::arm64 {
namespace {

using virtio::Gic;

// ARM IHI 0048 (v2) and IHI 0069 (v3), programmers' models. Priorities are left as they are after a
// reset: the highest, above the mask.
constexpr std::uintptr_t kControl = 0x000;
constexpr std::uintptr_t kGroup = 0x080;
constexpr std::uintptr_t kSetEnable = 0x100;
constexpr std::uintptr_t kTargets = 0x800;   // v2
constexpr std::uintptr_t kRouter = 0x6000;   // v3
constexpr std::uint32_t kEnableV2 = 1;
constexpr std::uint32_t kEnableV3 = 1 << 4 | 1 << 1 | 1 << 0;  // by affinity; both groups
constexpr std::uint32_t kWriteIsPending = 1U << 31;

constexpr std::uintptr_t kCpuControl = 0x00;  // of v2's CPU interface
constexpr std::uintptr_t kPriorityMask = 0x04;
constexpr std::uintptr_t kAcknowledge = 0x0c;
constexpr std::uintptr_t kEnd = 0x10;

constexpr std::uintptr_t kWaker = 0x14;       // of v3's redistributor
constexpr std::uint32_t kProcessorSleep = 1 << 1;
constexpr std::uint32_t kChildrenAsleep = 1 << 2;
constexpr std::uintptr_t kOwnFrame = 0x10000;  // its page for the interrupts of one CPU

constexpr std::uint32_t kFirstShared = 32;
constexpr std::uint32_t kFirstSpecial = 1020;
constexpr int kMaxPolls = 1'000'000;

Gic version = Gic::none;
std::uintptr_t distributor = 0;
std::uintptr_t cpu_interface = 0;  // v3: the redistributor

void wait_until_clear(std::uintptr_t address, std::uint32_t bits) {
  for (int i = 0; i < kMaxPolls && (read_device(address) & bits) != 0; ++i) {
  }
}

void start_v2() {
  write_device(distributor + kControl, kEnableV2);
  write_device(cpu_interface + kPriorityMask, 0xff);
  write_device(cpu_interface + kCpuControl, 1);
}

void start_v3() {
  write_device(distributor + kControl, kEnableV3);
  wait_until_clear(distributor + kControl, kWriteIsPending);
  write_device(cpu_interface + kWaker, read_device(cpu_interface + kWaker) & ~kProcessorSleep);
  wait_until_clear(cpu_interface + kWaker, kChildrenAsleep);
  std::uint64_t by_registers;
  asm volatile("mrs %0, s3_0_c12_c12_5" : "=r"(by_registers));                    // ICC_SRE_EL1
  asm volatile("msr s3_0_c12_c12_5, %0; isb" : : "r"(by_registers | 1));
  asm volatile("msr s3_0_c4_c6_0, %0" : : "r"(std::uint64_t{0xff}));              // ICC_PMR_EL1
  asm volatile("msr s3_0_c12_c12_7, %0; isb" : : "r"(std::uint64_t{1}));          // ICC_IGRPEN1_EL1
}

void set_bit(std::uintptr_t registers, std::uint32_t number) {
  const std::uintptr_t at = registers + number / 32 * 4;
  write_device(at, read_device(at) | 1U << number % 32);
}

}  // namespace

bool start_gic(const virtio::DeviceTree& tree) {
  if (tree.gic == Gic::none || !is_device_memory(tree.distributor.address) ||
      !is_device_memory(tree.cpu_interface.address)) {
    return false;
  }
  version = tree.gic;
  distributor = static_cast<std::uintptr_t>(tree.distributor.address);
  cpu_interface = static_cast<std::uintptr_t>(tree.cpu_interface.address);
  version == Gic::v2 ? start_v2() : start_v3();
  return true;
}

void enable_interrupt(std::uint32_t number) {
  const bool shared = number >= kFirstShared;
  if (version == Gic::v2) {
    if (shared) {
      const std::uintptr_t at = distributor + kTargets + number / 4 * 4;
      write_device(at, read_device(at) | 1U << number % 4 * 8);  // the first CPU
    }
    write_device(distributor + kSetEnable + number / 32 * 4, 1U << number % 32);
    return;
  }
  const std::uintptr_t frame = shared ? distributor : cpu_interface + kOwnFrame;
  if (shared) {
    write_device(distributor + kRouter + number * 8, 0);  // the first CPU
    write_device(distributor + kRouter + number * 8 + 4, 0);
  }
  set_bit(frame + kGroup, number);
  write_device(frame + kSetEnable + number / 32 * 4, 1U << number % 32);
}

bool take_interrupt(std::uint32_t& number) {
  if (version == Gic::v2) {
    number = read_device(cpu_interface + kAcknowledge);  // with the sender of one between CPUs
    return (number & 0x3ff) < kFirstSpecial;
  }
  std::uint64_t taken;
  asm volatile("mrs %0, s3_0_c12_c12_0; dsb sy" : "=r"(taken) : : "memory");  // ICC_IAR1_EL1
  number = static_cast<std::uint32_t>(taken);
  return number < kFirstSpecial;
}

void end_interrupt(std::uint32_t number) {
  if (version == Gic::v2) return write_device(cpu_interface + kEnd, number);
  asm volatile("msr s3_0_c12_c12_1, %0; isb" : : "r"(std::uint64_t{number}) : "memory");  // EOIR1
}

}  // namespace images::runtime::arm64
