#include "agent/tenders/spt/rules.h"

#include <asm/unistd.h>
#include <linux/timerfd.h>

#include "agent/tenders/sys.h"

namespace tenders::spt {
namespace {

constexpr int kConsole = 1;

Argument is(unsigned index, std::uint64_t value) { return {index, Argument::Is::equal, value}; }

Argument is_descriptor(int descriptor) { return is(0, static_cast<std::uint64_t>(descriptor)); }

void add_block_rules(const Devices& devices, long call, Filter& filter) {
  for (const Device& device : devices) {
    if (device.kind != images::abi::kDeviceBlock) continue;
    const Argument conditions[] = {
        is_descriptor(device.descriptor),
        is(2, device.block_bytes),
        {3, Argument::Is::at_most, device.capacity_bytes - device.block_bytes},
    };
    filter.allow(call, conditions);
  }
}

void add_net_rules(const Devices& devices, long call, Filter& filter) {
  for (const Device& device : devices) {
    if (device.kind != images::abi::kDeviceNet) continue;
    filter.allow(call, is_descriptor(device.descriptor));
  }
}

}  // namespace

bool add_rules(const Devices& devices, const WaitSet& set, Filter& filter) {
  add_net_rules(devices, __NR_read, filter);
  add_net_rules(devices, __NR_write, filter);
  filter.allow(__NR_write, is_descriptor(kConsole));
  filter.allow(__NR_epoll_pwait, is_descriptor(set.epoll));
  const Argument timer[] = {is_descriptor(set.timer), is(1, TFD_TIMER_ABSTIME)};
  filter.allow(__NR_timerfd_settime, timer);
  filter.allow(__NR_clock_gettime, is(0, sys::kMonotonic));
  filter.allow(__NR_clock_gettime, is(0, sys::kRealtime));
  add_block_rules(devices, __NR_pread64, filter);
  add_block_rules(devices, __NR_pwrite64, filter);
  add_cpu_rules(filter);
  filter.allow(__NR_exit_group);
  return filter.finish();
}

}  // namespace tenders::spt
