#include "images/firewall/early_pieces.h"

#include <algorithm>

namespace images::firewall {

bool EarlyPieces::create(std::size_t frames, runtime::Arena& memory) {
  if (frames == 0 || frames > 1024) return false;
  auto* kept = memory.make_array<Kept>(frames);
  if (kept == nullptr) return false;
  kept_ = {kept, frames};
  return true;
}

bool EarlyPieces::keep(const Packet& piece, std::size_t port, Bytes frame, std::uint64_t now_ms) {
  Kept& place = kept_[oldest_];
  if (frame.size() > place.bytes.size()) return false;
  oldest_ = (oldest_ + 1) % kept_.size();
  if (place.use == Use::goes_on) --released_;
  place.tuple = piece.tuple.without_ports();
  place.id = piece.fragment.id;
  place.port = port;
  place.size = frame.size();
  place.came_ms = now_ms;
  place.use = Use::waits;
  std::copy(frame.begin(), frame.end(), place.bytes.begin());
  return true;
}

void EarlyPieces::release(const Packet& first, std::size_t port, std::uint64_t now_ms) {
  const Tuple tuple = first.tuple.without_ports();
  for (Kept& kept : kept_) {
    const bool is_of_it = kept.use == Use::waits && kept.port == port &&
                          kept.id == first.fragment.id && kept.tuple == tuple;
    if (!is_of_it) continue;
    const bool is_late = now_ms - kept.came_ms > kDatagramMs;
    kept.use = is_late ? Use::free : Use::goes_on;
    released_ += is_late ? 0 : 1;
  }
}

EarlyPieces::Frame EarlyPieces::next() {
  for (std::size_t i = 0; released_ > 0 && i < kept_.size(); ++i) {
    Kept& kept = kept_[(oldest_ + i) % kept_.size()];
    if (kept.use != Use::goes_on) continue;
    kept.use = Use::free;
    --released_;
    return {kept.port, std::span(kept.bytes).first(kept.size)};
  }
  return {};
}

}  // namespace images::firewall
