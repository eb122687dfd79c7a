// The appliance's memory: a bounded region that is only handed out, never taken back. What input
// can make large is allocated here and nullptr is an answer that the caller must handle.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <span>

namespace images::runtime {

class Arena {
 public:
  /// The memory outlives the arena; it need not be zero.
  explicit Arena(std::span<std::uint8_t> memory) : memory_(memory) {}
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  /// Bytes at an alignment (a power of two); nullptr = no memory left, nothing was taken.
  void* allocate(std::size_t size_bytes, std::size_t alignment) {
    const auto start = reinterpret_cast<std::uintptr_t>(memory_.data()) + used_;
    const std::size_t padding = (alignment - start % alignment) % alignment;
    const std::size_t left = memory_.size() - used_;
    if (padding > left || size_bytes > left - padding) return nullptr;
    std::uint8_t* place = memory_.data() + used_ + padding;
    used_ += padding + size_bytes;
    return place;
  }

  /// One T of these arguments; nullptr = no memory left. Its destructor never runs.
  template <typename T, typename... Arguments>
  T* make(Arguments... arguments) {
    void* place = allocate(sizeof(T), alignof(T));
    return place == nullptr ? nullptr : new (place) T{arguments...};
  }

  /// `count` value-initialised T; nullptr = no memory left.
  template <typename T>
  T* make_array(std::size_t count) {
    if (count > memory_.size() / sizeof(T)) return nullptr;
    void* place = allocate(count * sizeof(T), alignof(T));
    return place == nullptr ? nullptr : new (place) T[count]{};
  }

  std::size_t used_bytes() const { return used_; }
  std::size_t size_bytes() const { return memory_.size(); }

 private:
  std::span<std::uint8_t> memory_;
  std::size_t used_ = 0;
};

}  // namespace images::runtime
