// A guest's memory as the tender sees it, and the one way from a guest's address to it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace tenders {

/// An address as the guest says it: a number that cannot be dereferenced or calculated with.
enum class GuestAddress : std::uint64_t {};

/// What the tender wants to do with guest memory.
enum class Access { read, write };

/// The memory from guest address 0 to its size; borrowed. Holds no policy but bounds and the parts
/// that are not the guest's to change.
class GuestMemory {
 public:
  GuestMemory() = default;
  /// `host` is where guest address 0 lies, also where nothing is mapped there.
  GuestMemory(std::uint8_t* host, std::uint64_t size_bytes)
      : host_(host), size_bytes_(size_bytes) {}

  std::uint64_t size_bytes() const { return size_bytes_; }

  /// The guest's bytes [address, address + size), wholly in its memory, for an access that the
  /// guest itself may do there. False: not so, `out` is empty. The only translation in the program.
  [[nodiscard]] bool at(GuestAddress address, std::uint64_t size, Access access,
                        std::span<std::uint8_t>& out) const;

  /// The tender's own view of [address, address + size), for what it prepares before the guest
  /// runs. False: outside.
  [[nodiscard]] bool prepare(std::uint64_t address, std::uint64_t size,
                             std::span<std::uint8_t>& out) const;

  /// From here on the guest cannot write [begin, end), or not even read it. False: too many.
  [[nodiscard]] bool restrict_range(std::uint64_t begin, std::uint64_t end, bool readable);

 private:
  struct Range {
    std::uint64_t begin;
    std::uint64_t end;
    bool readable;
  };
  static constexpr std::size_t kMaxRanges = 66;  // every segment, and what lies below the image

  bool is_inside(std::uint64_t address, std::uint64_t size) const {
    return address <= size_bytes_ && size <= size_bytes_ - address;
  }

  std::uint8_t* host_ = nullptr;
  std::uint64_t size_bytes_ = 0;
  std::array<Range, kMaxRanges> ranges_{};
  std::size_t range_count_ = 0;
};

}  // namespace tenders
