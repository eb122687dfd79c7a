// Reading and writing of network-order numbers, and the Internet checksum.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace images::firewall {

using Bytes = std::span<const std::uint8_t>;

/// The caller has checked that they are there.
inline std::uint16_t read16(Bytes bytes, std::size_t at) {
  return static_cast<std::uint16_t>(bytes[at] << 8 | bytes[at + 1]);
}
inline std::uint32_t read32(Bytes bytes, std::size_t at) {
  return static_cast<std::uint32_t>(read16(bytes, at)) << 16 | read16(bytes, at + 2);
}

inline void write16(std::span<std::uint8_t> bytes, std::size_t at, std::uint16_t number) {
  bytes[at] = static_cast<std::uint8_t>(number >> 8);
  bytes[at + 1] = static_cast<std::uint8_t>(number);
}
inline void write32(std::span<std::uint8_t> bytes, std::size_t at, std::uint32_t number) {
  write16(bytes, at, static_cast<std::uint16_t>(number >> 16));
  write16(bytes, at + 2, static_cast<std::uint16_t>(number));
}

/// RFC 1071, over eight bytes at once: a one's complement sum does not care about the order.
class Checksum {
 public:
  /// An odd number of bytes only in the last piece.
  void add(Bytes bytes) {
    std::size_t at = 0;
    for (; bytes.size() - at >= 8; at += 8) add_word(load(bytes.data() + at, 8));
    if (at < bytes.size()) add_word(load(bytes.data() + at, bytes.size() - at));
  }
  /// A number of 16 bits as if it stood there in network order.
  void add16(std::uint16_t number) {
    const std::uint8_t bytes[2] = {static_cast<std::uint8_t>(number >> 8),
                                   static_cast<std::uint8_t>(number)};
    add(bytes);
  }
  /// True if the sum, the checksum field included, is what it should be.
  bool holds() const { return folded() == 0xffff; }
  /// What the checksum field must hold, which was zero when it was added.
  std::uint16_t field() const {
    const auto rest = static_cast<std::uint16_t>(~folded());
    return static_cast<std::uint16_t>(rest << 8 | rest >> 8);
  }

 private:
  static std::uint64_t load(const std::uint8_t* from, std::size_t size) {
    std::uint64_t word = 0;
    std::memcpy(&word, from, size);
    return word;
  }
  std::uint64_t folded() const {
    std::uint64_t sum = (sum_ >> 32) + (sum_ & 0xffffffff);
    while (sum >> 16 != 0) sum = (sum >> 16) + (sum & 0xffff);
    return sum;
  }
  void add_word(std::uint64_t word) {
    sum_ += word;
    if (sum_ < word) ++sum_;  // the carry comes round
  }

  std::uint64_t sum_ = 0;
};

/// RFC 1624 equation 3: the checksum after one of the words that it covers has changed.
inline std::uint16_t changed_checksum(std::uint16_t checksum, std::uint16_t before,
                                      std::uint16_t after) {
  std::uint32_t sum = static_cast<std::uint16_t>(~checksum);
  sum += static_cast<std::uint16_t>(~before);
  sum += after;
  sum = (sum >> 16) + (sum & 0xffff);
  sum = (sum >> 16) + (sum & 0xffff);
  return static_cast<std::uint16_t>(~sum);
}

static_assert(std::endian::native == std::endian::little);

}  // namespace images::firewall
