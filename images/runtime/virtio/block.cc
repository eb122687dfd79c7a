#include "images/runtime/virtio/block.h"

#include <algorithm>

#include "images/runtime/console.h"

namespace images::runtime::virtio {
namespace {

constexpr std::uint32_t kBlockDevice = 2;
constexpr std::uint64_t kFeatureFlush = 1ULL << 9;
constexpr std::uint64_t kFeatureCacheMode = 1ULL << 11;
constexpr std::uint64_t kFeatureVersion1 = 1ULL << 32;
constexpr std::size_t kCapacity = 0;  // in the device's configuration: sectors, 64 bits

}  // namespace

bool Block::open(const DevicePlace& place) {
  Device candidate(place.address);
  if (!candidate.is(kBlockDevice)) return false;
  // With both the host's cache mode stays as the host set it; without, each write is flushed.
  if (!candidate.negotiate(kFeatureVersion1 | kFeatureFlush | kFeatureCacheMode) &&
      !candidate.negotiate(kFeatureVersion1)) {
    panic("a block device is older than virtio 1.0 (QEMU: force-legacy=false)");
  }
  RUNTIME_ASSERT(candidate.set_queue(0, queue_));
  queue_.available.flags = 1;  // its end is waited for
  place_ = place;
  candidate.set_ready();
  std::uint64_t sectors = 0;
  for (std::size_t i = 0; i < 8; ++i) {
    sectors |= std::uint64_t{candidate.config_byte(kCapacity + i)} << (8 * i);
  }
  capacity_bytes_ = sectors * kSectorBytes;
  if (!ask(Type::get_id, 0, reinterpret_cast<std::uintptr_t>(id_.data()), id_.size(), true)) {
    id_.fill('\0');
  }
  return true;
}

bool Block::is_named(std::string_view name) const {
  const auto end = std::find(id_.begin(), id_.end(), '\0');
  const std::string_view id(id_.data(), static_cast<std::size_t>(end - id_.begin()));
  return !id.empty() && id == name.substr(0, id_.size());
}

bool Block::read(std::uint64_t offset, std::span<std::uint8_t> sector) {
  return ask(Type::in, offset / kSectorBytes, reinterpret_cast<std::uintptr_t>(sector.data()),
             sector.size(), true);
}

bool Block::write(std::uint64_t offset, std::span<const std::uint8_t> sector) {
  return ask(Type::out, offset / kSectorBytes, reinterpret_cast<std::uintptr_t>(sector.data()),
             sector.size(), false);
}

bool Block::ask(Type type, std::uint64_t sector, std::uintptr_t data, std::size_t size,
                bool writes) {
  request_ = {static_cast<std::uint32_t>(type), 0, sector};
  status_ = 0xff;
  const auto place = [](const void* of) { return reinterpret_cast<std::uint64_t>(of); };
  const std::uint16_t direction = writes ? kDeviceWrites : 0;
  queue_.descriptors[0] = {place(&request_), sizeof request_, kMoreFollows, 1};
  queue_.descriptors[1] = {data, static_cast<std::uint32_t>(size),
                           static_cast<std::uint16_t>(kMoreFollows | direction), 2};
  queue_.descriptors[2] = {place(&status_), 1, kDeviceWrites, 0};
  queue_.offer(0);
  device().notify(0);
  UsedElement done;
  while (!queue_.take_used(done)) {
    // The host is at it; one sector is not worth a sleep.
  }
  return *const_cast<volatile std::uint8_t*>(&status_) == 0;
}

}  // namespace images::runtime::virtio
