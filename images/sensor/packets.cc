#include "images/sensor/packets.h"

namespace images::sensor {
namespace {

constexpr std::uint8_t kLevel = 4;  // 3.1.1
constexpr std::uint8_t kCleanSession = 0x02;
constexpr std::uint8_t kWillQos1Retained = 0x04 | 0x08 | 0x20;
constexpr std::uint8_t kHasPassword = 0x40;
constexpr std::uint8_t kHasUser = 0x80;
constexpr std::uint8_t kMore = 0x80;
constexpr unsigned kMaxLengthBytes = 4;  // MQTT 2.2.3

std::uint16_t number_at(std::span<const std::uint8_t> bytes, std::size_t at) {
  return static_cast<std::uint16_t>((bytes[at] << 8) | bytes[at + 1]);
}

}  // namespace

void PacketWriter::start() {
  begin_ = kHeaderBytes;
  size_ = 0;
  too_long_ = false;
}

void PacketWriter::byte(std::uint8_t value) {
  if (size_ == kMaxPacketBytes) {
    too_long_ = true;
    return;
  }
  buffer_[begin_ + size_++] = value;
}

void PacketWriter::number(std::uint16_t value) {
  byte(static_cast<std::uint8_t>(value >> 8));
  byte(static_cast<std::uint8_t>(value));
}

void PacketWriter::raw(std::string_view value) {
  for (const char c : value) byte(static_cast<std::uint8_t>(c));
}

void PacketWriter::text(std::string_view value) {
  number(static_cast<std::uint16_t>(std::min(value.size(), kMaxPacketBytes)));
  raw(value);
}

void PacketWriter::finish(PacketType type, std::uint8_t flags) {
  if (too_long_) {
    size_ = 0;
    return;
  }
  const auto length = static_cast<std::uint16_t>(size_);
  if (length >= kMore) buffer_[--begin_] = static_cast<std::uint8_t>(length >> 7);
  buffer_[--begin_] = static_cast<std::uint8_t>((length & 0x7f) | (length >= kMore ? kMore : 0));
  buffer_[--begin_] = static_cast<std::uint8_t>((static_cast<unsigned>(type) << 4) | flags);
  size_ += kHeaderBytes - begin_;
}

void PacketWriter::connect(const Connect& fields) {
  start();
  text("MQTT");
  byte(kLevel);
  std::uint8_t flags = kCleanSession | kWillQos1Retained;
  if (!fields.user.empty()) flags |= kHasUser;
  if (!fields.user.empty() && !fields.password.empty()) flags |= kHasPassword;
  byte(flags);
  number(fields.keepalive_s);
  text(fields.client);
  text(fields.will_topic);
  text(fields.will);
  if ((flags & kHasUser) != 0) text(fields.user);
  if ((flags & kHasPassword) != 0) text(fields.password);
  finish(PacketType::connect, 0);
}

void PacketWriter::publish(std::string_view topic, std::string_view payload, std::uint16_t id,
                           bool retain) {
  start();
  text(topic);
  if (id != 0) number(id);
  raw(payload);
  finish(PacketType::publish, static_cast<std::uint8_t>((id != 0 ? 2 : 0) | (retain ? 1 : 0)));
}

void PacketWriter::subscribe(std::string_view topic, std::uint16_t id) {
  start();
  number(id);
  text(topic);
  byte(1);
  finish(PacketType::subscribe, 2);
}

void PacketWriter::puback(std::uint16_t id) {
  start();
  number(id);
  finish(PacketType::puback, 0);
}

void PacketWriter::ping() {
  start();
  finish(PacketType::pingreq, 0);
}

void PacketReader::begin() {
  header_bytes_ = 0;
  in_body_ = false;
  wanted_ = 0;
  seen_ = 0;
}

bool PacketReader::take_header(std::uint8_t byte) {
  if (header_bytes_ == 0) {
    first_ = byte;
    header_bytes_ = 1;
    return true;
  }
  wanted_ |= static_cast<std::uint32_t>(byte & 0x7f) << (7 * (header_bytes_ - 1));
  const bool more = (byte & kMore) != 0;
  if (more && header_bytes_ == kMaxLengthBytes) return false;
  ++header_bytes_;
  in_body_ = !more;
  return true;
}

void PacketReader::keep(std::span<const std::uint8_t> bytes) {
  if (seen_ < body_.size()) {
    const std::size_t count = std::min(bytes.size(), body_.size() - seen_);
    std::copy_n(bytes.begin(), count, body_.begin() + static_cast<std::ptrdiff_t>(seen_));
  }
  seen_ += static_cast<std::uint32_t>(bytes.size());
}

Packet PacketReader::packet() const {
  const std::size_t kept = std::min<std::size_t>(wanted_, body_.size());
  return {static_cast<PacketType>(first_ >> 4), static_cast<std::uint8_t>(first_ & 15), wanted_,
          {body_.data(), kept}};
}

bool parse_publication(const Packet& packet, Publication& out) {
  if (packet.type != PacketType::publish || packet.body.size() < 2) return false;
  const unsigned qos = (packet.flags >> 1) & 3;
  const std::size_t topic_bytes = number_at(packet.body, 0);
  std::size_t at = 2 + topic_bytes;
  if (qos > 1 || at + (qos != 0 ? 2 : 0) > packet.body.size()) return false;
  const auto* text = reinterpret_cast<const char*>(packet.body.data());
  out.topic = {text + 2, topic_bytes};
  out.id = 0;
  if (qos != 0) {
    out.id = number_at(packet.body, at);
    at += 2;
    if (out.id == 0) return false;
  }
  out.payload = {text + at, packet.body.size() - at};
  return true;
}

bool parse_id(const Packet& packet, std::uint16_t& out) {
  const bool has_id = packet.type == PacketType::puback || packet.type == PacketType::suback;
  if (!has_id || packet.body.size() < 2) return false;
  out = number_at(packet.body, 0);
  return true;
}

}  // namespace images::sensor
