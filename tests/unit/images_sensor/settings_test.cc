// The sensor's settings and commands: what is taken, and each refusal by line.
#include "images/sensor/settings.h"

#include <gtest/gtest.h>

#include <string>

#include "images/sensor/command.h"

namespace images::sensor {
namespace {

constexpr std::string_view kGood = R"(# comment
broker 192.0.2.7:8883
client gateway-7   # its name
topic  plant/lyon
user   ana
keepalive 1m
buffer 500
metrics 9100

sensor temperature from serial every 5s min -40 max 85 step 2.5 deadband 0.2
sensor t2 from serial as probe_2
sensor load from simulated -1.5 20
)";

TEST(Settings, TakesEveryStatement) {
  Settings settings;
  const SettingsFault fault = parse_settings(kGood, "host", settings);
  ASSERT_FALSE(fault.failed()) << fault.what << " in line " << fault.line;
  EXPECT_EQ(settings.broker, (std::array<std::uint8_t, 4>{192, 0, 2, 7}));
  EXPECT_EQ(settings.port, 8883);
  EXPECT_EQ(settings.client, "gateway-7");
  EXPECT_EQ(settings.topic, "plant/lyon");
  EXPECT_EQ(settings.user, "ana");
  EXPECT_EQ(settings.keepalive_s, 60);
  EXPECT_EQ(settings.buffer, 500U);
  EXPECT_EQ(settings.metrics, 9100);
  ASSERT_EQ(settings.sensor_count, 3U);
  const SensorSettings& first = settings.sensors[0];
  EXPECT_EQ(first.key, "temperature");
  EXPECT_EQ(first.every_ms, 5000U);
  EXPECT_TRUE(first.bounded_below && first.bounded_above);
  EXPECT_EQ(first.min, Decimal{-40'000});
  EXPECT_EQ(first.step, Decimal{2500});
  EXPECT_EQ(first.deadband, Decimal{200});
  EXPECT_EQ(settings.sensors[1].key, "probe_2");
  EXPECT_EQ(settings.sensors[2].source, Source::simulated);
  EXPECT_EQ(settings.sensors[2].low, Decimal{-1500});
}

TEST(Settings, DefaultsAreTheHostNameAndMqttsPort) {
  Settings settings;
  ASSERT_FALSE(parse_settings("broker 10.0.0.1\nsensor a from serial", "box", settings).failed());
  EXPECT_EQ(settings.client, "box");
  EXPECT_EQ(settings.port, 1883);
  EXPECT_EQ(settings.buffer, 10'000U);
}

struct Refused {
  std::string text;
  std::string what;
  std::size_t line;
};

TEST(Settings, RefusesByLine) {
  const std::string sensor = "sensor a from serial\n";
  const std::string broker = "broker 10.0.0.1\n";
  const Refused cases[] = {
      {sensor, "no broker", 0},
      {broker, "no sensor", 0},
      {broker + "brocker 1.2.3.4\n", "no such statement", 2},
      {"broker 10.0.0\n", "not an IPv4 address", 1},
      {"broker 10.0.0.1:0\n", "not a port", 1},
      {broker + "topic a/#\n", "topic", 2},
      {broker + "topic /a\n", "topic", 2},
      {broker + "keepalive 30\n", "not a time of 5s..1h", 2},
      {broker + "keepalive 2h\n", "not a time of 5s..1h", 2},
      {broker + "metrics 0\n", "1..65535", 2},
      {broker + "buffer 8\n", "16..1000000", 2},
      {broker + "client a b\n", "one word too many", 2},
      {broker + sensor + sensor, "of that name", 3},
      {broker + "sensor A from serial\n", "not a name", 2},
      {broker + "sensor a serial\n", "is missing", 2},
      {broker + "sensor a from i2c\n", "no such source", 2},
      {broker + "sensor a from simulated 1\n", "not a number", 2},
      {broker + "sensor a from simulated 2 1\n", "below the first", 2},
      {broker + "sensor a from serial every 5\n", "not a time of 100ms..1h", 2},
      {broker + "sensor a from serial min 3 max 1\n", "max is below min", 2},
      {broker + "sensor a from serial step -1\n", "below 0", 2},
      {broker + "sensor a from serial mean 1\n", "no such word", 2},
      {broker + "sensor a from serial min\n", "not a number", 2},
  };
  for (const Refused& refused : cases) {
    Settings settings;
    const SettingsFault fault = parse_settings(refused.text, "box", settings);
    ASSERT_TRUE(fault.failed()) << refused.text;
    EXPECT_NE(std::string(fault.what).find(refused.what), std::string::npos)
        << refused.text << fault.what;
    EXPECT_EQ(fault.line, refused.line) << refused.text;
  }
}

TEST(Settings, HoldsThirtyTwoSensorsAndNoMore) {
  std::string text = "broker 10.0.0.1\n";
  for (int i = 0; i < 32; ++i) text += "sensor s" + std::to_string(i) + " from serial\n";
  Settings settings;
  EXPECT_FALSE(parse_settings(text, "box", settings).failed());
  EXPECT_EQ(parse_settings(text + "sensor more from serial\n", "box", settings).line, 34U);
}

TEST(Command, TakesThreeVerbsAndRefusesTheRest) {
  Settings settings;
  ASSERT_FALSE(parse_settings(kGood, "box", settings).failed());
  Command command;
  EXPECT_EQ(parse_command("read", settings, command), nullptr);
  EXPECT_EQ(command.verb, Verb::read);
  EXPECT_EQ(parse_command(" state\r\n", settings, command), nullptr);
  EXPECT_EQ(command.verb, Verb::state);
  EXPECT_EQ(parse_command("every load 250ms", settings, command), nullptr);
  EXPECT_EQ(command.verb, Verb::every);
  EXPECT_EQ(command.sensor, 2U);
  EXPECT_EQ(command.every_ms, 250U);
  for (const char* wrong : {"", "reed", "read now", "every", "every nothing 1s", "every load",
                            "every load 5", "every load 10ms", "every load 2h"}) {
    EXPECT_NE(parse_command(wrong, settings, command), nullptr) << wrong;
  }
}

}  // namespace
}  // namespace images::sensor
