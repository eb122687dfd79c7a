#include "agent/tenders/hvt/kvm.h"

#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/kvm.h>
#include <linux/mman.h>

#include <asm/unistd.h>

#include "agent/tenders/sys.h"

namespace tenders::hvt {
namespace {

using proto::Code;

constexpr long kApiVersion = 12;  // the only one that ever was

bool refuse(Failure& failure, Code code, std::string_view what, long result) {
  return failure.because(code, what, ": ", sys::error_text(result));
}

bool map_run(Vm& vm, Failure& failure) {
  const long size = sys::control(vm.kvm, KVM_GET_VCPU_MMAP_SIZE, 0UL);
  if (size < static_cast<long>(sizeof(kvm_run))) return refuse(failure, Code::io, "KVM", size);
  const long mapped = sys::call(__NR_mmap, 0, size, PROT_READ | PROT_WRITE, MAP_SHARED, vm.cpu, 0);
  if (mapped < 0) return refuse(failure, Code::io, "KVM: mapping the CPU's state", mapped);
  vm.run = reinterpret_cast<kvm_run*>(mapped);
  return true;
}

bool map_memory(Vm& vm, Failure& failure) {
  const long mapped = sys::map(0, vm.memory_bytes, PROT_READ | PROT_WRITE,
                               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE);
  if (mapped < 0) {
    return failure.because(Code::no_memory, vm.memory_bytes >> 20, " MiB of guest memory: ",
                           sys::error_text(mapped));
  }
  vm.memory = reinterpret_cast<std::uint8_t*>(mapped);
  kvm_userspace_memory_region region{};
  region.memory_size = vm.memory_bytes;
  region.userspace_addr = static_cast<std::uint64_t>(mapped);
  const long set = kvm_call(vm.machine, KVM_SET_USER_MEMORY_REGION, &region);
  return set >= 0 || refuse(failure, Code::io, "KVM: the guest's memory", set);
}

}  // namespace

long kvm_call(int descriptor, unsigned long request, void* argument) {
  long result = -EINTR;
  while (result == -EINTR) result = sys::control(descriptor, request, argument);
  return result;
}

bool make_vm(int given, std::uint64_t memory_bytes, Vm& vm, Failure& failure) {
  const long kvm = given >= 0 ? given : sys::open("/dev/kvm", O_RDWR);
  if (kvm < 0) return refuse(failure, Code::not_supported, "/dev/kvm", kvm);
  vm.kvm = static_cast<int>(kvm);
  vm.memory_bytes = memory_bytes;
  const long version = sys::control(vm.kvm, KVM_GET_API_VERSION, 0UL);
  if (version != kApiVersion) {
    return failure.because(Code::not_supported, "/dev/kvm: API version ", version, ", ",
                           kApiVersion, " is expected");
  }
  long machine = -EINTR;
  while (machine == -EINTR) machine = sys::control(vm.kvm, KVM_CREATE_VM, machine_type(vm.kvm));
  if (machine < 0) return refuse(failure, Code::not_supported, "KVM: no machine", machine);
  vm.machine = static_cast<int>(machine);
  const long cpu = sys::control(vm.machine, KVM_CREATE_VCPU, 0UL);
  if (cpu < 0) return refuse(failure, Code::not_supported, "KVM: no CPU", cpu);
  vm.cpu = static_cast<int>(cpu);
  return map_run(vm, failure) && map_memory(vm, failure);
}

}  // namespace tenders::hvt
