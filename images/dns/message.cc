#include "images/dns/message.h"

#include <algorithm>

namespace images::dns {
namespace {

constexpr std::size_t kMaxPointerOffset = 0x3fff;
constexpr std::uint16_t kClassIn = 1;

/// Bounds-checked reading of a packet.
class Reader {
 public:
  explicit Reader(std::span<const std::uint8_t> packet) : packet_(packet) {}

  std::size_t at() const { return at_; }
  bool skip(std::size_t count) {
    if (count > packet_.size() - at_) return false;
    at_ += count;
    return true;
  }
  bool take_u8(std::uint8_t& out) {
    if (at_ >= packet_.size()) return false;
    out = packet_[at_++];
    return true;
  }
  bool take_u16(std::uint16_t& out) {
    std::uint8_t high = 0;
    std::uint8_t low = 0;
    if (!take_u8(high) || !take_u8(low)) return false;
    out = static_cast<std::uint16_t>(high << 8 | low);
    return true;
  }
  /// A name without pointers: there is nothing before a question to point to.
  bool take_plain_name(Name& out) {
    for (;;) {
      std::uint8_t length = 0;
      if (!take_u8(length)) return false;
      if (length == 0) return true;
      const std::size_t begin = at_;
      if (length > kMaxLabelBytes || !skip(length)) return false;
      if (!out.add_label(packet_.subspan(begin, length))) return false;
    }
  }
  /// Over a name of any kind: to its end or its first pointer.
  bool skip_name() {
    for (std::size_t bytes = 0; bytes <= kMaxNameBytes;) {
      std::uint8_t length = 0;
      if (!take_u8(length)) return false;
      if (length == 0) return true;
      if (length >= 0xc0) return skip(1);
      if (length > kMaxLabelBytes || !skip(length)) return false;
      bytes += std::size_t{1} + length;
    }
    return false;
  }

