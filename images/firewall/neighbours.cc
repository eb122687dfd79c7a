#include "images/firewall/neighbours.h"

#include <algorithm>

namespace images::firewall {
namespace {

constexpr std::size_t kWays = 4;  // neighbours that may stand in one place

/// Smaller goes first.
std::uint64_t worth_of(const Neighbour& neighbour) {
  if (!neighbour.is_used) return 0;
  constexpr std::uint64_t kKnown = std::uint64_t{1} << 63;
  return 1 + neighbour.needed_ms + (neighbour.is_known ? kKnown : 0);
}

}  // namespace

bool Neighbours::create(std::size_t neighbours, std::size_t frames, const HashKey& key,
                        runtime::Arena& memory) {
  if (neighbours < kWays) return false;
  const std::size_t count = neighbours / kWays * kWays;
  auto* places = memory.make_array<Neighbour>(count);
  auto* waiting = memory.make_array<Waiting>(frames);
  if (places == nullptr || waiting == nullptr) return false;
  neighbours_ = {places, count};
  waiting_ = {waiting, frames};
  key_ = key;
  return true;
}

std::span<Neighbour> Neighbours::place_of(std::size_t port, const Address& address, bool is_ip6) {
  Tuple tuple;
  tuple.source = address;
  tuple.source_port = static_cast<std::uint16_t>(port);
  tuple.is_ip6 = is_ip6;
  const std::uint64_t place = hash_of(tuple, key_) % (neighbours_.size() / kWays);
  return neighbours_.subspan(static_cast<std::size_t>(place) * kWays, kWays);
}

Neighbour* Neighbours::find(std::size_t port, const Address& address, bool is_ip6) {
  for (Neighbour& one : place_of(port, address, is_ip6)) {
    const bool is_it = one.is_used && one.port == port && one.is_ip6 == is_ip6 &&
                       one.address == address;
    if (is_it) return &one;
  }
  return nullptr;
}

Neighbour& Neighbours::of(std::size_t port, const Address& address, bool is_ip6,
                          std::uint64_t now_ms) {
  Neighbour* known = find(port, address, is_ip6);
  if (known == nullptr) {
    const auto place = place_of(port, address, is_ip6);
    known = &*std::min_element(place.begin(), place.end(), [](const auto& a, const auto& b) {
      return worth_of(a) < worth_of(b);
    });
    forget(*known);
    known->address = address;
    known->port = port;
    known->is_ip6 = is_ip6;
    known->is_used = true;
  }
  known->needed_ms = now_ms;
  return *known;
}

Neighbour* Neighbours::hear(std::size_t port, const Heard& heard, std::uint64_t now_ms) {
  Neighbour* known = find(port, heard.address, heard.is_ip6);
  if (known == nullptr) return nullptr;
  if (known->is_known && !heard.overrides && known->mac != heard.mac) return nullptr;
  known->is_known = true;
  known->mac = heard.mac;
  known->heard_ms = now_ms;
  known->asked = 0;
  return known;
}

bool Neighbours::must_ask(Neighbour& neighbour, std::uint64_t now_ms) const {
  const bool is_fresh = neighbour.is_known && now_ms - neighbour.heard_ms < kFreshMs;
  const bool was_asked = neighbour.asked > 0 && now_ms - neighbour.asked_ms < kAskEveryMs;
  if (is_fresh || was_asked || neighbour.asked >= kQuestions) return false;
  ++neighbour.asked;
  neighbour.asked_ms = now_ms;
  return true;
}

bool Neighbours::keep(Neighbour& neighbour, std::size_t in_port, Bytes frame) {
  const auto wait_for_him = std::count_if(waiting_.begin(), waiting_.end(), [&](const auto& one) {
    return one.neighbour == &neighbour;
  });
  Waiting* const place = std::find_if(waiting_.data(), waiting_.data() + waiting_.size(),
                                      [](const auto& one) { return one.neighbour == nullptr; });
  const bool is_full = place == waiting_.data() + waiting_.size();
  if (is_full || wait_for_him >= static_cast<std::ptrdiff_t>(kWaitingEach)) return false;
  if (frame.size() > place->frame.size()) return false;
  place->neighbour = &neighbour;
  place->in_port = in_port;
  place->size = frame.size();
  std::copy(frame.begin(), frame.end(), place->frame.begin());
  return true;
}

Waiting* Neighbours::waiting_for(const Neighbour& neighbour) {
  const auto one = std::find_if(waiting_.begin(), waiting_.end(), [&](const auto& place) {
    return place.neighbour == &neighbour;
  });
  return one == waiting_.end() ? nullptr : &*one;
}

void Neighbours::forget(Neighbour& neighbour) {
  for (Waiting& one : waiting_) {
    if (one.neighbour == &neighbour) one.neighbour = nullptr;
  }
  neighbour = {};
}

}  // namespace images::firewall
