// A serial line of the host as a guest sees it: a network device without an address, whose frames
// carry what the line said. So it needs nothing of a tender or of Solo5's ABI.
//
// A frame is an Ethernet header of type kSerialLineType (IEEE 802, local experimental 1), then the
// count of bytes in two bytes, network order, then the bytes; what follows is padding. Where one
// frame ends and the next begins means nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace images::abi {

inline constexpr std::size_t kSerialHeaderBytes = 16;
inline constexpr std::size_t kSerialTypeOffset = 12;
inline constexpr std::uint16_t kSerialLineType = 0x88b5;
inline constexpr std::size_t kMaxSerialBytes = 512;  // in one frame

/// What the line said; empty for any other frame. Trusts nothing in it.
inline std::span<const std::uint8_t> serial_bytes(std::span<const std::uint8_t> frame) {
  if (frame.size() < kSerialHeaderBytes) return {};
  const auto number = [frame](std::size_t at) {
    return static_cast<std::size_t>(frame[at] << 8 | frame[at + 1]);
  };
  if (number(kSerialTypeOffset) != kSerialLineType) return {};
  const std::size_t count = number(kSerialTypeOffset + 2);
  if (count > kMaxSerialBytes || count > frame.size() - kSerialHeaderBytes) return {};
  return frame.subspan(kSerialHeaderBytes, count);
}

/// Writes the header for `count` bytes, 0..kMaxSerialBytes, which lie or come behind it.
inline void write_serial_header(std::span<std::uint8_t, kSerialHeaderBytes> header,
                                std::size_t count) {
  for (std::uint8_t& byte : header) byte = 0;
  header[kSerialTypeOffset] = static_cast<std::uint8_t>(kSerialLineType >> 8);
  header[kSerialTypeOffset + 1] = static_cast<std::uint8_t>(kSerialLineType & 0xff);
  header[kSerialTypeOffset + 2] = static_cast<std::uint8_t>(count >> 8);
  header[kSerialTypeOffset + 3] = static_cast<std::uint8_t>(count);
}

}  // namespace images::abi
