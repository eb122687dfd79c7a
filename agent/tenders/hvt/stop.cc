#include "agent/tenders/hvt/stop.h"

#include <asm/signal.h>
#include <asm/unistd.h>
#include <linux/eventpoll.h>
#include <linux/fcntl.h>
#include <linux/kvm.h>

#include "agent/tenders/sys.h"

namespace tenders::hvt {
namespace {

using proto::Code;

constexpr std::uint64_t bit_of(int signal) { return 1ULL << (signal - 1); }
constexpr std::uint64_t kWatched = bit_of(SIGTERM) | bit_of(SIGINT) | bit_of(SIGALRM);
constexpr std::uint64_t kStopEvent = 0xFFFFFFFD;  // epoll data; no device's handle
constexpr int kRealTimer = 0;                     // ITIMER_REAL

// struct kvm_signal_mask, whose C++ size is another; the size is in the call's number.
struct SignalMask {
  std::uint32_t size;
  std::uint8_t set[8];
};
constexpr unsigned long kSetSignalMask = 0x4004AE8B;

struct SignalInfo {  // struct signalfd_siginfo
  std::uint32_t number;
  std::uint8_t others[124];
};
static_assert(sizeof(SignalInfo) == 128);

struct AlarmSetting {
  std::int64_t interval_seconds = 0;
  std::int64_t interval_microseconds = 0;
  std::int64_t seconds = 0;
  std::int64_t microseconds = 0;
};

}  // namespace

bool StopOrder::listen(const Vm& vm, const WaitSet& set, std::uint32_t grace_ms,
                       Failure& failure) {
  grace_ms_ = grace_ms;
  const std::uint64_t watched = kWatched;
  long result = sys::call(__NR_rt_sigprocmask, SIG_BLOCK, reinterpret_cast<long>(&watched), 0,
                          sizeof watched);
  if (result >= 0) {
    result = sys::call(__NR_signalfd4, -1, reinterpret_cast<long>(&watched), sizeof watched,
                       O_NONBLOCK | O_CLOEXEC);
    descriptor_ = static_cast<int>(result);
  }
  if (result >= 0) {
    epoll_event event{};
    event.events = 1;  // EPOLLIN
    event.data = kStopEvent;
    result = sys::call(__NR_epoll_ctl, set.epoll, EPOLL_CTL_ADD, descriptor_,
                       reinterpret_cast<long>(&event));
  }
  if (result >= 0) {
    SignalMask none{sizeof none.set, {}};  // while the guest runs, all of them end KVM_RUN
    result = kvm_call(vm.cpu, kSetSignalMask, &none);
  }
  if (result >= 0) return true;
  return failure.because(Code::io, "signals: ", sys::error_text(result));
}

bool StopOrder::take() {
  SignalInfo info{};
  auto* bytes = reinterpret_cast<std::uint8_t*>(&info);
  while (sys::read(descriptor_, {bytes, sizeof info}) == static_cast<long>(sizeof info)) {
    if (info.number == SIGALRM) {
      if (given_) return true;
      continue;
    }
    if (given_) continue;
    given_ = true;
    if (grace_ms_ == 0) return true;
    AlarmSetting alarm;
    alarm.seconds = grace_ms_ / 1000;
    alarm.microseconds = grace_ms_ % 1000 * 1000;
    sys::call(__NR_setitimer, kRealTimer, reinterpret_cast<long>(&alarm), 0);
  }
  return false;
}

}  // namespace tenders::hvt
