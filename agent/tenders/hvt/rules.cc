#include "agent/tenders/hvt/rules.h"

#include <asm/unistd.h>
#include <linux/kvm.h>

#include "agent/tenders/sys.h"

namespace tenders::hvt {
namespace {

namespace abi = images::abi;

Argument is(unsigned index, std::uint64_t value) { return {index, Argument::Is::equal, value}; }

Argument is_descriptor(int descriptor) { return is(0, static_cast<std::uint64_t>(descriptor)); }

void add_device(const Device& device, Filter& filter) {
  const Argument descriptor = is_descriptor(device.descriptor);
  if (device.kind == abi::kDeviceNet) {
    filter.allow(__NR_read, descriptor);
    filter.allow(__NR_write, descriptor);
  } else if (device.kind == abi::kDeviceBlock) {
    const Argument inside[] = {descriptor, {3, Argument::Is::at_most, device.capacity_bytes}};
    filter.allow(__NR_pread64, inside);
    filter.allow(__NR_pwrite64, inside);
  }
}

}  // namespace

bool add_rules(const Vm& vm, const Options& options, const Devices& devices, const WaitSet& set,
               int stop_descriptor, Filter& filter) {
  const Argument run[] = {is_descriptor(vm.cpu), is(1, KVM_RUN)};
  filter.allow(__NR_ioctl, run);
  filter.allow(__NR_epoll_pwait, is_descriptor(set.epoll));
  filter.allow(__NR_timerfd_settime, is_descriptor(set.timer));
  for (const Device& device : devices) add_device(device, filter);
  filter.allow(__NR_write, is_descriptor(1));
  filter.allow(__NR_write, is_descriptor(2));
  filter.allow(__NR_clock_gettime);
  filter.allow(__NR_read, is_descriptor(stop_descriptor));
  for (const int descriptor : {options.report_descriptor, options.stats_descriptor}) {
    if (descriptor >= 0) filter.allow(__NR_write, is_descriptor(descriptor));
  }
  filter.allow(__NR_setitimer, is(0, 0));  // ITIMER_REAL: the grace after an order to stop
  filter.allow(__NR_getrusage, is(0, 0));  // ourselves
  filter.allow(__NR_exit_group);
  return filter.finish();
}

}  // namespace tenders::hvt
