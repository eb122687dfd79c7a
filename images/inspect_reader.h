// The bytes of an image, bounds-checked: the only way in which the inspect_*.cc files see a file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "proto/result.h"

namespace images {

/// A file or a span of memory; borrowed.
class ImageReader {
 public:
  explicit ImageReader(std::span<const std::byte> whole);
  /// errors io
  static proto::Result<ImageReader> open(int descriptor);

  std::uint64_t size_bytes() const { return size_bytes_; }

  /// Exactly `size` bytes from `offset`. errors bad_image (they are not all in the file) | io
  proto::Result<std::vector<std::byte>> bytes(std::uint64_t offset, std::uint64_t size) const;
  /// As many as there are, at most `size`. errors io
  proto::Result<std::vector<std::byte>> up_to(std::uint64_t offset, std::uint64_t size) const;

 private:
  ImageReader(int descriptor, std::uint64_t size_bytes);

  std::span<const std::byte> memory_;
  int descriptor_ = -1;
  std::uint64_t size_bytes_ = 0;
};

/// A record that was read; numbers outside it read as 0, so a caller checks sizes once.
class Fields {
 public:
  explicit Fields(std::span<const std::byte> bytes) : bytes_(bytes) {}

  std::size_t size() const { return bytes_.size(); }
  std::uint8_t u8(std::size_t offset) const;
  std::uint16_t u16(std::size_t offset) const;  // little endian
  std::uint32_t u32(std::size_t offset) const;
  std::uint64_t u64(std::size_t offset) const;
  std::uint32_t u32_big(std::size_t offset) const;
  std::uint64_t u64_big(std::size_t offset) const;
  /// The characters up to a NUL, the end of the record or `most`.
  std::string text(std::size_t offset, std::size_t most) const;
  /// Do these bytes stand there?
  bool has(std::size_t offset, std::string_view expected) const;
  Fields sub(std::size_t offset, std::size_t size) const;

 private:
  std::uint64_t number(std::size_t offset, std::size_t size, bool big) const;

  std::span<const std::byte> bytes_;
};

/// bad_image with this text.
proto::Error bad_image(std::string what);

/// Foreign text for people: printable ASCII, at most `most` characters.
std::string printable(std::string_view text, std::size_t most);

}  // namespace images