 private:
  std::span<const std::uint8_t> packet_;
  std::size_t at_ = 0;
};

/// EDNS options: whole ones up to the end. One that we do not know is nothing to us (RFC 6891
/// section 6.1.2).
bool take_options(std::span<const std::uint8_t> data, Query& query) {
  Reader reader(data);
  while (reader.at() < data.size()) {
    std::uint16_t code = 0;
    std::uint16_t length = 0;
    if (!reader.take_u16(code) || !reader.take_u16(length) || !reader.skip(length)) return false;
    query.wants_nsid = query.wants_nsid || code == kNsidOption;
  }
  return true;
}

/// One record behind the question: only OPT is looked into. False: malformed.
bool take_other_record(std::span<const std::uint8_t> packet, Reader& reader, Query& query) {
  const std::size_t begin = reader.at();
  std::uint16_t type = 0;
  std::uint16_t klass = 0;
  std::uint8_t extended_rcode = 0;
  std::uint8_t version = 0;
  std::uint16_t flags = 0;
  std::uint16_t length = 0;
  if (!reader.skip_name()) return false;
  const bool root = reader.at() == begin + 1;
  if (!reader.take_u16(type) || !reader.take_u16(klass)) return false;
  if (!reader.take_u8(extended_rcode) || !reader.take_u8(version)) return false;
  if (!reader.take_u16(flags) || !reader.take_u16(length) || !reader.skip(length)) return false;
  if (type != kOpt) return true;
  if (!root || query.edns) return false;
  query.edns = true;
  query.opt_offset = begin;
  query.edns_version = version;
  query.dnssec_ok = (flags & 0x8000) != 0;
  query.udp_bytes = std::clamp<std::size_t>(klass, kPlainUdpBytes, kMaxUdpBytes);
  // Of another version nothing more is known.
  return version != 0 || take_options(packet.subspan(reader.at() - length, length), query);
}

/// Everything behind the header. False: malformed. A question brings no answers along.
bool take_sections(std::span<const std::uint8_t> packet, Reader& reader,
                   const std::array<std::uint16_t, 4>& counts, Query& query) {
  if (counts[0] != 1) return false;
  if (!reader.take_plain_name(query.name)) return false;
  if (!reader.take_u16(query.type) || !reader.take_u16(query.klass)) return false;
  query.has_question = true;
  query.question = packet.subspan(kHeaderBytes, reader.at() - kHeaderBytes);
  if (counts[1] != 0 || counts[2] != 0) return false;
  for (std::uint16_t i = 0; i < counts[3]; ++i) {
    if (!take_other_record(packet, reader, query)) return false;
  }
  return true;
}

}  // namespace

Verdict parse_query(std::span<const std::uint8_t> packet, Query& query, Rcode& rcode) {
  query = Query{};
  rcode = Rcode::no_error;
  Reader reader(packet);
  std::uint16_t flags = 0;
  std::array<std::uint16_t, 4> counts{};
  if (!reader.take_u16(query.id) || !reader.take_u16(flags)) return Verdict::drop;
  for (std::uint16_t& count : counts) {
    if (!reader.take_u16(count)) return Verdict::drop;
  }
  if ((flags & 0x8000) != 0) return Verdict::drop;  // an answer
  query.opcode = flags >> 11 & 0xf;
  query.recursion_desired = (flags & 0x0100) != 0;
  if (query.opcode != 0) {
    rcode = Rcode::not_implemented;
    return Verdict::refuse;
  }
  if (!take_sections(packet, reader, counts, query)) {
    rcode = Rcode::format_error;
    return Verdict::refuse;
  }
  if (query.edns && query.edns_version != 0) {
    rcode = Rcode::bad_version;
    return Verdict::refuse;
  }
  const bool transfer = query.type == kAxfr || query.type == kIxfr;
  if ((query.klass != kClassIn && query.klass != kClassAny) || transfer) {
    rcode = Rcode::refused;
    return Verdict::refuse;
  }
  return Verdict::look_up;
}

AnswerHead read_answer_head(std::span<const std::uint8_t> packet) {
  AnswerHead head;
  Reader reader(packet);
  std::uint16_t flags = 0;
  std::array<std::uint16_t, 4> counts{};
  if (!reader.skip(2) || !reader.take_u16(flags)) return head;
  for (std::uint16_t& count : counts) {
    if (!reader.take_u16(count)) return head;
  }
  head.rcode = static_cast<Rcode>(flags & 0xf);
  if (counts[0] > 1) return head;
  if (counts[0] == 1) {
    std::uint16_t klass = 0;
    if (!reader.skip_name() || !reader.take_u16(head.type) || !reader.take_u16(klass)) return head;
  }
  const std::size_t records = std::size_t{counts[1]} + counts[2] + counts[3];
  for (std::size_t i = 0; i < records; ++i) {
    std::uint16_t type = 0;
    std::uint8_t upper_rcode = 0;  // the first byte of an OPT's TTL (RFC 6891 section 6.1.3)
    std::uint16_t length = 0;
    if (!reader.skip_name() || !reader.take_u16(type) || !reader.skip(2) ||
        !reader.take_u8(upper_rcode) || !reader.skip(3) || !reader.take_u16(length) ||
        !reader.skip(length)) {
      return head;
    }
    if (type == kOpt) head.rcode = static_cast<Rcode>(unsigned{upper_rcode} << 4 | (flags & 0xf));
  }
  return head;
}

void Writer::roll_back(std::size_t size) {
  size_ = size;
  while (place_count_ > 0 && places_[place_count_ - 1] >= size) --place_count_;
}

bool Writer::put_bytes(std::span<const std::uint8_t> bytes) {
  if (bytes.size() > limit_ - size_) return false;
  std::copy(bytes.begin(), bytes.end(), out_.begin() + static_cast<std::ptrdiff_t>(size_));
  size_ += bytes.size();
  return true;
}

bool Writer::put_u16(std::uint64_t value) {
  return put_bytes(
      std::array{static_cast<std::uint8_t>(value >> 8), static_cast<std::uint8_t>(value)});
}

bool Writer::put_u32(std::uint64_t value) {
  if (limit_ - size_ < 4) return false;
  return put_u16(value >> 16) && put_u16(value & 0xffff);
}

void Writer::set_u16(std::size_t offset, std::uint64_t value) {
  out_[offset] = static_cast<std::uint8_t>(value >> 8);
  out_[offset + 1] = static_cast<std::uint8_t>(value);
}

void Writer::learn_name(std::size_t offset) {
  while (out_[offset] != 0 && out_[offset] <= kMaxLabelBytes && offset <= kMaxPointerOffset) {
    if (place_count_ == kMaxPlaces) return;
    places_[place_count_++] = static_cast<std::uint16_t>(offset);
    offset += std::size_t{1} + out_[offset];
  }
}

/// Our own writing only, and pointers lead backwards: this ends.
bool Writer::stands_at(NameView name, std::size_t offset) const {
  for (;;) {
    while (out_[offset] >= 0xc0) {
      offset = static_cast<std::size_t>(out_[offset] & 0x3f) << 8 | out_[offset + 1];
    }
    if (out_[offset] != name[0]) return false;
    if (name[0] == 0) return true;
    const std::size_t label = std::size_t{1} + name[0];
    std::array<std::uint8_t, kMaxLabelBytes + 2> a{};
    std::array<std::uint8_t, kMaxLabelBytes + 2> b{};
    std::copy_n(name.begin(), label, a.begin());
    std::copy_n(out_.begin() + static_cast<std::ptrdiff_t>(offset), label, b.begin());
    if (!same_name({a.data(), label + 1}, {b.data(), label + 1})) return false;
    name = name.subspan(label);
    offset += label;
  }
}

bool Writer::find(NameView name, std::uint16_t& offset) const {
  for (std::size_t i = 0; i < place_count_; ++i) {
    if (!stands_at(name, places_[i])) continue;
    offset = places_[i];
    return true;
  }
  return false;
}

bool Writer::put_name(NameView name) {
  const std::size_t begin = size_;
  while (name[0] != 0) {
    std::uint16_t offset = 0;
    if (find(name, offset)) {
      const bool fits = put_u16(0xc000U | offset);
      if (!fits) roll_back(begin);
      else learn_name(begin);
      return fits;
    }
    const std::size_t label = std::size_t{1} + name[0];
    if (!put_bytes(name.first(label))) {
      roll_back(begin);
      return false;
    }
    name = name.subspan(label);
  }
  if (!put_bytes(name.first(1))) {
    roll_back(begin);
    return false;
  }
  learn_name(begin);
  return true;
}

bool Writer::put_data(const Record& record) {
  std::span<const std::uint8_t> data = record.data;
  const auto name_size = [&data] {
    std::size_t size = 1;
    while (data[size - 1] != 0) size += std::size_t{1} + data[size - 1];
    return size;
  };
  std::size_t names = 0;
  switch (record.type) {
    case kMx:
      if (!put_bytes(data.first(2))) return false;
      data = data.subspan(2);
      names = 1;
      break;
    case kNs:
    case kCname:
    case kPtr: names = 1; break;
    case kSoa: names = 2; break;
    default: break;  // newer types must not be compressed: RFC 3597 section 4
  }
  for (; names > 0; --names) {
    const std::size_t size = name_size();
    if (!put_name(data.first(size))) return false;
    data = data.subspan(size);
  }
  return put_bytes(data);
}

bool Writer::put_record(NameView owner, const Record& record) {
  const std::size_t begin = size_;
  bool fits = put_name(owner) && put_u16(record.type) && put_u16(kClassIn) &&
              put_u32(record.ttl_s);
  const std::size_t length_at = size_;
  fits = fits && put_u16(0) && put_data(record);
  if (!fits) {
    roll_back(begin);
    return false;
  }
  set_u16(length_at, size_ - length_at - 2);
  return true;
}

}  // namespace images::dns
