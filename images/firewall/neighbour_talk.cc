#include "images/firewall/neighbour_talk.h"

#include <algorithm>

namespace images::firewall {
namespace {

constexpr std::size_t kArpBytes = 28;
constexpr std::uint8_t kSolicit = 135;
constexpr std::uint8_t kAdvert = 136;
constexpr std::size_t kDiscoveryBytes = 24;  // before the options
constexpr std::uint8_t kOverride = 0x20;
constexpr std::size_t kIp6Bytes = 40;
constexpr std::uint8_t kMostHops = 255;  // RFC 4861 section 7.1: no router has forwarded it

template <typename From>
void put(const From& from, std::size_t size, std::size_t at, std::span<std::uint8_t> out) {
  std::copy_n(from.begin(), size, out.begin() + static_cast<std::ptrdiff_t>(at));
}

template <std::size_t N>
void get(Bytes bytes, std::size_t at, std::size_t size, std::array<std::uint8_t, N>& out) {
  std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), size, out.begin());
}

bool is_zero(const Address& address) {
  return std::all_of(address.begin(), address.end(), [](auto byte) { return byte == 0; });
}

/// The station of the option of that type. False: it is not there.
bool find_station(Bytes options, std::uint8_t type, Mac& out) {
  while (options.size() >= 8) {
    const std::size_t size = options[1] * std::size_t{8};
    if (size == 0 || size > options.size()) return false;
    if (options[0] == type && size == 8) {
      get(options, 2, 6, out);
      return !is_group(out);
    }
    options = options.subspan(size);
  }
  return false;
}

std::size_t ask_arp(const Address& address, const Asker& asker, Question& out) {
  constexpr std::uint8_t kHead[] = {0, 1, 8, 0, 6, 4, 0, 1};  // Ethernet, IPv4, a question
  std::fill_n(out.begin(), 6, std::uint8_t{0xff});
  put(asker.mac, 6, 6, out);
  write16(out, 12, kEtherArp);
  put(std::span(kHead), sizeof kHead, kEtherBytes, out);
  put(asker.mac, 6, kEtherBytes + 8, out);
  put(asker.address, 4, kEtherBytes + 14, out);
  std::fill_n(out.begin() + kEtherBytes + 18, 6, std::uint8_t{0});
  put(address, 4, kEtherBytes + 24, out);
  return kEtherBytes + kArpBytes;
}

std::size_t ask_discovery(const Address& address, const Asker& asker, Question& out) {
  // RFC 4291 section 2.7.1: all whose addresses end alike.
  Address group{0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff};
  std::copy(address.begin() + 13, address.end(), group.begin() + 13);
  const Mac group_mac{0x33, 0x33, group[12], group[13], group[14], group[15]};
  constexpr std::size_t kSize = kDiscoveryBytes + 8;
  std::fill(out.begin(), out.end(), std::uint8_t{0});
  put(group_mac, 6, 0, out);
  put(asker.mac, 6, 6, out);
  write16(out, 12, kEtherIp6);
  const std::span<std::uint8_t> ip = std::span(out).subspan(kEtherBytes);
  ip[0] = 0x60;
  write16(ip, 4, kSize);
  ip[6] = kIcmp6;
  ip[7] = kMostHops;
  put(asker.address6, 16, 8, ip);
  put(group, 16, 24, ip);
  const std::span<std::uint8_t> icmp = ip.subspan(kIp6Bytes);
  icmp[0] = kSolicit;
  put(address, 16, 8, icmp);
  icmp[24] = 1;  // the source's station, in one unit of 8 bytes
  icmp[25] = 1;
  put(asker.mac, 6, 26, icmp);
  Checksum sum;
  add_pseudo_header({asker.address6, group, 0, 0, kIcmp6, true}, kSize, sum);
  sum.add(icmp.first(kSize));
  write16(icmp, 2, sum.field());
  return kEtherBytes + kIp6Bytes + kSize;
}

}  // namespace

Heard hear_arp(Bytes frame) {
  constexpr std::uint8_t kHead[] = {0, 1, 8, 0, 6, 4, 0};
  Heard out;
  if (frame.size() < kEtherBytes + kArpBytes) return out;
  const Bytes arp = frame.subspan(kEtherBytes, kArpBytes);
  if (!std::equal(std::begin(kHead), std::end(kHead), arp.begin())) return out;
  get(arp, 8, 6, out.mac);
  get(arp, 14, 4, out.address);
  out.is_valid = (arp[7] == 1 || arp[7] == 2) && !is_group(out.mac) && !is_zero(out.address);
  return out;
}

Heard hear_discovery(const Packet& packet, Bytes frame) {
  Heard out;
  const bool is_asked = packet.icmp_type == kSolicit;
  const bool is_known = is_link_talk(packet) && (is_asked || packet.icmp_type == kAdvert);
  const std::size_t size = packet.end - packet.transport_at;
  const bool is_sound = is_known && packet.hops == kMostHops && !packet.checksum_fails &&
                        packet.icmp_code == 0 && !packet.fragment.is_part &&
                        size >= kDiscoveryBytes;
  if (!is_sound) return out;
  const Bytes icmp = frame.subspan(packet.transport_at, size);
  out.is_ip6 = true;
  if (is_asked) {
    out.address = packet.tuple.source;
  } else {
    get(icmp, 8, 16, out.address);
    out.overrides = (icmp[4] & kOverride) != 0;
  }
  const std::uint8_t option = is_asked ? 1 : 2;
  out.is_valid = !is_zero(out.address) && out.address[0] != 0xff &&
                 find_station(icmp.subspan(kDiscoveryBytes), option, out.mac);
  return out;
}

std::size_t ask_for(const Address& address, bool is_ip6, const Asker& asker, Question& out) {
  return is_ip6 ? ask_discovery(address, asker, out) : ask_arp(address, asker, out);
}

}  // namespace images::firewall
