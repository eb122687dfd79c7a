#include "tests/unit/images_firewall/frames.h"

#include <algorithm>
#include <array>
#include <cstdlib>

#include "images/firewall/packet.h"
#include "images/runtime/address.h"

namespace images::firewall {
namespace {

std::uint16_t sum_of(const Frame& bytes) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) sum += i % 2 == 0 ? bytes[i] * 256U : bytes[i];
  while (sum > 0xffff) sum = (sum >> 16) + (sum & 0xffff);
  return static_cast<std::uint16_t>(~sum);
}

Frame address4(const std::string& text) {
  std::array<std::uint8_t, 4> bytes{};
  if (!runtime::parse_ipv4(text, bytes)) std::abort();
  return {bytes.begin(), bytes.end()};
}

Frame address6(const std::string& text) {
  std::array<std::uint8_t, 16> bytes{};
  if (!runtime::parse_ipv6(text, bytes)) std::abort();
  return {bytes.begin(), bytes.end()};
}

void set_checksum(std::uint8_t protocol, const Frame& addresses, Frame& payload) {
  const std::size_t at = protocol == kTcp ? 16 : protocol == kUdp ? 6 : 2;
  const bool known = protocol == kTcp || protocol == kUdp || protocol == kIcmp ||
                     protocol == kIcmp6;
  if (!known || payload.size() < at + 2) return;
  put16(payload, at, 0);
  Frame pseudo = addresses;
  pseudo.push_back(0);
  pseudo.push_back(protocol);
  pseudo.push_back(static_cast<std::uint8_t>(payload.size() >> 8));
  pseudo.push_back(static_cast<std::uint8_t>(payload.size()));
  put16(payload, at, sum_of(protocol == kIcmp ? payload : join(pseudo, payload)));
}

}  // namespace

Frame join(const Frame& a, const Frame& b) {
  Frame out = a;
  out.insert(out.end(), b.begin(), b.end());
  return out;
}

void put16(Frame& frame, std::size_t at, std::uint16_t number) {
  frame.at(at) = static_cast<std::uint8_t>(number >> 8);
  frame.at(at + 1) = static_cast<std::uint8_t>(number);
}

void put32(Frame& frame, std::size_t at, std::uint32_t number) {
  put16(frame, at, static_cast<std::uint16_t>(number >> 16));
  put16(frame, at + 2, static_cast<std::uint16_t>(number));
}

Frame mac(std::uint8_t number) { return {2, 0, 0, 0, 0, number}; }

Frame ether(std::uint16_t type, const Frame& payload, std::uint8_t from, std::uint8_t to) {
  Frame out = join(mac(to), mac(from));
  out.resize(14);
  put16(out, 12, type);
  return join(out, payload);
}

Frame turned(Frame frame) {
  std::swap_ranges(frame.begin(), frame.begin() + 6, frame.begin() + 6);
  return frame;
}

Frame ip4(const Ip4& header, Frame payload) {
  Frame out(20);
  const std::size_t size = 20 + header.options.size();
  out[0] = static_cast<std::uint8_t>(0x40 | size / 4);
  put16(out, 2, static_cast<std::uint16_t>(size + payload.size()));
  put16(out, 4, header.id);
  put16(out, 6, header.fragment);
  out[8] = 64;
  out[9] = header.protocol;
  const Frame addresses = join(address4(header.source), address4(header.target));
  std::copy(addresses.begin(), addresses.end(), out.begin() + 12);
  out = join(out, header.options);
  put16(out, 10, sum_of(out));
  if ((header.fragment & 0x3fff) == 0) set_checksum(header.protocol, addresses, payload);
  return join(out, payload);
}

Frame ip6(const std::string& source, const std::string& target, std::uint8_t next, Frame payload) {
  Frame out(8);
  out[0] = 0x60;
  put16(out, 4, static_cast<std::uint16_t>(payload.size()));
  out[6] = next;
  out[7] = 64;
  const Frame addresses = join(address6(source), address6(target));
  set_checksum(next, addresses, payload);
  return join(join(out, addresses), payload);
}

Frame extension(std::uint8_t next) { return {next, 0, 1, 4, 0, 0, 0, 0}; }

Frame fragment6(std::uint8_t next, std::uint16_t offset, bool more, std::uint32_t id) {
  Frame out(8);
  out[0] = next;
  put16(out, 2, static_cast<std::uint16_t>(offset | (more ? 1 : 0)));
  put32(out, 4, id);
  return out;
}

Frame tcp(const Tcp& header) {
  Frame out(20);
  put16(out, 0, header.from);
  put16(out, 2, header.to);
  put32(out, 4, header.sequence);
  put32(out, 8, header.acknowledged);
  out[12] = 5 << 4;
  out[13] = header.flags;
  put16(out, 14, header.window);
  if (header.window_shift >= 0) {
    out[12] = 6 << 4;
    out = join(out, {3, 3, static_cast<std::uint8_t>(header.window_shift), 0});
  }
  return join(out, Frame(header.data, 'x'));
}

Frame udp(std::uint16_t from, std::uint16_t to, std::size_t data) {
  Frame out(8 + data, 'x');
  put16(out, 0, from);
  put16(out, 2, to);
  put16(out, 4, static_cast<std::uint16_t>(out.size()));
  put16(out, 6, 0);
  return out;
}

Frame icmp(std::uint8_t type, std::uint8_t code, std::uint16_t id, const Frame& data) {
  Frame out{type, code, 0, 0, 0, 0, 0, 1};
  put16(out, 4, id);
  return join(out, data);
}

void fix_ip4_checksum(Frame& frame) {
  const std::size_t size = (frame.at(14) & 0x0fU) * 4;
  if (size < 12 || frame.size() < 14 + size) return;
  put16(frame, 24, 0);
  const auto header = frame.begin() + 14;
  put16(frame, 24, sum_of(Frame(header, header + static_cast<std::ptrdiff_t>(size))));
}

std::vector<Frame> pieces4(const Ip4& header, const Frame& payload, std::size_t size) {
  // The checksum is the whole datagram's.
  const Frame whole = ip4(header, payload);
  const Frame behind(whole.begin() + 20, whole.end());
  std::vector<Frame> out;
  for (std::size_t at = 0; at < behind.size(); at += size) {
    const std::size_t end = std::min(behind.size(), at + size);
    Ip4 piece = header;
    piece.fragment = static_cast<std::uint16_t>(at / 8 | (end < behind.size() ? 0x2000 : 0));
    const Frame part(behind.begin() + static_cast<std::ptrdiff_t>(at),
                     behind.begin() + static_cast<std::ptrdiff_t>(end));
    out.push_back(ether(kEtherIp4, ip4(piece, part)));
  }
  return out;
}

}  // namespace images::firewall
