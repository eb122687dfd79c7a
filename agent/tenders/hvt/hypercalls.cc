#include "agent/tenders/hvt/hypercalls.h"

#include <asm/unistd.h>
#include <linux/errno.h>
#include <linux/eventpoll.h>

#include "agent/tenders/console.h"
#include "agent/tenders/sys.h"

namespace tenders::hvt {
namespace {

namespace abi = images::abi;

constexpr int kConsole = 1;
constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr std::uint64_t kLongestWait = 365ULL * 24 * 3600 * kSecond;

struct TimerSetting {
  std::int64_t interval_seconds = 0;
  std::int64_t interval_nanoseconds = 0;
  std::int64_t seconds = 0;
  std::int64_t nanoseconds = 0;
};

/// The attached device of that kind; nullptr: the guest has none of this handle.
const Device* device_of(const Devices& devices, std::uint64_t handle, std::uint32_t kind) {
  if (handle >= devices.size()) return nullptr;
  const Device& device = devices[static_cast<std::size_t>(handle)];
  return device.kind == kind ? &device : nullptr;
}

void arm(int timer, std::uint64_t timeout_ns) {
  const std::uint64_t wait = timeout_ns > kLongestWait ? kLongestWait : timeout_ns;
  TimerSetting setting;
  setting.seconds = static_cast<std::int64_t>(wait / kSecond);
  setting.nanoseconds = static_cast<std::int64_t>(wait % kSecond);
  sys::call(__NR_timerfd_settime, timer, 0, reinterpret_cast<long>(&setting), 0);
}

}  // namespace

template <typename T>
bool Hypercalls::get(GuestAddress address, Access access, T& out) const {
  std::span<std::uint8_t> place;
  if (!memory_.at(address, sizeof out, access, place)) return false;
  auto* bytes = reinterpret_cast<std::uint8_t*>(&out);
  for (std::size_t i = 0; i < sizeof out; ++i) bytes[i] = place[i];
  return true;
}

template <typename T>
bool Hypercalls::put(GuestAddress address, const T& from) const {
  std::span<std::uint8_t> place;
  if (!memory_.at(address, sizeof from, Access::write, place)) return false;
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(&from);
  for (std::size_t i = 0; i < sizeof from; ++i) place[i] = bytes[i];
  return true;
}

After Hypercalls::handle(std::uint32_t call, GuestAddress argument) {
  ++counters_.calls;
  switch (static_cast<abi::Hypercall>(call)) {
    case abi::Hypercall::walltime: return walltime(argument);
    case abi::Hypercall::puts: return puts(argument);
    case abi::Hypercall::poll: return poll(argument);
    case abi::Hypercall::block_write: return block(argument, true);
    case abi::Hypercall::block_read: return block(argument, false);
    case abi::Hypercall::net_write: return net(argument, true);
    case abi::Hypercall::net_read: return net(argument, false);
    case abi::Hypercall::halt: return halt(argument);
  }
  return After::bad_call;
}

After Hypercalls::walltime(GuestAddress argument) {
  const abi::WalltimeCall call{sys::now_ns(sys::kRealtime)};
  return put(argument, call) ? After::go_on : After::bad_address;
}

After Hypercalls::puts(GuestAddress argument) {
  abi::PutsCall call{};
  std::span<std::uint8_t> text;
  if (!get(argument, Access::read, call) ||
      !memory_.at(GuestAddress{call.data}, call.size, Access::read, text)) {
    return After::bad_address;
  }
  write_patiently(kConsole, text, stop_);  // what nobody takes is no reason to end the guest
  return After::go_on;
}

After Hypercalls::poll(GuestAddress argument) {
  abi::PollCall call{};
  if (!get(argument, Access::write, call)) return After::bad_address;
  if (call.timeout_ns != 0) arm(set_.timer, call.timeout_ns);
  epoll_event events[abi::kMaxManifestEntries + 2];
  const long count = sys::call(__NR_epoll_pwait, set_.epoll, reinterpret_cast<long>(events),
                               abi::kMaxManifestEntries + 2, call.timeout_ns == 0 ? 0 : -1, 0, 0);
  call.ready_set = 0;
  call.result = 0;
  for (long i = 0; i < count; ++i) {
    if (events[i].data >= abi::kMaxManifestEntries) continue;  // the timer, or a signal
    call.ready_set |= 1ULL << events[i].data;
    ++call.result;
  }
  return put(argument, call) ? After::go_on : After::bad_address;
}

std::int32_t Hypercalls::transfer(const Device& device, std::span<std::uint8_t> data,
                                  std::uint64_t offset, bool is_write) {
  (is_write ? counters_.block_bytes_written : counters_.block_bytes_read) += data.size();
  while (!data.empty()) {
    const long done = is_write ? sys::write_at(device.descriptor, data, offset)
                               : sys::read_at(device.descriptor, data, offset);
    if (done == -EINTR) continue;
    if (done <= 0) return abi::kSolo5Unspecified;
    data = data.subspan(static_cast<std::size_t>(done));
    offset += static_cast<std::uint64_t>(done);
  }
  return abi::kSolo5Ok;
}

After Hypercalls::block(GuestAddress argument, bool is_write) {
  abi::BlockCall call{};
  std::span<std::uint8_t> data;
  const Access access = is_write ? Access::read : Access::write;
  if (!get(argument, Access::write, call) ||
      !memory_.at(GuestAddress{call.data}, call.size, access, data)) {
    return After::bad_address;
  }
  const Device* device = device_of(devices_, call.handle, abi::kDeviceBlock);
  if (device == nullptr || call.offset > device->capacity_bytes ||
      call.size > device->capacity_bytes - call.offset) {
    call.result = abi::kSolo5Invalid;
  } else {
    call.result = transfer(*device, data, call.offset, is_write);
  }
  return put(argument, call) ? After::go_on : After::bad_address;
}

After Hypercalls::net(GuestAddress argument, bool is_write) {
  abi::NetCall call{};
  std::span<std::uint8_t> data;
  const Access access = is_write ? Access::read : Access::write;
  if (!get(argument, Access::write, call) ||
      !memory_.at(GuestAddress{call.data}, call.size, access, data)) {
    return After::bad_address;
  }
  const Device* device = device_of(devices_, call.handle, abi::kDeviceNet);
  if (device == nullptr) {
    call.result = abi::kSolo5Invalid;
    return put(argument, call) ? After::go_on : After::bad_address;
  }
  const long done = is_write ? sys::write(device->descriptor, data)
                             : sys::read(device->descriptor, data);
  const bool moved = done > 0 && (!is_write || done == static_cast<long>(data.size()));
  if (moved) {
    call.result = abi::kSolo5Ok;
    ++(is_write ? counters_.frames_out : counters_.frames_in);
    (is_write ? counters_.bytes_out : counters_.bytes_in) += static_cast<std::uint64_t>(done);
    if (!is_write) call.size = static_cast<std::uint64_t>(done);
  } else {
    const bool again = done == -EAGAIN || done == -EINTR || (done == 0 && !is_write);
    call.result = again ? abi::kSolo5Again : abi::kSolo5Unspecified;
  }
  return put(argument, call) ? After::go_on : After::bad_address;
}

After Hypercalls::halt(GuestAddress argument) {
  if (!get(argument, Access::read, halt_)) return After::bad_address;
  if (halt_.cookie == 0) return After::ended;
  std::span<std::uint8_t> record;
  if (!memory_.at(GuestAddress{halt_.cookie}, abi::kTrapRecordBytes, Access::read, record)) {
    return After::bad_address;
  }
  trap_record_ = record.data();
  return After::ended;
}

}  // namespace tenders::hvt
