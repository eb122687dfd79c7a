#include "agent/tenders/spt/rules.h"

#include <asm/unistd.h>
#include <linux/timerfd.h>

#include "agent/tenders/sys.h"

namespace tenders::spt {
namespace {

constexpr int kConsole = 1;

Argument is(unsigned index, std::uint64_t value) { return {index, Argument::Is::equal, value}; }

Argument is_descriptor(int descriptor) { return is(0, static_cast<std::uint64_t>(descriptor)); }

void add_block(const Device& device, Filter& filter) {
  const Argument conditions[] = {
      is_descriptor(device.descriptor),
      is(2, device.block_bytes),
      {3, Argument::Is::at_most, device.capacity_bytes - device.block_bytes},
  };
  filter.allow(__NR_pread64, conditions);
  filter.allow(__NR_pwrite64, conditions);
}

}  // namespace

bool add_rules(const Devices& devices, const WaitSet& set, Filter& filter) {
  for (const Device& device : devices) {
    if (device.kind != images::abi::kDeviceNet) continue;
    filter.allow(__NR_read, is_descriptor(device.descriptor));
    filter.allow(__NR_write, is_descriptor(device.descriptor));
  }
  filter.allow(__NR_epoll_pwait, is_descriptor(set.epoll));
  const Argument timer[] = {is_descriptor(set.timer), is(1, TFD_TIMER_ABSTIME)};
  filter.allow(__NR_timerfd_settime, timer);
  filter.allow(__NR_clock_gettime, is(0, sys::kMonotonic));
  filter.allow(__NR_clock_gettime, is(0, sys::kRealtime));
  filter.allow(__NR_write, is_descriptor(kConsole));
  for (const Device& device : devices) {
    if (device.kind == images::abi::kDeviceBlock) add_block(device, filter);
  }
  add_cpu_rules(filter);
  filter.allow(__NR_exit_group);
  return filter.finish();
}

}  // namespace tenders::spt
