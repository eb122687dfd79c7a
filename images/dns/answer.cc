#include "images/dns/answer.h"

#include <algorithm>
#include <array>

namespace images::dns {
namespace {

constexpr std::size_t kMaxChain = 16;  // CNAMEs that are followed in one answer
constexpr std::size_t kMaxTargets = 16;
constexpr std::array<std::uint8_t, 1> kStar{'*'};

enum Section : std::size_t { kAnswers, kAuthority, kAdditional };

/// One answer in the making.
class Answer {
 public:
  Answer(std::span<const Zone> zones, const Query& query, Transport transport,
         std::span<std::uint8_t> out)
      : zones_(zones), query_(query), writer_(out, limit(query, transport)) {
    begin();
  }

  void look_up();
  void truncate() { truncated_ = true; }
  std::size_t finish(Rcode rcode);
  std::size_t finish() { return finish(rcode_); }

 private:
  static std::size_t limit(const Query& query, Transport transport) {
    const std::size_t whole = transport == Transport::tcp ? kMaxAnswerBytes : query.udp_bytes;
    return whole - (query.edns ? kOptBytes : 0);
  }
  void begin();
  bool step(const Zone& zone, Name& name);
  bool refer(const Zone& zone, NameView name);
  bool take(const Zone& zone, NameView owner, std::span<const Record> records, Name& next);
  void deny(const Zone& zone);
  void put(Section section, NameView owner, const Record& record);
  void put_targets();

