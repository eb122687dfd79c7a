// Mapping: a file's bytes as memory. The pages are the file's own: they can be written back or
// dropped at any time, so they are no heap. It never changes what a file holds beyond its size.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "proto/fd.h"
#include "proto/result.h"

namespace ota {

/// Owns one mapping and ends it. Movable. A file that others cut short while it is mapped ends the
/// process that reads it (SIGBUS): map only files that nobody else writes.
class [[nodiscard]] Mapping {
 public:
  /// The whole file, read-only. errors too_large (over `max_bytes`) | bad_argument (empty) | io
  static proto::Result<Mapping> read(const proto::Fd& file, std::uint64_t max_bytes);
  /// Cuts or grows the file to `size_bytes` (not 0) and maps it for writing. errors no_space | io
  static proto::Result<Mapping> write(const proto::Fd& file, std::uint64_t size_bytes);

  Mapping() = default;
  ~Mapping();
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  Mapping(Mapping&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}
  Mapping& operator=(Mapping&& other) noexcept {
    std::swap(bytes_, other.bytes_);
    return *this;
  }

  std::span<const std::byte> bytes() const { return bytes_; }
  /// Only of write().
  std::span<std::byte> writable() { return bytes_; }

 private:
  explicit Mapping(std::span<std::byte> bytes) : bytes_(bytes) {}

  std::span<std::byte> bytes_;
};

}  // namespace ota
