#include "images/firewall/fragment_table.h"

#include <algorithm>

namespace images::firewall {

bool Covered::add(std::uint32_t begin, std::uint32_t end, bool is_last) {
  if (end_ != 0 && (is_last || end > end_)) return false;
  if (is_last && count_ > 0 && ranges_[count_ - 1].end > end) return false;
  std::size_t at = 0;  // of the first range that begins no sooner
  while (at < count_ && ranges_[at].begin < begin) ++at;
  const bool overlaps_left = at > 0 && ranges_[at - 1].end > begin;
  const bool overlaps_right = at < count_ && ranges_[at].begin < end;
  if (overlaps_left || overlaps_right) return false;
  const bool joins_left = at > 0 && ranges_[at - 1].end == begin;
  const bool joins_right = at < count_ && ranges_[at].begin == end;
  const auto place = ranges_.begin() + static_cast<std::ptrdiff_t>(at);
  const auto last = ranges_.begin() + static_cast<std::ptrdiff_t>(count_);
  if (joins_left && joins_right) {
    ranges_[at - 1].end = ranges_[at].end;
    std::copy(place + 1, last, place);
    --count_;
  } else if (joins_left) {
    ranges_[at - 1].end = end;
  } else if (joins_right) {
    place->begin = begin;
  } else {
    if (count_ == kRanges) return false;
    std::copy_backward(place, last, last + 1);
    *place = {begin, end};
    ++count_;
  }
  if (is_last) end_ = end;
  return true;
}

bool FragmentTable::create(std::size_t datagrams, const HashKey& key, runtime::Arena& memory) {
  if (datagrams == 0 || datagrams > 65536) return false;
  auto* entries = memory.make_array<Entry>(datagrams);
  if (entries == nullptr) return false;
  entries_ = {entries, datagrams};
  key_ = key;
  return true;
}

/// Each datagram has one place; a newer one takes it, and the older one's later pieces are lost.
FragmentTable::Entry& FragmentTable::place_of(const Tuple& tuple, std::uint32_t id) {
  const HashKey key{key_[0] ^ id, key_[1]};
  return entries_[static_cast<std::size_t>(hash_of(tuple, key) % entries_.size())];
}

void FragmentTable::open(const Packet& packet, std::size_t port, const Way& way,
                         std::uint64_t now_ms) {
  const Tuple tuple = packet.tuple.without_ports();
  const Fragment& piece = packet.fragment;
  Covered came;
  came.add(piece.begin, piece.end, piece.is_last);
  place_of(tuple, piece.id) = {tuple, piece.id, came, port, way, now_ms, true};
}

FragmentTable::Followed FragmentTable::follow(const Packet& packet, std::size_t port,
                                              std::uint64_t now_ms) {
  const Tuple tuple = packet.tuple.without_ports();
  const Fragment& piece = packet.fragment;
  Entry& entry = place_of(tuple, piece.id);
  const bool is_ours = entry.is_open && entry.tuple == tuple && entry.id == piece.id &&
                       entry.port == port && now_ms - entry.begun_ms <= kDatagramMs;
  if (!is_ours) return {nullptr, true};
  if (!entry.came.add(piece.begin, piece.end, piece.is_last)) return {};
  if (entry.came.is_whole()) entry.is_open = false;
  return {&entry.way, false};
}

}  // namespace images::firewall
