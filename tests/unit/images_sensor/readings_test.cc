// From the bytes of a serial line to what a window tells.
#include "images/sensor/readings.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "images/runtime/line.h"
#include "images/sensor/simulated.h"
#include "images/sensor/window.h"

namespace images::sensor {
namespace {

using Pairs = std::vector<std::pair<std::string, std::int64_t>>;

Pairs pairs_of(LineReader& reader, std::string_view text) {
  Pairs pairs;
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(text.data());
  reader.feed({bytes, text.size()}, [&pairs](std::string_view name, Decimal value) {
    pairs.emplace_back(name, value.thousandths);
  });
  return pairs;
}

std::string shown(std::int64_t thousandths) {
  runtime::Line line;
  add_decimal(line, {thousandths});
  return std::string(line.text());
}

TEST(Decimals, AreReadAndShown) {
  Decimal value;
  for (const auto& [text, thousandths] : std::vector<std::pair<std::string, std::int64_t>>{
           {"0", 0}, {"-0.5", -500}, {"+3", 3000}, {"21.5", 21'500}, {"1.2349", 1234},
           {"7.05", 7050}}) {
    ASSERT_TRUE(parse_decimal(text, value)) << text;
    EXPECT_EQ(value.thousandths, thousandths) << text;
  }
  for (const char* text : {"", "-", ".5", "5.", "1e3", "1,5", "1.2.3", "nan", " 1",
                           "10000000000000"}) {
    EXPECT_FALSE(parse_decimal(text, value)) << text;
  }
  EXPECT_EQ(shown(21'500), "21.5");
  EXPECT_EQ(shown(-40), "-0.04");
  EXPECT_EQ(shown(1001), "1.001");
  EXPECT_EQ(shown(-3000), "-3");
}

TEST(Lines, ArePairsHoweverTheyCome) {
  LineReader reader;
  EXPECT_EQ(pairs_of(reader, "t=21.5 h:40,p=1013;x\r\n"),
            (Pairs{{"t", 21'500}, {"h", 40'000}, {"p", 1'013'000}}));
  EXPECT_EQ(reader.malformed(), 1U);  // x
  EXPECT_EQ(pairs_of(reader, "t=2"), Pairs());
  EXPECT_EQ(pairs_of(reader, "2.25\n23\n"), (Pairs{{"t", 22'250}, {"value", 23'000}}));
  EXPECT_EQ(pairs_of(reader, "\n\n  \n"), Pairs());
  EXPECT_EQ(pairs_of(reader, "1 2\n=5\nt=\n"), Pairs());
}

TEST(Lines, OneThatIsTooLongIsPassedOver) {
  LineReader reader;
  EXPECT_EQ(pairs_of(reader, std::string(300, 'x') + " t=1\nt=2\n"), (Pairs{{"t", 2000}}));
  EXPECT_EQ(reader.malformed(), 1U);
}

SensorSettings plain() {
  SensorSettings settings;
  settings.name = "t";
  settings.every_ms = 1000;
  return settings;
}

TEST(Windows, SumUpAndTellOnce) {
  const SensorSettings settings = plain();
  Window window;
  window.configure(settings, 0);
  for (const std::int64_t value : {1000, 2000, 6000}) EXPECT_TRUE(window.take({value}));
  EXPECT_FALSE(window.close_if_due(999));
  const auto summary = window.close_if_due(1000);
  ASSERT_TRUE(summary);
  EXPECT_EQ(summary->count, 3U);
  EXPECT_EQ(summary->mean, Decimal{3000});
  EXPECT_EQ(summary->min, Decimal{1000});
  EXPECT_EQ(summary->max, Decimal{6000});
  EXPECT_FALSE(window.close_if_due(2000)) << "no reading, no message";
  EXPECT_FALSE(window.close(2000));
}

TEST(Windows, RefuseWhatLiesOutside) {
  SensorSettings settings = plain();
  settings.bounded_below = settings.bounded_above = true;
  settings.min = {-1000};
  settings.max = {1000};
  Window window;
  window.configure(settings, 0);
  EXPECT_TRUE(window.take({-1000}));
  EXPECT_FALSE(window.take({-1001}));
  EXPECT_FALSE(window.take({1001}));
  EXPECT_EQ(window.rejected(), 2U);
}

TEST(Windows, ASpikeIsPassedOverAndAStepIsBelievedTheSecondTime) {
  SensorSettings settings = plain();
  settings.step = {500};
  Window window;
  window.configure(settings, 0);
  EXPECT_TRUE(window.take({1000}));
  EXPECT_FALSE(window.take({9000}));
  EXPECT_TRUE(window.take({1100}));
  EXPECT_FALSE(window.take({5000}));
  EXPECT_FALSE(window.take({9000})) << "another spike does not confirm the first";
  EXPECT_TRUE(window.take({9100}));
  EXPECT_TRUE(window.take({9200}));
}

TEST(Windows, TheDeadBandIsQuietForNineWindows) {
  SensorSettings settings = plain();
  settings.deadband = {500};
  Window window;
  window.configure(settings, 0);
  std::uint64_t now = 0;
  const auto next = [&window, &now](std::int64_t value) {
    window.take({value});
    return window.close_if_due(now += 1000);
  };
  EXPECT_TRUE(next(1000));
  for (int i = 0; i < 9; ++i) EXPECT_FALSE(next(1400)) << i;
  EXPECT_TRUE(next(1400));
  EXPECT_FALSE(next(1000));
  EXPECT_TRUE(next(1900));
}

TEST(Windows, ASwingWithinTheWindowIsNotQuiet) {
  SensorSettings settings = plain();
  settings.deadband = {500};
  Window window;
  window.configure(settings, 0);
  window.take({1000});
  ASSERT_TRUE(window.close_if_due(1000));
  window.take({0});
  window.take({2000});  // the mean is the same
  EXPECT_TRUE(window.close_if_due(2000));
}

TEST(Simulated, SwingsBetweenItsEnds) {
  EXPECT_EQ(simulated_reading({1000}, {3000}, 0), Decimal{1000});
  EXPECT_EQ(simulated_reading({1000}, {3000}, 15'000), Decimal{2000});
  EXPECT_EQ(simulated_reading({1000}, {3000}, 30'000), Decimal{3000});
  EXPECT_EQ(simulated_reading({1000}, {3000}, 45'000), Decimal{2000});
  constexpr std::int64_t kMost = 1'000'000'000'000'000;
  EXPECT_EQ(simulated_reading({-kMost}, {kMost}, 30'000), Decimal{kMost});
}

}  // namespace
}  // namespace images::sensor
