// MQTT 3.1.1 packets: bytes that are written, and a stream cut into packets however it comes.
#include "images/sensor/packets.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace images::sensor {
namespace {

using Bytes = std::vector<std::uint8_t>;

Bytes bytes_of(const PacketWriter& writer) {
  return Bytes(writer.bytes().begin(), writer.bytes().end());
}

Bytes bytes_of(std::string_view text) { return Bytes(text.begin(), text.end()); }

TEST(PacketWriter, WritesWhatTheStandardShows) {
  PacketWriter writer;
  writer.ping();
  EXPECT_EQ(bytes_of(writer), (Bytes{0xc0, 0}));
  writer.puback(0x1234);
  EXPECT_EQ(bytes_of(writer), (Bytes{0x40, 2, 0x12, 0x34}));
  writer.subscribe("a/b", 10);
  EXPECT_EQ(bytes_of(writer), (Bytes{0x82, 8, 0, 10, 0, 3, 'a', '/', 'b', 1}));
  writer.publish("a", "xy", 0, true);
  EXPECT_EQ(bytes_of(writer), (Bytes{0x31, 5, 0, 1, 'a', 'x', 'y'}));
  writer.publish("a", "xy", 7, false);
  EXPECT_EQ(bytes_of(writer), (Bytes{0x32, 7, 0, 1, 'a', 0, 7, 'x', 'y'}));
  Connect fields{"c", "u", "p", "w", "m", 30};
  writer.connect(fields);
  EXPECT_EQ(bytes_of(writer), (Bytes{0x10, 25, 0, 4, 'M', 'Q', 'T', 'T', 4, 0xee, 0, 30, 0, 1, 'c',
                                     0, 1, 'w', 0, 1, 'm', 0, 1, 'u', 0, 1, 'p'}));
  fields.user = "";
  writer.connect(fields);
  EXPECT_EQ(bytes_of(writer)[9], 0x2e) << "no password without a user";
}

TEST(PacketWriter, ALengthOfTwoBytesAndOneThatDoesNotFit) {
  PacketWriter writer;
  writer.publish("t", std::string(200, 'x'), 0, false);
  ASSERT_EQ(writer.bytes().size(), 206U);
  EXPECT_EQ(writer.bytes()[1], 0xcb);  // 203 = 0x4b + 128
  EXPECT_EQ(writer.bytes()[2], 1);
  writer.publish("t", std::string(kMaxPacketBytes, 'x'), 0, false);
  EXPECT_TRUE(writer.bytes().empty());
  writer.ping();
  EXPECT_EQ(writer.bytes().size(), 2U);
}

struct Seen {
  PacketType type;
  Bytes body;
  std::uint32_t told;
};

std::vector<Seen> packets_of(const Bytes& stream, std::size_t step, bool& sound) {
  PacketReader reader;
  std::vector<Seen> seen;
  sound = true;
  for (std::size_t at = 0; at < stream.size() && sound; at += step) {
    const std::size_t count = std::min(step, stream.size() - at);
    sound = reader.feed({stream.data() + at, count}, [&seen](const Packet& packet) {
      const Bytes body(packet.body.begin(), packet.body.end());
      seen.push_back({packet.type, body, packet.body_bytes});
    });
  }
  return seen;
}

TEST(PacketReader, TheSamePacketsHoweverTheStreamIsCut) {
  Bytes stream{0x20, 2, 0, 0, 0xd0, 0, 0x40, 2, 0, 9, 0x30, 0x83, 0x01};
  const std::string text(131, 'y');
  stream.insert(stream.end(), text.begin(), text.end());
  stream.insert(stream.end(), {0x90, 3, 0, 1, 1});
  for (std::size_t step = 1; step <= stream.size(); ++step) {
    bool sound = false;
    const auto seen = packets_of(stream, step, sound);
    ASSERT_TRUE(sound);
    ASSERT_EQ(seen.size(), 5U) << step;
    EXPECT_EQ(seen[0].type, PacketType::connack);
    EXPECT_EQ(seen[1].type, PacketType::pingresp);
    EXPECT_EQ(seen[2].body, (Bytes{0, 9}));
    EXPECT_EQ(seen[3].body, bytes_of(text));
    EXPECT_EQ(seen[4].body, (Bytes{0, 1, 1}));
  }
}

TEST(PacketReader, OneThatIsTooLongIsCutAndTheNextIsWhole) {
  Bytes stream{0x30, 0x88, 0x27};  // 5000
  stream.insert(stream.end(), 5000, 'z');
  stream.insert(stream.end(), {0xd0, 0});
  bool sound = false;
  const auto seen = packets_of(stream, 700, sound);
  ASSERT_EQ(seen.size(), 2U);
  EXPECT_EQ(seen[0].told, 5000U);
  EXPECT_EQ(seen[0].body.size(), kMaxPacketBytes);
  EXPECT_EQ(seen[1].type, PacketType::pingresp);
}

TEST(PacketReader, ALengthThatDoesNotEndIsNoMqtt) {
  bool sound = true;
  packets_of({0x30, 0x80, 0x80, 0x80, 0x80}, 1, sound);
  EXPECT_FALSE(sound);
  packets_of({0x30, 0xff, 0xff, 0xff, 0x7f, 1, 2}, 1, sound);  // the longest there is
  EXPECT_TRUE(sound);
}

Packet publication(std::uint8_t flags, const Bytes& body) {
  return {PacketType::publish, flags, static_cast<std::uint32_t>(body.size()), body};
}

TEST(Publications, AreTakenApart) {
  Publication out;
  const Bytes once{0, 1, 't', 'p', 'q'};
  ASSERT_TRUE(parse_publication(publication(0, once), out));
  EXPECT_EQ(out.topic, "t");
  EXPECT_EQ(out.payload, "pq");
  EXPECT_EQ(out.id, 0);
  const Bytes confirmed{0, 1, 't', 0, 5, 'p'};
  ASSERT_TRUE(parse_publication(publication(2, confirmed), out));
  EXPECT_EQ(out.id, 5);
  EXPECT_EQ(out.payload, "p");
}

TEST(Publications, CutShortOrOfAnotherKindAreRefused) {
  Publication out;
  EXPECT_FALSE(parse_publication(publication(0, {0}), out));
  EXPECT_FALSE(parse_publication(publication(0, {0, 2, 't'}), out));
  EXPECT_FALSE(parse_publication(publication(2, {0, 1, 't', 0}), out));
  EXPECT_FALSE(parse_publication(publication(2, {0, 1, 't', 0, 0}), out)) << "id 0";
  EXPECT_FALSE(parse_publication(publication(4, {0, 1, 't', 0, 1}), out)) << "QoS 2";
  EXPECT_FALSE(parse_publication(publication(0, {0xff, 0xff, 't'}), out));
  std::uint16_t id = 0;
  const Bytes short_ack{1};
  EXPECT_FALSE(parse_id({PacketType::puback, 0, 1, short_ack}, id));
}

}  // namespace
}  // namespace images::sensor
