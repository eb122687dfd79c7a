#include "proto/units.h"

#include <gtest/gtest.h>

namespace {

using proto::Code;

TEST(UnitsTest, TimesAreReadWithTheirUnit) {
  EXPECT_EQ(proto::parse_duration_ms("250ms").value(), 250U);
  EXPECT_EQ(proto::parse_duration_ms("2s").value(), 2000U);
  EXPECT_EQ(proto::parse_duration_ms("10m").value(), 600000U);
  EXPECT_EQ(proto::parse_duration_ms("24h").value(), 86400000U);
  EXPECT_EQ(proto::parse_duration_ms("0").value(), 0U);
  EXPECT_EQ(proto::parse_duration_ms("0s").value(), 0U);
}

TEST(UnitsTest, SizesAreBinaryInEverySpelling) {
  for (const char* text : {"16M", "16Mi", "16MiB", "16384K"}) {
    EXPECT_EQ(proto::parse_size_bytes(text).value(), 16U << 20) << text;
  }
  EXPECT_EQ(proto::parse_size_bytes("1G").value(), 1U << 30);
  EXPECT_EQ(proto::parse_size_bytes("7B").value(), 7U);
  EXPECT_EQ(proto::parse_rate_bytes("16K/s").value(), 16384U);
  EXPECT_EQ(proto::parse_percent("50%").value(), 50U);
}

TEST(UnitsTest, ABareNumberNamesTheUnits) {
  EXPECT_EQ(proto::parse_duration_ms("10").error().what, "10 has no unit; write 10s or 10ms");
  EXPECT_EQ(proto::parse_size_bytes("16").error().what, "16 has no unit; write 16M or 16K");
  EXPECT_EQ(proto::parse_percent("50").error().what, "50 has no unit; write 50%");
  EXPECT_EQ(proto::parse_rate_bytes("16").error().what, "16 has no unit; write 16K/s");
}

TEST(UnitsTest, WhatIsNoMeasureIsRefused) {
  for (const char* text : {"", "s", "-1s", "1.5s", "1 s", "10x", "1e3ms", "10MS", "ms10", "1s "}) {
    const auto parsed = proto::parse_duration_ms(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().code, Code::bad_argument);
  }
  for (const char* text : {"", "M", "16m", "16MB", "1.5G", "-1M"}) {
    EXPECT_FALSE(proto::parse_size_bytes(text)) << text;
  }
  EXPECT_FALSE(proto::parse_rate_bytes("16K"));
  EXPECT_FALSE(proto::parse_percent("10001%"));
  EXPECT_FALSE(proto::parse_percent("x%"));
}

TEST(UnitsTest, WhatDoesNotFitIsTooLargeAndNotWrapped) {
  for (const char* text : {"99999999999999999999s", "9223372036854775807h", "9223372036854776G"}) {
    const auto time = proto::parse_duration_ms(text);
    const auto size = proto::parse_size_bytes(text);
    EXPECT_FALSE(time) << text;
    EXPECT_FALSE(size) << text;
  }
}

TEST(UnitsTest, AWindowOfTheDayHoldsItsMinutesAlsoOverMidnight) {
  EXPECT_TRUE(proto::parse_day_window("any")->holds(700));
  const auto night = proto::parse_day_window("02:00-04:30");
  ASSERT_TRUE(night.has_value());
  EXPECT_FALSE(night->holds(119));
  EXPECT_TRUE(night->holds(120));
  EXPECT_TRUE(night->holds(269));
  EXPECT_FALSE(night->holds(270));
  const auto over = proto::parse_day_window("22:30-01:00");
  ASSERT_TRUE(over.has_value());
  EXPECT_TRUE(over->holds(1439));
  EXPECT_TRUE(over->holds(0));
  EXPECT_FALSE(over->holds(60));
  EXPECT_FALSE(over->holds(1349));
  EXPECT_TRUE(proto::parse_day_window("18:00-24:00")->holds(1439));
  for (const char* text : {"", "night", "2:00-4:00", "02:00-02:00", "24:00-02:00", "02:00-24:30",
                           "02:60-03:00", "02:00-00:00", "02:00_04:00", "0x:00-04:00"}) {
    const auto window = proto::parse_day_window(text);
    ASSERT_FALSE(window.has_value()) << text;
    EXPECT_NE(window.error().what.find("write any or 02:00-04:00"), std::string::npos);
  }
}

TEST(UnitsTest, PrintedTimesAndSizesAreTheOnesOfTheScreens) {
  EXPECT_EQ(proto::format_duration_ms(250), "250ms");
  EXPECT_EQ(proto::format_duration_ms(600000), "10m");
  EXPECT_EQ(proto::format_duration_ms(86400000), "24h");
  EXPECT_EQ(proto::format_duration_ms(1500), "1500ms");
  EXPECT_EQ(proto::format_duration_ms(0), "0s");
  EXPECT_EQ(proto::format_elapsed_ms(290), "0.29s");
  EXPECT_EQ(proto::format_elapsed_ms(10600), "10.6s");
  EXPECT_EQ(proto::format_elapsed_ms(59990), "1m00s");
  EXPECT_EQ(proto::format_elapsed_ms(1992000), "33m12s");
  EXPECT_EQ(proto::format_elapsed_ms(11520000), "3h12m");
  EXPECT_EQ(proto::format_elapsed_ms(9ULL * 86400000), "9d");
  EXPECT_EQ(proto::format_size_bytes(12), "12 B");
  EXPECT_EQ(proto::format_size_bytes(412 * 1024), "412 KiB");
  EXPECT_EQ(proto::format_size_bytes(16 << 20), "16 MiB");
  EXPECT_EQ(proto::format_size_bytes(1258291), "1.2 MiB");
  EXPECT_EQ(proto::format_size_short(16 << 20), "16M");
  EXPECT_EQ(proto::format_size_short(1000), "1000B");
}

}  // namespace
