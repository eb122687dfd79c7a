#include "proto/waves.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "proto/cause.h"

namespace proto {
namespace {

namespace v1 = fleet::v1;

std::vector<std::uint64_t> sizes(const std::vector<std::string>& waves, std::uint64_t devices) {
  v1::RolloutPolicy written;
  for (const std::string& wave : waves) written.add_waves(wave);
  std::vector<std::uint64_t> out;
  for (const PlannedWave& wave : plan_waves(policy_of(written, v1::WAVES, devices), devices)) {
    out.push_back(wave.devices);
  }
  return out;
}

TEST(Waves, AShareIsACountOrAPercentage) {
  ASSERT_TRUE(parse_share("7").has_value());
  EXPECT_FALSE(parse_share("7")->is_percent);
  ASSERT_TRUE(parse_share("100%").has_value());
  EXPECT_TRUE(parse_share("100%")->is_percent);
  for (const char* text : {"", "%", "x", "101%", "7 ", "7%%", "-1", "1.5%"}) {
    EXPECT_FALSE(parse_share(text).has_value()) << text;
  }
}

TEST(Waves, PercentagesAreRoundedUpAndNobodyOfSomeIsOne) {
  EXPECT_EQ(part_of({10, true}, 300), 30u);
  EXPECT_EQ(part_of({10, true}, 5), 1u);
  EXPECT_EQ(part_of({10, true}, 11), 2u);
  EXPECT_EQ(part_of({1, true}, 1), 1u);
  EXPECT_EQ(part_of({100, true}, 7), 7u);
  EXPECT_EQ(part_of({50, true}, 0), 0u);
  EXPECT_EQ(part_of({9, false}, 7), 7u);
}

TEST(Waves, AboveAShareIsExact) {
  EXPECT_TRUE(is_above(1, {2, true}, 49));
  EXPECT_FALSE(is_above(1, {2, true}, 50));
  EXPECT_FALSE(is_above(6, {2, true}, 300));
  EXPECT_TRUE(is_above(7, {2, true}, 300));
  EXPECT_FALSE(is_above(3, {3, false}, 3));
  EXPECT_TRUE(is_above(4, {3, false}, 3));
  EXPECT_FALSE(is_above(0, {0, true}, 10));
  EXPECT_TRUE(is_above(1, {0, true}, 10));
}

TEST(Waves, AreRunningTotals) {
  EXPECT_EQ(sizes({"1", "10%", "50%", "100%"}, 300), (std::vector<std::uint64_t>{1, 29, 120, 150}));
  EXPECT_EQ(sizes({}, 300), (std::vector<std::uint64_t>{1, 29, 120, 150})) << "the default";
  EXPECT_EQ(sizes({"1", "100%"}, 1), (std::vector<std::uint64_t>{1}));
  EXPECT_EQ(sizes({"1", "10%", "50%", "100%"}, 5), (std::vector<std::uint64_t>{1, 2, 2}))
      << "10% of 5 is the one of the first wave: a wave of nobody is none";
  EXPECT_EQ(sizes({"1", "10%"}, 20), (std::vector<std::uint64_t>{1, 1, 18}))
      << "what is left is one more";
  EXPECT_EQ(sizes({"50", "100"}, 20), (std::vector<std::uint64_t>{20}));
  EXPECT_EQ(sizes({"1"}, 0), (std::vector<std::uint64_t>{}));
}

// Whatever the policy and the number, every device is in exactly one wave and no wave is empty.
TEST(Waves, HoldEveryDeviceOnce) {
  for (std::uint64_t devices = 0; devices <= 250; ++devices) {
    for (const auto& waves : std::vector<std::vector<std::string>>{
             {}, {"1"}, {"3", "4"}, {"1%", "2%", "3%"}, {"100%"}, {"99%"}, {"7", "33%"}}) {
      std::uint64_t sum = 0;
      for (const std::uint64_t size : sizes(waves, devices)) {
        EXPECT_GE(size, 1u);
        sum += size;
      }
      EXPECT_EQ(sum, devices);
    }
  }
}

TEST(Waves, ManyDevicesGoInWavesAndFewAtOnceUnlessSomebodySaysOtherwise) {
  const v1::RolloutPolicy nothing;
  EXPECT_EQ(policy_of(nothing, v1::STRATEGY_UNSPECIFIED, 10).strategy(), v1::ALL);
  EXPECT_EQ(policy_of(nothing, v1::STRATEGY_UNSPECIFIED, 11).strategy(), v1::WAVES);
  EXPECT_EQ(policy_of(nothing, v1::ALL, 11).strategy(), v1::ALL);
  EXPECT_EQ(policy_of(nothing, v1::WAVES, 2).strategy(), v1::WAVES);
  v1::RolloutPolicy written;
  written.add_waves("1");
  EXPECT_EQ(policy_of(written, v1::STRATEGY_UNSPECIFIED, 2).strategy(), v1::WAVES);
  EXPECT_EQ(policy_of(written, v1::ALL, 2).waves_size(), 0);
  written.set_strategy(v1::ALL);
  EXPECT_EQ(policy_of(written, v1::STRATEGY_UNSPECIFIED, 20).strategy(), v1::ALL);
}

TEST(Waves, APolicyLeavesNothingOpen) {
  const v1::RolloutPolicy waves = policy_of({}, v1::WAVES, 300);
  EXPECT_EQ(waves.soak_ms(), kSoak_ms);
  EXPECT_EQ(waves.max_failed(), "2%");
  EXPECT_EQ(waves.min_finished(), 5u);
  EXPECT_EQ(waves.device_deadline_ms(), kDeviceDeadline_ms);
  EXPECT_EQ(waves.on_failure(), v1::REVERT);
  EXPECT_EQ(policy_of({}, v1::ALL, 3).on_failure(), v1::KEEP);
  v1::RolloutPolicy written;
  written.set_soak_ms(0);
  written.set_on_failure(v1::PAUSE);
  EXPECT_EQ(policy_of(written, v1::WAVES, 300).soak_ms(), 0u) << "no soak was asked for";
  EXPECT_EQ(policy_of(written, v1::ALL, 300).on_failure(), v1::PAUSE);
}

TEST(Waves, WhoIsOnlineComesFirst) {
  std::vector<WavePlace> places = {{false, "edge-1"}, {true, "edge-10"}, {true, "edge-2"}};
  std::sort(places.begin(), places.end(), comes_before);
  EXPECT_EQ(places[0].name, "edge-2");
  EXPECT_EQ(places[1].name, "edge-10");
  EXPECT_EQ(places[2].name, "edge-1");
}

TEST(Waves, EachCodeHasItsCause) {
  EXPECT_EQ(cause_of(v1::CODE_NO_ANSWER), v1::CAUSE_IMAGE);
  EXPECT_EQ(cause_of(v1::CODE_NO_MEMORY), v1::CAUSE_DEVICE);
  EXPECT_EQ(cause_of(v1::CODE_UNREACHABLE), v1::CAUSE_NETWORK);
  EXPECT_EQ(cause_of(v1::CODE_UNSET), v1::CAUSE_UNSPECIFIED);
  const auto* codes = v1::Code_descriptor();
  for (int i = 1; i < codes->value_count(); ++i) {
    const auto cause = cause_of(static_cast<v1::Code>(codes->value(i)->number()));
    EXPECT_STRNE(word_of_cause(cause), "") << codes->value(i)->name();
  }
}

}  // namespace
}  // namespace proto