  std::span<const Zone> zones_;
  const Query& query_;
  Writer writer_;
  std::size_t records_begin_ = 0;
  std::array<std::uint16_t, 3> counts_{};
  std::array<NameView, kMaxTargets> targets_{};  // names whose addresses will be asked for next
  std::size_t target_count_ = 0;
  std::array<const Record*, kMaxChain> chain_{};  // aliases so far
  std::size_t chain_size_ = 0;
  NameView cut_;  // of a referral; else empty
  bool authoritative_ = false;
  bool truncated_ = false;
  Rcode rcode_ = Rcode::no_error;
};

/// The zone to begin in. A DS belongs to the zone above, where that is ours too.
const Zone* find_zone_for(std::span<const Zone> zones, const Query& query) {
  const NameView name = query.name.view();
  const Zone* zone = find_zone(zones, name);
  if (query.type != kDs || zone == nullptr || query.name.is_root()) return zone;
  if (!same_name(zone->origin(), name)) return zone;
  const Zone* above = find_zone(zones, drop_labels(name, 1));
  return above == nullptr ? zone : above;
}

void Answer::begin() {
  constexpr std::array<std::uint8_t, kHeaderBytes> kEmptyHeader{};
  writer_.put_bytes(kEmptyHeader);  // 512 bytes at least: it fits, and so does the question
  if (query_.has_question) {
    writer_.put_bytes(query_.question);
    writer_.learn_name(kHeaderBytes);
  }
  records_begin_ = writer_.size();
}

void Answer::put(Section section, NameView owner, const Record& record) {
  if (truncated_) return;
  if (!writer_.put_record(owner, record)) {
    // Addresses that merely help may be missing; those inside a delegation are known to nobody else
    // (RFC 9471 section 3.1).
    truncated_ = section != kAdditional || (!cut_.empty() && is_below_or_same(owner, cut_));
    return;
  }
  ++counts_[section];
  if (section == kAdditional || target_count_ == kMaxTargets) return;
  if (record.type == kNs) targets_[target_count_++] = record.data;
  if (record.type == kMx) targets_[target_count_++] = record.data.subspan(2);
  if (record.type == kSrv) targets_[target_count_++] = record.data.subspan(6);
}

/// A zone cut on the way to the name: point to its servers.
bool Answer::refer(const Zone& zone, NameView name) {
  const std::size_t below = count_labels(name) - count_labels(zone.origin());
  for (std::size_t i = 1; i <= below; ++i) {
    const NameView cut = drop_labels(name, below - i);
    const auto servers = of_type(zone.at(cut), kNs);
    if (servers.empty()) continue;
    // The parent alone knows the DS of a delegation: RFC 4035 section 3.1.4.1.
    if (i == below && query_.type == kDs) return false;
    cut_ = servers[0].name;  // `cut` is the asker's
    for (const Record& server : servers) put(kAuthority, server.name, server);
    return true;
  }
  return false;
}

/// "No such name" or "no such type": the SOA says for how long (RFC 2308).
void Answer::deny(const Zone& zone) {
  Record soa = zone.soa();
  soa.ttl_s = zone.negative_ttl_s();
  put(kAuthority, soa.name, soa);
}

/// What a name's records answer. True: a CNAME leads on to `next`.
bool Answer::take(const Zone& zone, NameView owner, std::span<const Record> records, Name& next) {
  const auto aliases = of_type(records, kCname);
  if (!aliases.empty() && query_.type != kCname && query_.type != kAny) {
    // Come to once more, an alias leads round.
    const auto chain_end = chain_.begin() + static_cast<std::ptrdiff_t>(chain_size_);
    if (std::find(chain_.begin(), chain_end, &aliases[0]) != chain_end) return false;
    if (chain_size_ == kMaxChain) return false;
    chain_[chain_size_++] = &aliases[0];
    put(kAnswers, owner, aliases[0]);
    next.clear();
    next.add_name(aliases[0].data);
    return true;
  }
  // ANY gets one of the sets, not all: RFC 8482.
  const std::uint16_t type =
      query_.type == kAny && !records.empty() ? records[0].type : query_.type;
  const auto matching = of_type(records, type);
  for (const Record& record : matching) put(kAnswers, owner, record);
  if (matching.empty()) deny(zone);
  return false;
}

/// One name of the chain. True: go on with the name that `name` has become.
bool Answer::step(const Zone& zone, Name& name) {
  const Name asked = name;
  if (refer(zone, asked.view())) return false;
  // With class ANY there may be more in classes that we have not: RFC 1035 section 3.2.5.
  if (counts_[kAnswers] == 0) authoritative_ = query_.klass != kClassAny;
  if (zone.exists(asked.view())) return take(zone, asked.view(), zone.at(asked.view()), name);
  // RFC 4592: the wildcard directly below the closest name that exists, and no other.
  NameView closest = asked.view();
  do {
    closest = drop_labels(closest, 1);
  } while (!zone.exists(closest));
  Name star;
  star.add_label(kStar);
  if (star.add_name(closest) && zone.exists(star.view())) {
    return take(zone, asked.view(), zone.at(star.view()), name);
  }
  rcode_ = Rcode::no_such_name;
  deny(zone);
  return false;
}

void Answer::put_targets() {
  const std::size_t count = target_count_;
  for (std::size_t i = 0; i < count; ++i) {
    const Zone* zone = find_zone(zones_, targets_[i]);
    if (zone == nullptr) continue;
    for (const Record& record : zone->at(targets_[i])) {
      if (record.type == kA || record.type == kAaaa) put(kAdditional, record.name, record);
    }
  }
}

void Answer::look_up() {
  Name name = query_.name;
  const Zone* zone = find_zone_for(zones_, query_);
  if (zone == nullptr) {
    rcode_ = Rcode::refused;
    return;
  }
  while (zone != nullptr && step(*zone, name)) {
    zone = find_zone(zones_, name.view());  // none: the asker follows it elsewhere
  }
  put_targets();
}

std::size_t Answer::finish(Rcode rcode) {
  if (truncated_) {
    writer_.roll_back(records_begin_);
    counts_ = {};
  }
  const auto code = static_cast<std::uint16_t>(rcode);
  if (query_.edns) {
    writer_.set_limit(writer_.size() + kOptBytes);
    constexpr std::array<std::uint8_t, 1> kRoot{};
    writer_.put_bytes(kRoot);
    writer_.put_u16(kOpt);
    writer_.put_u16(kMaxUdpBytes);
    writer_.put_u32(std::uint32_t{code} >> 4 << 24 | (query_.dnssec_ok ? 0x8000U : 0U));
    writer_.put_u16(0);
    ++counts_[kAdditional];
  }
  const std::uint32_t flags = 0x8000U | std::uint32_t{query_.opcode} << 11 |
                              (authoritative_ ? 0x0400U : 0U) | (truncated_ ? 0x0200U : 0U) |
                              (query_.recursion_desired ? 0x0100U : 0U) | (code & 0xfU);
  writer_.set_u16(0, query_.id);
  writer_.set_u16(2, flags);
  writer_.set_u16(4, query_.has_question ? 1 : 0);
  for (std::size_t i = 0; i < counts_.size(); ++i) writer_.set_u16(6 + 2 * i, counts_[i]);
  return writer_.size();
}

}  // namespace

std::size_t answer(std::span<const Zone> zones, Verdict verdict, const Query& query, Rcode rcode,
                   Transport transport, std::span<std::uint8_t> out) {
  if (verdict == Verdict::drop || out.size() < kMaxAnswerBytes) return 0;
  Answer result(zones, query, transport, out);
  if (verdict == Verdict::refuse) return result.finish(rcode);
  result.look_up();
  return result.finish();
}

std::size_t answer(std::span<const Zone> zones, std::span<const std::uint8_t> packet,
                   Transport transport, std::span<std::uint8_t> out) {
  Query query;
  Rcode rcode;
  const Verdict verdict = parse_query(packet, query, rcode);
  return answer(zones, verdict, query, rcode, transport, out);
}

std::size_t add_option(std::span<std::uint8_t> answer, std::size_t size, std::size_t limit,
                       std::uint16_t code, std::string_view text) {
  constexpr std::size_t kOptionHeadBytes = 4;
  const std::size_t more = kOptionHeadBytes + text.size();
  if (size + more > std::min(limit, answer.size())) return size;
  Writer option(answer.subspan(size), more);
  option.put_u16(code);
  option.put_u16(text.size());
  option.put_bytes({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
  // The length of OPT's data stands right before it; there was none.
  Writer(answer, size).set_u16(size - 2, more);
  return size + more;
}

bool has_zone_for(std::span<const Zone> zones, const Query& query) {
  return find_zone_for(zones, query) != nullptr;
}

std::size_t answer_rcode(const Query& query, Rcode rcode, std::span<std::uint8_t> out) {
  if (out.size() < kMaxAnswerBytes) return 0;
  Answer result({}, query, Transport::udp, out);
  return result.finish(rcode);
}

std::size_t answer_truncated(std::span<const std::uint8_t> packet, std::span<std::uint8_t> out) {
  Query query;
  Rcode rcode;
  const Verdict verdict = parse_query(packet, query, rcode);
  if (verdict != Verdict::look_up || out.size() < kMaxAnswerBytes) return 0;
  Answer result({}, query, Transport::udp, out);
  result.truncate();
  return result.finish(Rcode::no_error);
}

}  // namespace images::dns
