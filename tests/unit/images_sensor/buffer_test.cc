// What waits for the broker: nothing goes before its room is used up, and in what order.
#include "images/sensor/buffer.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "images/sensor/payload.h"

namespace images::sensor {
namespace {

class BufferTest : public testing::Test {
 protected:
  void fill(int count) {
    for (int i = 0; i < count; ++i) buffer_.push(0, {1, {1}, {1}, {1}}, 0);
  }
  /// Sends all that waits; the sequences.
  std::vector<std::uint64_t> send() {
    std::vector<std::uint64_t> sent;
    while (const Message* message = buffer_.next()) {
      sent.push_back(message->sequence);
      buffer_.sent();
    }
    return sent;
  }

  std::vector<Message> room_ = std::vector<Message>(4);
  Buffer buffer_{room_};
};

using Sequences = std::vector<std::uint64_t>;

TEST_F(BufferTest, KeepsWhatIsNotAcknowledged) {
  fill(3);
  EXPECT_EQ(send(), (Sequences{1, 2, 3}));
  EXPECT_EQ(send(), Sequences());
  buffer_.acknowledge(1);
  buffer_.connection_ended();
  EXPECT_EQ(send(), (Sequences{2, 3}));
}

TEST_F(BufferTest, AnAcknowledgementOutOfOrderFreesNothingBeforeIt) {
  fill(3);
  send();
  buffer_.acknowledge(2);
  EXPECT_EQ(buffer_.size(), 3U);
  buffer_.acknowledge(1);
  EXPECT_EQ(buffer_.size(), 1U);
  EXPECT_EQ(buffer_.oldest_sequence(), 3U);
}

TEST_F(BufferTest, OneThatIsNotOnItsWayCannotBeAcknowledged) {
  fill(2);
  buffer_.acknowledge(1);
  buffer_.acknowledge(7);
  EXPECT_EQ(buffer_.size(), 2U);
  send();
  buffer_.acknowledge(0);
  buffer_.acknowledge(3);
  EXPECT_EQ(buffer_.size(), 2U);
}

TEST_F(BufferTest, WhenFullTheOldestGoes) {
  fill(4);
  EXPECT_EQ(buffer_.lost(), 0U);
  fill(2);
  EXPECT_EQ(buffer_.lost(), 2U);
  EXPECT_EQ(send(), (Sequences{3, 4, 5, 6}));
  fill(1);  // 3 is on its way, and goes
  EXPECT_EQ(buffer_.on_way(), 3U);
  buffer_.acknowledge(3);
  EXPECT_EQ(buffer_.size(), 4U);
  EXPECT_EQ(send(), (Sequences{7}));
}

TEST_F(BufferTest, AnEmptyOneSaysNothing) {
  EXPECT_EQ(buffer_.next(), nullptr);
  EXPECT_EQ(buffer_.oldest_sequence(), 0U);
  buffer_.acknowledge(1);
  buffer_.connection_ended();
  EXPECT_EQ(buffer_.size(), 0U);
}

TEST(Payloads, AreOneJsonObject) {
  SensorSettings sensor;
  const Message message{7, 100, 0, false, {10, {21'500}, {21'400}, {-500}}};
  EXPECT_EQ(Payload(message, sensor, {0x5f01c2d3, 2, 112}).text(),
            R"({"boot":"5f01c2d3","sequence":7,"age_ms":12,"count":10,"mean":21.5,"min":21.4,)"
            R"("max":-0.5,"lost":2})");
  sensor.source = Source::simulated;
  EXPECT_TRUE(Payload(message, sensor, {1, 0, 112}).text().ends_with(R"("simulated":true})"));
}

TEST(Payloads, TheLongestFits) {
  SensorSettings sensor;
  sensor.source = Source::simulated;
  constexpr std::int64_t kMost = -1'000'000'000'000'999;
  const Message message{UINT64_MAX, 0, 31, false, {UINT32_MAX, {kMost}, {kMost}, {kMost}}};
  const Payload payload(message, sensor, {UINT32_MAX, UINT64_MAX, UINT64_MAX});
  EXPECT_TRUE(payload.text().ends_with('}')) << payload.text();
}

}  // namespace
}  // namespace images::sensor
