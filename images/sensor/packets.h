// MQTT 3.1.1 packets of a client, as bytes: what it writes, and what it takes from any bytes.
// lwIP has a client, which is not used: it writes past its buffer where a length does not end, and
// takes a packet that comes in two segments for another, so that the wrong message is acknowledged.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace images::sensor {

inline constexpr std::size_t kMaxPacketBytes = 1024;  // written, and kept of one that comes

/// Types of the fixed header (MQTT 2.2.1).
enum class PacketType : std::uint8_t {
  connect = 1, connack = 2, publish = 3, puback = 4, subscribe = 8, suback = 9,
  pingreq = 12, pingresp = 13, disconnect = 14,
};

/// CONNECT with a clean session, and a retained last will of QoS 1.
struct Connect {
  std::string_view client, user, password;  // user and password: empty = none
  std::string_view will_topic, will;
  std::uint16_t keepalive_s = 0;
};

/// One packet under construction.
class PacketWriter {
 public:
  /// Each makes it anew. Empty after it: it does not fit into kMaxPacketBytes.
  void connect(const Connect& fields);
  /// id 0: QoS 0, else 1.
  void publish(std::string_view topic, std::string_view payload, std::uint16_t id, bool retain);
  void subscribe(std::string_view topic, std::uint16_t id);  // QoS 1
  void puback(std::uint16_t id);
  void ping();

  std::span<const std::uint8_t> bytes() const { return {buffer_.data() + begin_, size_}; }

 private:
  static constexpr std::size_t kHeaderBytes = 3;  // type, and a length below 16,384

  void start();
  void byte(std::uint8_t value);
  void number(std::uint16_t value);
  void text(std::string_view value);
  void raw(std::string_view value);
  void finish(PacketType type, std::uint8_t flags);

  std::array<std::uint8_t, kHeaderBytes + kMaxPacketBytes> buffer_{};
  std::size_t begin_ = 0;
  std::size_t size_ = 0;
  bool too_long_ = false;
};

/// One packet that came. What it points to is valid during the call that hands it over.
struct Packet {
  PacketType type{};
  std::uint8_t flags = 0;                // low half of the first byte
  std::uint32_t body_bytes = 0;          // as told
  std::span<const std::uint8_t> body;    // all of them, or the first kMaxPacketBytes
  bool whole() const { return body.size() == body_bytes; }
};

/// Cuts a stream into packets, however it was segmented.
class PacketReader {
 public:
  /// Calls take(Packet) for each packet that these bytes end; take may not call feed. False: the
  /// stream is no MQTT (a length of more than four bytes); nothing more may be fed.
  template <typename Take>
  [[nodiscard]] bool feed(std::span<const std::uint8_t> bytes, Take&& take) {
    while (!bytes.empty()) {
      if (!in_body_) {
        if (!take_header(bytes.front())) return false;
        bytes = bytes.subspan(1);
      } else {
        const std::size_t count = std::min<std::size_t>(bytes.size(), wanted_ - seen_);
        keep(bytes.first(count));
        bytes = bytes.subspan(count);
      }
      if (in_body_ && seen_ == wanted_) {
        take(packet());
        begin();
      }
    }
    return true;
  }

  /// For a new connection.
  void begin();

 private:
  bool take_header(std::uint8_t byte);
  void keep(std::span<const std::uint8_t> bytes);
  Packet packet() const;

  std::array<std::uint8_t, kMaxPacketBytes> body_{};
  std::uint8_t first_ = 0;
  unsigned header_bytes_ = 0;
  bool in_body_ = false;
  std::uint32_t wanted_ = 0;
  std::uint32_t seen_ = 0;
};

/// What came by a topic.
struct Publication {
  std::string_view topic;
  std::string_view payload;  // a part of it, unless packet.whole()
  std::uint16_t id = 0;      // of QoS 1, to be acknowledged; 0: QoS 0
};

/// False: it is none, or is cut short before its payload, or of QoS 2, which nobody asked for.
[[nodiscard]] bool parse_publication(const Packet& packet, Publication& out);

/// The identifier at the begin of a PUBACK or SUBACK. False: there is none.
[[nodiscard]] bool parse_id(const Packet& packet, std::uint16_t& out);

}  // namespace images::sensor
