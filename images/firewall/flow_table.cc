#include "images/firewall/flow_table.h"

#include <bit>

namespace images::firewall {
namespace {

constexpr int kExpiredAtOnce = 64;

Phase phase_of_tcp(TcpState state) {
  switch (state) {
    case TcpState::opening:
    case TcpState::answered: return Phase::tcp_opening;
    case TcpState::established: return Phase::tcp_established;
    case TcpState::closing: return Phase::tcp_closing;
    case TcpState::closed:
    case TcpState::reset: return Phase::tcp_over;
  }
  return Phase::tcp_over;
}

Phase phase_of(const Flow& flow) {
  switch (flow.tuples[0].protocol) {
    case kTcp: return phase_of_tcp(flow.tcp.state);
    case kUdp: return flow.is_answered ? Phase::udp_both_ways : Phase::udp_one_way;
    case kIcmp:
    case kIcmp6: return Phase::icmp;
    default: return flow.is_answered ? Phase::other_both_ways : Phase::other_one_way;
  }
}

bool is_icmp(const Packet& packet) {
  return packet.tuple.protocol == (packet.tuple.is_ip6 ? kIcmp6 : kIcmp);
}

}  // namespace

std::uint32_t timeout_ms(Phase phase) {
  switch (phase) {
    case Phase::tcp_opening: return 60'000;
    case Phase::tcp_established: return 7'440'000;  // RFC 5382 section 5: at least 2 h 4 min
    case Phase::tcp_closing: return 240'000;        // the same: at least 4 min
    case Phase::tcp_over: return 10'000;
    case Phase::udp_one_way: return 30'000;
    case Phase::udp_both_ways: return 300'000;  // RFC 4787 section 4.3: 5 min recommended
    case Phase::icmp: return 60'000;            // RFC 5508 section 3.2
    case Phase::other_one_way: return 60'000;
    case Phase::other_both_ways: return 600'000;
  }
  return 0;
}

bool is_forgettable(Phase phase) {
  switch (phase) {
    case Phase::tcp_opening:
    case Phase::tcp_over:
    case Phase::udp_one_way:
    case Phase::icmp:
    case Phase::other_one_way: return true;
    case Phase::tcp_established:
    case Phase::tcp_closing:
    case Phase::udp_both_ways:
    case Phase::other_both_ways: return false;
  }
  return false;
}

bool FlowTable::create(std::size_t flows, const HashKey& key, runtime::Arena& memory) {
  constexpr std::size_t kMost = std::size_t{1} << 24;
  if (flows == 0 || flows > kMost) return false;
  const std::size_t bucket_count = std::bit_ceil(flows * 2);
  auto* buckets = memory.make_array<std::uint32_t>(bucket_count);
  auto* places = memory.make_array<Flow>(flows + 1);
  if (buckets == nullptr || places == nullptr) return false;
  buckets_ = {buckets, bucket_count};
  flows_ = {places, flows + 1};
  for (std::uint32_t i = 1; i <= flows; ++i) {
    flows_[i].newer = free_;
    free_ = i;
  }
  key_ = key;
  return true;
}

std::uint32_t& FlowTable::bucket_of(const Tuple& tuple) const {
  return buckets_[static_cast<std::size_t>(hash_of(tuple, key_)) & (buckets_.size() - 1)];
}

std::uint32_t FlowTable::slot_of(const Tuple& tuple) const {
  for (std::uint32_t slot = bucket_of(tuple); slot != 0;) {
    const Flow& flow = flows_[slot / 2];
    if (flow.tuples[slot % 2] == tuple) return slot;
    slot = flow.next_in_bucket[slot % 2];
  }
  return 0;
}

FlowTable::Found FlowTable::find(const Tuple& tuple, std::uint64_t now_ms) const {
  const std::uint32_t slot = slot_of(tuple);
  const Flow& flow = flows_[slot / 2];
  // One that is over may not have been cleared away yet.
  if (slot == 0 || now_ms - flow.seen_ms > timeout_ms(flow.phase)) return {FlowState::fresh, 0, 0};
  const bool seen_both = slot % 2 == 1 || flow.is_answered;
  return {seen_both ? FlowState::established : FlowState::fresh, slot / 2, slot % 2};
}

FlowTable::Found FlowTable::look_for_error(const Packet& packet, std::uint64_t now_ms) const {
  // It goes to whoever sent what it quotes, from anybody on the way.
  if (!packet.has_about || packet.about.source != packet.tuple.target) return {};
  // It comes the way that answers to the quoted packet come.
  const Found answer = find(packet.about.reversed(), now_ms);
  if (answer.flow == 0) return {};
  return {FlowState::related, answer.flow, answer.side};
}

FlowTable::Found FlowTable::look_for_tcp(const Packet& packet, Found found,
                                         std::uint64_t now_ms) const {
  if (has_bad_flags(packet.tcp.flags)) return {};
  const std::uint8_t kind = packet.tcp.flags & (kTcpSyn | kTcpAck | kTcpRst);
  if (found.flow == 0) {
    const bool may_open = kind == kTcpSyn || (kind == kTcpAck && now_ms < adopt_until_ms_);
    return may_open ? found : Found{};
  }
  const TcpTrack& track = flows_[found.flow].tcp;
  if (reopens_tcp(track, found.side, packet.tcp)) return {FlowState::fresh, 0, 0};
  return is_valid_tcp(track, found.side, packet.tcp) ? found : Found{};
}

FlowTable::Found FlowTable::look(const Packet& packet, std::uint64_t now_ms) const {
  if (!packet.is_ip || is_link_talk(packet)) return {FlowState::untracked, 0, 0};
  if (packet.checksum_fails || !packet.fragment.is_first) return {};
  if (packet.is_icmp_error) return look_for_error(packet, now_ms);
  const Found found = find(packet.tuple, now_ms);
  if (packet.tuple.protocol == kTcp) return look_for_tcp(packet, found, now_ms);
  // An answer that nobody asked for, and what is neither question nor answer.
  const bool is_question = is_icmp_query(packet.tuple.protocol, packet.icmp_type);
  if (is_icmp(packet) && found.flow == 0 && !is_question) return {};
  return found;
}

bool FlowTable::commit(const Found& found, const Packet& packet, const Tuple& back,
                       std::uint64_t now_ms) {
  if (found.state != FlowState::fresh && found.state != FlowState::established) return true;
  if (found.flow == 0) return open(packet, back, now_ms);
  Flow& flow = flows_[found.flow];
  flow.is_answered = flow.is_answered || found.side == 1;
  if (packet.tuple.protocol == kTcp) {
    advance_tcp(flow.tcp, found.side, packet.tcp, packet.fragment.is_part);
  }
  detach(found.flow);
  append(found.flow, phase_of(flow), now_ms);
  return true;
}

bool FlowTable::is_taken(const Tuple& back, const Tuple& forth, std::uint64_t now_ms) const {
  const Found other = find(back, now_ms);
  return other.flow != 0 && other.flow != slot_of(forth) / 2;
}

void FlowTable::forget_answers_to(const Address& address) {
  for (List& list : lists_) {
    for (std::uint32_t number = list.oldest; number != 0;) {
      const Flow& flow = flows_[number];
      const std::uint32_t next = flow.newer;
      const bool is_translated = flow.tuples[1] != flow.tuples[0].reversed();
      if (is_translated && flow.tuples[1].target == address) forget(number);
      number = next;
    }
  }
}

bool FlowTable::open(const Packet& packet, const Tuple& back, std::uint64_t now_ms) {
  for (const Tuple& tuple : {packet.tuple, back}) {
    const std::uint32_t old = slot_of(tuple);  // over: its place in time is the new one's
    if (old != 0) forget(old / 2);
  }
  if (free_ == 0 && !make_room()) {
    ++counts_.refused;
    return false;
  }
  const std::uint32_t number = free_;
  Flow& flow = flows_[number];
  free_ = flow.newer;
  flow = Flow{};
  flow.tuples = {packet.tuple, back};
  if (packet.tuple.protocol == kTcp) {
    const bool opens = (packet.tcp.flags & kTcpSyn) != 0;
    flow.tcp = opens ? open_tcp(packet.tcp) : adopt_tcp();
  }
  link(number, 0);
  link(number, 1);
  append(number, phase_of(flow), now_ms);
  ++used_;
  ++counts_.opened;
  return true;
}

bool FlowTable::make_room() {
  std::uint32_t oldest = 0;
  for (std::size_t i = 0; i < kPhases; ++i) {
    const std::uint32_t first = lists_[i].oldest;
    if (first == 0 || !is_forgettable(static_cast<Phase>(i))) continue;
    if (oldest == 0 || flows_[first].seen_ms < flows_[oldest].seen_ms) oldest = first;
  }
  if (oldest == 0) return false;
  forget(oldest);
  ++counts_.forgotten;
  return true;
}

void FlowTable::expire(std::uint64_t now_ms) {
  int left = kExpiredAtOnce;
  for (std::size_t i = 0; i < kPhases; ++i) {
    const std::uint32_t limit = timeout_ms(static_cast<Phase>(i));
    while (left > 0) {
      const std::uint32_t oldest = lists_[i].oldest;
      if (oldest == 0 || now_ms - flows_[oldest].seen_ms <= limit) break;
      forget(oldest);
      ++counts_.expired;
      --left;
    }
  }
}

void FlowTable::forget(std::uint32_t number) {
  unlink(number, 0);
  unlink(number, 1);
  detach(number);
  flows_[number].newer = free_;
  free_ = number;
  --used_;
}

void FlowTable::link(std::uint32_t number, std::size_t side) {
  std::uint32_t& bucket = bucket_of(flows_[number].tuples[side]);
  flows_[number].next_in_bucket[side] = bucket;
  bucket = number * 2 + static_cast<std::uint32_t>(side);
}

void FlowTable::unlink(std::uint32_t number, std::size_t side) {
  const std::uint32_t slot = number * 2 + static_cast<std::uint32_t>(side);
  std::uint32_t* place = &bucket_of(flows_[number].tuples[side]);
  while (*place != slot) place = &flows_[*place / 2].next_in_bucket[*place % 2];
  *place = flows_[number].next_in_bucket[side];
}

void FlowTable::append(std::uint32_t number, Phase phase, std::uint64_t now_ms) {
  List& list = lists_[static_cast<std::size_t>(phase)];
  Flow& flow = flows_[number];
  flow.phase = phase;
  flow.seen_ms = now_ms;
  flow.older = list.newest;
  flow.newer = 0;
  (list.newest == 0 ? list.oldest : flows_[list.newest].newer) = number;
  list.newest = number;
}

void FlowTable::detach(std::uint32_t number) {
  Flow& flow = flows_[number];
  List& list = lists_[static_cast<std::size_t>(flow.phase)];
  (flow.older == 0 ? list.oldest : flows_[flow.older].newer) = flow.newer;
  (flow.newer == 0 ? list.newest : flows_[flow.newer].older) = flow.older;
}

}  // namespace images::firewall
