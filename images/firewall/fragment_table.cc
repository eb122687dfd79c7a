#include "images/firewall/fragment_table.h"

namespace images::firewall {
namespace {

constexpr std::uint64_t kTimeoutMs = 30'000;  // Linux's time to put a datagram together

Tuple without_ports(Tuple tuple) {
  tuple.source_port = 0;
  tuple.target_port = 0;
  return tuple;
}

}  // namespace

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
  const Tuple tuple = without_ports(packet.tuple);
  const std::uint32_t id = packet.fragment.id;
  place_of(tuple, id) = {tuple, id, packet.fragment.end, port, way, now_ms, true};
}

const FragmentTable::Way* FragmentTable::follow(const Packet& packet, std::size_t port,
                                                std::uint64_t now_ms) {
  const Tuple tuple = without_ports(packet.tuple);
  Entry& entry = place_of(tuple, packet.fragment.id);
  const bool is_ours = entry.is_open && entry.tuple == tuple && entry.id == packet.fragment.id &&
                       entry.port == port && now_ms - entry.begun_ms <= kTimeoutMs;
  if (!is_ours || packet.fragment.begin < entry.end) return nullptr;
  entry.end = packet.fragment.end;
  if (packet.fragment.is_last) entry.is_open = false;
  return &entry.way;
}

}  // namespace images::firewall
