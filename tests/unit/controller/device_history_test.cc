// What devices measured: samples in memory, ten minutes a row in the store, for a day.
#include "controller/device_history.h"

#include "controller/store_sql.h"
#include "tests/unit/controller/world.h"

namespace controller {
namespace {

struct DeviceHistoryTest : ::testing::Test {
  World world;
  DeviceHistory history{world.clock, *world.store};

  /// A sample now, and then the time until the next.
  void measure(const std::string& device, std::uint64_t free_mib, std::uint64_t used_mib,
               std::uint32_t cpu_permille = 7, bool healthy = true) {
    v1::Telemetry facts;
    facts.mutable_inventory()->set_memory_free_bytes(free_mib << 20);
    v1::AppStatus& app = *facts.add_apps();
    app.set_app("dns");
    app.mutable_instance()->set_id("one");
    app.mutable_instance()->set_memory_bytes(used_mib << 20);
    app.mutable_instance()->set_cpu_permille(cpu_permille);
    app.mutable_instance()->set_healthy(healthy);
    history.add(device, facts);
  }
  void pass(std::int64_t ms) { world.clock.advance(ms); }
  /// To the beginning of the next ten minutes.
  void next_span() { pass(kSpan_ms - world.clock.wall_ms() % kSpan_ms); }
  v1::DeviceHistory of(const std::string& device) { return *history.of(device); }
  /// As after a restart of the controller.
  v1::DeviceHistory stored(const std::string& device) {
    return *DeviceHistory(world.clock, *world.store).of(device);
  }
};

TEST_F(DeviceHistoryTest, ASampleForEachIntervalAndAnEnd) {
  measure("id", 64, 2);
  pass(kHistoryInterval_ms - 1);
  measure("id", 64, 2);
  ASSERT_EQ(of("id").samples_size(), 1) << "too early";
  for (std::size_t i = 0; i < 2 * kHistorySamples; ++i) {
    pass(kHistoryInterval_ms);
    measure("id", 64, 2);
  }
  const v1::DeviceHistory kept = of("id");
  ASSERT_EQ(kept.samples_size(), static_cast<int>(kHistorySamples));
  const v1::HistorySample& newest = kept.samples(kept.samples_size() - 1);
  EXPECT_EQ(newest.at_ms(), static_cast<std::uint64_t>(world.clock.wall_ms()));
  EXPECT_EQ(newest.memory_free_bytes(), 64u << 20);
  EXPECT_EQ(newest.apps(0).app(), "dns");
  EXPECT_EQ(newest.apps(0).memory_bytes(), 2u << 20);
  EXPECT_EQ(newest.apps(0).cpu_permille(), 7u);
  EXPECT_TRUE(newest.apps(0).healthy());
  history.forget("id");
  EXPECT_EQ(of("id").samples_size(), 0);
}

TEST_F(DeviceHistoryTest, TenMinutesOutliveTheControllerAsTheirWorstAndTheirMean) {
  next_span();
  const std::int64_t begin_ms = world.clock.wall_ms();
  measure("id", 64, 2, 10);
  pass(kHistoryInterval_ms);
  measure("id", 48, 5, 20);
  pass(kHistoryInterval_ms);
  measure("id", 50, 3, 60, false);
  ASSERT_TRUE(history.save_some());
  EXPECT_EQ(stored("id").samples_size(), 0) << "they are not over";
  next_span();
  ASSERT_TRUE(history.save_some());
  const v1::DeviceHistory kept = stored("id");
  ASSERT_EQ(kept.samples_size(), 1);
  EXPECT_EQ(kept.samples(0).at_ms(), static_cast<std::uint64_t>(begin_ms));
  EXPECT_EQ(kept.samples(0).memory_free_bytes(), 48u << 20);
  ASSERT_EQ(kept.samples(0).apps_size(), 1);
  EXPECT_EQ(kept.samples(0).apps(0).memory_bytes(), 5u << 20);
  EXPECT_EQ(kept.samples(0).apps(0).cpu_permille(), 30u);
  EXPECT_FALSE(kept.samples(0).apps(0).healthy());
  EXPECT_EQ(of("id").samples_size(), 3) << "what is in memory is not shown twice";
}

TEST_F(DeviceHistoryTest, AControllerThatStopsKeepsTheMinutesThatAreNotOver) {
  next_span();
  measure("id", 64, 2);
  ASSERT_TRUE(history.save_all());
  EXPECT_EQ(stored("id").samples_size(), 1);
  // The next one goes on within the same ten minutes.
  pass(kHistoryInterval_ms);
  DeviceHistory next(world.clock, *world.store);
  v1::Telemetry facts;
  facts.mutable_inventory()->set_memory_free_bytes(32 << 20);
  next.add("id", facts);
  EXPECT_EQ(next.of("id")->samples_size(), 2) << "before and after";
  next_span();
  ASSERT_TRUE(next.save_some());
  ASSERT_EQ(stored("id").samples_size(), 1);
  EXPECT_EQ(stored("id").samples(0).memory_free_bytes(), 32u << 20);
}

TEST_F(DeviceHistoryTest, ManyDevicesAreStoredAFewHundredAtATimeAndEachOnce) {
  next_span();
  for (int i = 0; i < 600; ++i) measure("device" + std::to_string(i), 64, 2);
  next_span();
  ASSERT_TRUE(history.save_some());
  std::size_t there = 0;
  const auto count = [&] {
    std::size_t found = 0;
    for (int i = 0; i < 600; ++i) {
      found += static_cast<std::size_t>(stored("device" + std::to_string(i)).samples_size());
    }
    return found;
  };
  there = count();
  EXPECT_GT(there, 0u);
  EXPECT_LT(there, 600u) << "the loop does not stand still for all";
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(history.save_some());
  EXPECT_EQ(count(), 600u);
}

TEST_F(DeviceHistoryTest, ADayOldRowsAndTheOldestOfTooManyGo) {
  next_span();
  measure("id", 64, 2);
  next_span();
  ASSERT_TRUE(history.save_some());
  ASSERT_EQ(stored("id").samples_size(), 1);
  pass(kSpansKept_ms + kSpan_ms);
  ASSERT_TRUE(history.save_some());
  long long rows = 0;
  world.store->session().sql << "SELECT COUNT(*) FROM measured", soci::into(rows);
  EXPECT_EQ(rows, 0) << "gone, not only out of sight";

  {
    Store::Transaction transaction(*world.store);
    v1::HistorySample span;
    for (int i = 1; i <= 6; ++i) {
      span.set_at_ms(static_cast<std::uint64_t>(i) * kSpan_ms);
      ASSERT_TRUE(world.store->add_measured("a", span));
      ASSERT_TRUE(world.store->add_measured("b", span));
    }
    ASSERT_TRUE(transaction.commit());
  }
  ASSERT_TRUE(world.store->forget_measured(0, 5));
  const std::vector<std::int64_t> all = {kSpan_ms,     2 * kSpan_ms, 3 * kSpan_ms,
                                         4 * kSpan_ms, 5 * kSpan_ms, 6 * kSpan_ms};
  EXPECT_EQ(world.store->measured("a", all)->size(), 2u);
  EXPECT_EQ(world.store->measured("b", all)->size(), 2u);
  EXPECT_EQ(world.store->measured("a", all)->front().at_ms(),
            static_cast<std::uint64_t>(5 * kSpan_ms));
}

TEST_F(DeviceHistoryTest, AClockThatIsSetBackLosesNothingThatComesAfter) {
  next_span();
  pass(10 * kSpan_ms);
  measure("id", 64, 2);
  next_span();
  ASSERT_TRUE(history.save_some());
  pass(-8 * kSpan_ms);
  measure("id", 32, 2);
  next_span();
  ASSERT_TRUE(history.save_some());
  const v1::DeviceHistory kept = stored("id");
  ASSERT_GE(kept.samples_size(), 1);
  EXPECT_EQ(kept.samples(0).memory_free_bytes(), 32u << 20);
}

}  // namespace
}  // namespace controller
