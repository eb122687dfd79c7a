// The last 256 KiB that a guest wrote, addressed by how many bytes it wrote before. Never refuses.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "proto/limits.h"

namespace launcher {

class ConsoleRing {
 public:
  explicit ConsoleRing(std::size_t capacity = proto::kConsoleRingBytes) : capacity_(capacity) {}

  void append(const char* bytes, std::size_t size) {
    if (buffer_.empty()) buffer_.resize(capacity_);  // a silent guest costs nothing
    if (size > capacity_) {
      total_ += size - capacity_;
      bytes += size - capacity_;
      size = capacity_;
    }
    for (std::size_t done = 0; done < size;) {
      const std::size_t at = static_cast<std::size_t>(total_ % capacity_);
      const std::size_t part = std::min(size - done, capacity_ - at);
      std::memcpy(buffer_.data() + at, bytes + done, part);
      total_ += part;
      done += part;
    }
  }

  struct Read {
    std::size_t size = 0;
    std::uint64_t next_offset = 0;
    std::uint64_t lost_bytes = 0;
  };
  /// Copies from `offset` (or the oldest byte kept) at most `max` bytes. An offset beyond the end
  /// reads nothing and comes back as the end.
  Read read(std::uint64_t offset, char* out, std::size_t max) const {
    const std::uint64_t oldest = total_ > capacity_ ? total_ - capacity_ : 0;
    const std::uint64_t from = std::clamp(offset, oldest, total_);
    Read result;
    result.lost_bytes = from > offset ? from - offset : 0;
    result.size = static_cast<std::size_t>(std::min<std::uint64_t>(max, total_ - from));
    for (std::size_t done = 0; done < result.size;) {
      const std::size_t at = static_cast<std::size_t>((from + done) % capacity_);
      const std::size_t part = std::min(result.size - done, capacity_ - at);
      std::memcpy(out + done, buffer_.data() + at, part);
      done += part;
    }
    result.next_offset = from + result.size;
    return result;
  }

  std::uint64_t total() const { return total_; }

 private:
  std::size_t capacity_;
  std::uint64_t total_ = 0;
  std::vector<char> buffer_;
};

}  // namespace launcher
