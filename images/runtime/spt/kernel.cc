#include "images/runtime/spt/kernel.h"

#include <asm/unistd.h>

#include <algorithm>

#include "images/abi/kernel_call.h"

namespace images::runtime::spt {
namespace {

constexpr long kAbsolute = 1;           // TFD_TIMER_ABSTIME
constexpr long kInterrupted = -4;       // -EINTR
constexpr std::uint64_t kSecond = 1'000'000'000;

struct KernelTime {
  std::int64_t seconds;
  std::int64_t nanoseconds;
};

struct TimerSetting {
  KernelTime interval;
  KernelTime expiry;
};

template <typename T>
long at(T* place) {
  return reinterpret_cast<long>(place);
}

}  // namespace

std::uint64_t clock_ns(int clock) {
  KernelTime now{};
  kernel_call(__NR_clock_gettime, clock, at(&now), 0, 0, 0, 0);
  return static_cast<std::uint64_t>(now.seconds) * kSecond +
         static_cast<std::uint64_t>(now.nanoseconds);
}

void wait_until(const abi::SptBootInfo& boot, std::uint64_t deadline_ns) {
  // Never zero: that would disarm the timer.
  const std::uint64_t when = std::max<std::uint64_t>(deadline_ns, 1);
  const TimerSetting setting{{0, 0},
                             {static_cast<std::int64_t>(when / kSecond),
                              static_cast<std::int64_t>(when % kSecond)}};
  kernel_call(__NR_timerfd_settime, boot.timer_descriptor, kAbsolute, at(&setting), 0, 0, 0);
  alignas(8) std::uint8_t events[16];  // one; what it says is not needed
  long result = kInterrupted;
  while (result == kInterrupted) {
    result = kernel_call(__NR_epoll_pwait, boot.epoll_descriptor, at(events), 1, -1, 0, 0);
  }
}

void leave(int status) {
  for (;;) kernel_call(__NR_exit_group, status, 0, 0, 0, 0, 0);
}

}  // namespace images::runtime::spt
