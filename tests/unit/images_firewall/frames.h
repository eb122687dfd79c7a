// Ethernet frames for tests of the firewall, right unless a test makes them wrong.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace images::firewall {

using Frame = std::vector<std::uint8_t>;

Frame join(const Frame& a, const Frame& b);
void put16(Frame& frame, std::size_t at, std::uint16_t number);
void put32(Frame& frame, std::size_t at, std::uint32_t number);

/// A station's address: 02:00:00:00:00:NN.
Frame mac(std::uint8_t number);
/// An Ethernet header (from station 1 to station 2) before the payload.
Frame ether(std::uint16_t type, const Frame& payload, std::uint8_t from = 1, std::uint8_t to = 2);
Frame turned(Frame frame);  // source and target station exchanged

struct Ip4 {
  std::string source;
  std::string target;
  std::uint8_t protocol = 0;
  std::uint16_t id = 1;
  std::uint16_t fragment = 0;  // flags and offset, as they stand in the header
  Frame options;               // a multiple of 4 bytes
};
/// IPv4 packet; the transport checksum is set unless it is a fragment.
Frame ip4(const Ip4& header, Frame payload);
Frame ip6(const std::string& source, const std::string& target, std::uint8_t next, Frame payload);
/// An IPv6 extension header of 8 bytes.
Frame extension(std::uint8_t next);
Frame fragment6(std::uint8_t next, std::uint16_t offset, bool more, std::uint32_t id);

struct Tcp {
  std::uint16_t from = 0;
  std::uint16_t to = 0;
  std::uint8_t flags = 0;
  std::uint32_t sequence = 0;
  std::uint32_t acknowledged = 0;
  std::uint16_t window = 1000;
  std::size_t data = 0;
  int window_shift = -1;  // -1: no option
};
Frame tcp(const Tcp& header);
Frame udp(std::uint16_t from, std::uint16_t to, std::size_t data = 4);
Frame icmp(std::uint8_t type, std::uint8_t code, std::uint16_t id, const Frame& data = {});

/// Makes the checksum of a frame's IPv4 header right, whatever length that header gives itself.
void fix_ip4_checksum(Frame& frame);

/// The same packet's pieces: payloads of at most `size` bytes, a multiple of 8.
std::vector<Frame> pieces4(const Ip4& header, const Frame& payload, std::size_t size);

}  // namespace images::firewall
