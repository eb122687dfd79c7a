#include "images/sensor/buffer.h"

namespace images::sensor {

void Buffer::drop_first() {
  first_ = (first_ + 1) % room_.size();
  --size_;
  if (on_way_ > 0) --on_way_;
}

void Buffer::push(std::uint32_t sensor, const Summary& summary, std::uint64_t now_ms) {
  if (size_ == room_.size()) {
    drop_first();
    ++lost_;
  }
  at(size_) = {++last_sequence_, now_ms, sensor, false, summary};
  ++size_;
}

const Message* Buffer::next() const { return on_way_ < size_ ? &at(on_way_) : nullptr; }

void Buffer::sent() { ++on_way_; }

void Buffer::acknowledge(std::uint64_t sequence) {
  const std::uint64_t oldest = oldest_sequence();
  if (size_ == 0 || sequence < oldest || sequence - oldest >= on_way_) return;
  at(static_cast<std::size_t>(sequence - oldest)).acknowledged = true;
  while (on_way_ > 0 && at(0).acknowledged) drop_first();
}

}  // namespace images::sensor
