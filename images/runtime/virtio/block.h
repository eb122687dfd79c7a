// A virtio block device (virtio 1.2, section 5.2): one request at a time, straight from and to the
// caller's memory.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "images/runtime/virtio/mmio.h"

namespace images::runtime::virtio {

inline constexpr std::size_t kSectorBytes = 512;

/// One open device with its queue. It does not move once it is open.
class Block {
 public:
  /// Bring up the device at that place. False: there is none.
  bool open(const DevicePlace& place);
  bool is_open() const { return place_.address != 0; }

  /// These only once it is open. Of the name that the host gave it a device keeps 20 bytes.
  bool is_named(std::string_view name) const;
  std::uint64_t capacity_bytes() const { return capacity_bytes_; }
  /// One sector, at an offset that is a multiple of its size. When write returns, the host has it.
  /// False: the host could not.
  bool read(std::uint64_t offset, std::span<std::uint8_t> sector);
  bool write(std::uint64_t offset, std::span<const std::uint8_t> sector);

 private:
  // virtio_blk_req, without its data and status.
  struct Request {
    std::uint32_t type;
    std::uint32_t reserved;
    std::uint64_t sector;
  };
  enum class Type : std::uint32_t { in = 0, out = 1, get_id = 8 };

  Device device() const { return Device(place_.address); }
  /// The device reads `data`, or writes it if `writes`.
  bool ask(Type type, std::uint64_t sector, std::uintptr_t data, std::size_t size, bool writes);

  DevicePlace place_;
  std::uint64_t capacity_bytes_ = 0;
  std::array<char, 20> id_{};
  Queue queue_{};
  Request request_{};
  std::uint8_t status_ = 0;
};

}  // namespace images::runtime::virtio
