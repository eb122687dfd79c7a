#include "images/firewall/stations.h"

#include <algorithm>

namespace images::firewall {
namespace {

constexpr std::uint64_t kForgetMs = 300'000;  // IEEE 802.1D's ageing time

}  // namespace

bool Stations::create(std::size_t stations, const HashKey& key, runtime::Arena& memory) {
  if (stations == 0 || stations > 65536) return false;
  auto* entries = memory.make_array<Entry>(stations);
  if (entries == nullptr) return false;
  entries_ = {entries, stations};
  key_ = key;
  return true;
}

std::size_t Stations::place_of(const Mac& mac) const {
  Tuple tuple;
  std::copy(mac.begin(), mac.end(), tuple.source.begin());
  return static_cast<std::size_t>(hash_of(tuple, key_) % entries_.size());
}

void Stations::learn(const Mac& mac, std::size_t port, std::uint64_t now_ms) {
  if (!is_group(mac)) entries_[place_of(mac)] = {mac, true, port, now_ms};
}

std::size_t Stations::port_of(const Mac& mac, std::uint64_t now_ms) const {
  if (is_group(mac)) return kUnknown;
  const Entry& entry = entries_[place_of(mac)];
  const bool known = entry.is_known && entry.mac == mac && now_ms - entry.seen_ms <= kForgetMs;
  return known ? entry.port : kUnknown;
}

bool is_reserved(const Mac& mac) {
  constexpr Mac kBegin{0x01, 0x80, 0xc2, 0x00, 0x00, 0x00};
  return std::equal(mac.begin(), mac.end() - 1, kBegin.begin()) && mac[5] < 0x10;
}

}  // namespace images::firewall
