#include "agent/tenders/guest_memory.h"

namespace tenders {

bool GuestMemory::at(GuestAddress address, std::uint64_t size, Access access,
                     std::span<std::uint8_t>& out) const {
  out = {};
  const auto begin = static_cast<std::uint64_t>(address);
  if (!is_inside(begin, size)) return false;
  const std::uint64_t end = begin + size;  // cannot overflow: it is inside
  for (std::size_t i = 0; i < range_count_; ++i) {
    const Range& range = ranges_[i];
    if (end <= range.begin || begin >= range.end) continue;
    if (access == Access::write || !range.readable) return false;
  }
  out = {host_ + begin, static_cast<std::size_t>(size)};
  return true;
}

bool GuestMemory::prepare(std::uint64_t address, std::uint64_t size,
                          std::span<std::uint8_t>& out) const {
  out = {};
  if (!is_inside(address, size)) return false;
  out = {host_ + address, static_cast<std::size_t>(size)};
  return true;
}

bool GuestMemory::restrict_range(std::uint64_t begin, std::uint64_t end, bool readable) {
  if (range_count_ == ranges_.size()) return false;
  ranges_[range_count_++] = {begin, end, readable};
  return true;
}

}  // namespace tenders
