#include "agent/tenders/wait_set.h"

#include <asm/unistd.h>
#include <linux/eventpoll.h>
#include <linux/fcntl.h>
#include <linux/timerfd.h>

#include "agent/tenders/sys.h"

namespace tenders {
namespace {

constexpr std::uint32_t kReadable = 1;  // EPOLLIN

long add(int epoll, int descriptor, std::uint64_t data) {
  epoll_event event{};
  event.events = kReadable;
  event.data = data;
  return sys::call(__NR_epoll_ctl, epoll, EPOLL_CTL_ADD, descriptor,
                   reinterpret_cast<long>(&event));
}

}  // namespace

bool make_wait_set(const Devices& devices, WaitSet& set, Failure& failure) {
  const long epoll = sys::call(__NR_epoll_create1, EPOLL_CLOEXEC);
  const long timer =
      sys::call(__NR_timerfd_create, sys::kMonotonic, TFD_NONBLOCK | TFD_CLOEXEC);
  if (epoll < 0 || timer < 0) {
    return failure.because(proto::Code::io, "epoll or timer: ",
                           sys::error_text(epoll < 0 ? epoll : timer));
  }
  set.epoll = static_cast<int>(epoll);
  set.timer = static_cast<int>(timer);
  long result = add(set.epoll, set.timer, images::abi::kSptTimerEvent);
  for (std::size_t i = 0; i < devices.size() && result >= 0; ++i) {
    if (devices[i].kind != images::abi::kDeviceNet) continue;
    result = add(set.epoll, devices[i].descriptor, i);
    ++set.net_count;
  }
  if (result >= 0) return true;
  return failure.because(proto::Code::io, "epoll: ", sys::error_text(result));
}

}  // namespace tenders
