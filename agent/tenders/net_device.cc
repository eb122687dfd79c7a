#include "agent/tenders/net_device.h"

#include <asm/ioctl.h>
#include <asm/unistd.h>
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>

#include "agent/tenders/sys.h"

namespace tenders {
namespace {

using proto::Code;

constexpr int kInternet = 2;       // AF_INET
constexpr int kDatagrams = 2;      // SOCK_DGRAM, on every CPU of ours
constexpr int kPackets = 5;        // SOCK_SEQPACKET
constexpr int kSocketLevel = 1;    // SOL_SOCKET
constexpr int kSocketType = 3;     // SO_TYPE

bool put_name(std::string_view name, ifreq& request) {
  if (name.empty() || name.size() >= sizeof request.ifr_name) return false;
  for (std::size_t i = 0; i < name.size(); ++i) request.ifr_name[i] = name[i];
  return true;
}

/// Flags and MTU of an interface in our network namespace; a negative errno if it is not there.
long interface_facts(const ifreq& named, short& flags, int& mtu) {
  const long socket = sys::call(__NR_socket, kInternet, kDatagrams | O_CLOEXEC, 0);
  if (socket < 0) return socket;
  const int descriptor = static_cast<int>(socket);
  ifreq request = named;
  long result = sys::control(descriptor, SIOCGIFFLAGS, static_cast<void*>(&request));
  if (result >= 0) {
    flags = request.ifr_flags;
    request = named;
    result = sys::control(descriptor, SIOCGIFMTU, static_cast<void*>(&request));
    mtu = request.ifr_mtu;
  }
  sys::close(descriptor);
  return result;
}

bool open_tap(std::string_view name, NetDevice& device, Failure& failure) {
  ifreq request{};
  if (!put_name(name, request)) {
    return failure.because(Code::bad_argument, "tap ", Foreign{name}, ": not an interface's name");
  }
  short flags = 0;
  int mtu = 0;
  // Asked first: the next step would otherwise make an interface that nobody set up.
  const long found = interface_facts(request, flags, mtu);
  if (found < 0) {
    return failure.because(Code::not_found, "tap ", Foreign{name}, ": ", sys::error_text(found),
                           "; make it first: ip tuntap add ", Foreign{name}, " mode tap");
  }
  if ((flags & IFF_UP) == 0) {
    return failure.because(Code::not_found, "tap ", Foreign{name}, " is down: ip link set ",
                           Foreign{name}, " up");
  }
  const long tun = sys::open("/dev/net/tun", O_RDWR | O_NONBLOCK);
  if (tun < 0) {
    return failure.because(Code::io, "/dev/net/tun: ", sys::error_text(tun));
  }
  device.descriptor = static_cast<int>(tun);
  request.ifr_flags = IFF_TAP | IFF_NO_PI;
  const long attached =
      sys::control(device.descriptor, TUNSETIFF, static_cast<void*>(&request));
  if (attached < 0) {
    return failure.because(Code::io, "tap ", Foreign{name}, ": ", sys::error_text(attached));
  }
  device.mtu = static_cast<std::uint16_t>(mtu > 65535 ? 65535 : mtu);
  return true;
}

bool is_frame_socket(int descriptor) {
  int type = 0;
  std::uint32_t size = sizeof type;
  const long result =
      sys::call(__NR_getsockopt, descriptor, kSocketLevel, kSocketType,
                reinterpret_cast<long>(&type), reinterpret_cast<long>(&size));
  return result == 0 && (type == kDatagrams || type == kPackets);
}

/// A tap that somebody else opened. Its interface may be in another network namespace.
bool adopt(std::string_view name, int descriptor, NetDevice& device, Failure& failure) {
  device.descriptor = descriptor;
  sys::FileFacts facts;
  const long flags = sys::file_flags(descriptor);
  if (flags < 0 || sys::facts(descriptor, facts) < 0) {
    return failure.because(Code::bad_argument, "net device ", name, ": descriptor ", descriptor,
                           " is not open");
  }
  ifreq request{};
  if (!facts.socket) {
    const long tap = sys::control(descriptor, TUNGETIFF, static_cast<void*>(&request));
    constexpr int kWanted = IFF_TAP | IFF_NO_PI;
    if (tap < 0 || (request.ifr_flags & (kWanted | IFF_VNET_HDR)) != kWanted) {
      return failure.because(Code::bad_argument, "net device ", name, ": descriptor ", descriptor,
                             " is no tap opened with IFF_TAP and IFF_NO_PI");
    }
    short interface_flags = 0;
    int mtu = 0;
    if (interface_facts(request, interface_flags, mtu) >= 0 && mtu > 0 && mtu <= 65535) {
      device.mtu = static_cast<std::uint16_t>(mtu);
    }
  } else if (!is_frame_socket(descriptor)) {
    return failure.because(Code::bad_argument, "net device ", name, ": descriptor ", descriptor,
                           " is a socket that does not keep frames apart");
  }
  const long set = sys::set_file_flags(descriptor, static_cast<int>(flags) | O_NONBLOCK);
  if (set >= 0) return true;
  return failure.because(Code::io, "net device ", name, ": ", sys::error_text(set));
}

/// Locally administered: out of the tap's own address and the device's name, else random.
bool choose_mac(const DeviceOption& option, NetDevice& device, Failure& failure) {
  ifreq request{};
  std::uint64_t hash = 0xcbf29ce484222325;  // FNV-1a
  const auto mix = [&hash](std::uint8_t byte) { hash = (hash ^ byte) * 0x100000001b3; };
  if (sys::control(device.descriptor, SIOCGIFHWADDR, static_cast<void*>(&request)) >= 0) {
    for (std::size_t i = 0; i < 6; ++i) {
      mix(static_cast<std::uint8_t>(request.ifr_hwaddr.sa_data[i]));
    }
    for (const char c : option.name) mix(static_cast<std::uint8_t>(c));
  } else {
    std::array<std::uint8_t, 8> random{};
    if (sys::random_bytes(random) != static_cast<long>(random.size())) {
      return failure.because(Code::io, "net device ", option.name, ": no random numbers for a MAC");
    }
    for (const std::uint8_t byte : random) mix(byte);
  }
  for (std::size_t i = 0; i < device.mac.size(); ++i) {
    device.mac[i] = static_cast<std::uint8_t>(hash >> (8 * i));
  }
  device.mac[0] = static_cast<std::uint8_t>((device.mac[0] & 0xfc) | 2);
  return true;
}

}  // namespace

bool open_net(const DeviceOption& option, NetDevice& device, Failure& failure) {
  const bool opened = option.source.descriptor >= 0
                          ? adopt(option.name, option.source.descriptor, device, failure)
                          : open_tap(option.source.path, device, failure);
  if (!opened) return false;
  if (option.mtu != 0) device.mtu = option.mtu;
  // Frames must come whole and with their checksums. A socket has no such offloads.
  sys::control(device.descriptor, TUNSETOFFLOAD, 0UL);
  device.mac = option.mac;
  return option.has_mac || choose_mac(option, device, failure);
}

}  // namespace tenders
