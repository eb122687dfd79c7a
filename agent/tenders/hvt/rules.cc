#include "agent/tenders/hvt/rules.h"

#include <asm/unistd.h>
#include <linux/kvm.h>

#include "agent/tenders/sys.h"

namespace tenders::hvt {
namespace {

namespace abi = images::abi;

Argument is(unsigned index, std::uint64_t value) { return {index, Argument::Is::equal, value}; }

Argument is_descriptor(int descriptor) { return is(0, static_cast<std::uint64_t>(descriptor)); }

void add_net_rules(const Devices& devices, long call, Filter& filter) {
  for (const Device& device : devices) {
    if (device.kind == abi::kDeviceNet) filter.allow(call, is_descriptor(device.descriptor));
  }
}

void add_block_rules(const Devices& devices, long call, Filter& filter) {
  for (const Device& device : devices) {
    if (device.kind != abi::kDeviceBlock) continue;
    const Argument inside[] = {is_descriptor(device.descriptor),
                               {3, Argument::Is::at_most, device.capacity_bytes}};
    filter.allow(call, inside);
  }
}

}  // namespace

bool add_rules(const Vm& vm, const Options& options, const Devices& devices, const WaitSet& set,
               int stop_descriptor, Filter& filter) {
  const Argument run[] = {is_descriptor(vm.cpu), is(1, KVM_RUN)};
  filter.allow(__NR_ioctl, run);
  for (const unsigned long request : reading_calls()) {
    const Argument look[] = {is_descriptor(vm.cpu), is(1, request)};
    filter.allow(__NR_ioctl, look);
  }
  add_net_rules(devices, __NR_read, filter);
  filter.allow(__NR_read, is_descriptor(stop_descriptor));
  add_net_rules(devices, __NR_write, filter);
  for (const int descriptor : {1, 2, options.report_descriptor, options.stats_descriptor}) {
    if (descriptor >= 0) filter.allow(__NR_write, is_descriptor(descriptor));
  }
  filter.allow(__NR_ppoll, is(1, 2));
  filter.allow(__NR_epoll_pwait, is_descriptor(set.epoll));
  filter.allow(__NR_timerfd_settime, is_descriptor(set.timer));
  filter.allow(__NR_clock_gettime);
  add_block_rules(devices, __NR_pread64, filter);
  add_block_rules(devices, __NR_pwrite64, filter);
  filter.allow(__NR_setitimer, is(0, 0));  // ITIMER_REAL: the grace after an order to stop
  filter.allow(__NR_getrusage, is(0, 0));  // ourselves
  filter.allow(__NR_exit_group);
  return filter.finish();
}

}  // namespace tenders::hvt
