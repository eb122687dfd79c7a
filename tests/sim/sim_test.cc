// The simulator as a test, and alone:
//   sim_test [--seed N] [--devices M] [--minutes T] [--calm] [--trace]
// Without --seed the tests run: fixed seeds, and new ones from the time, which are printed.
#include <gtest/gtest.h>

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <string_view>

#include "ota/database.h"
#include "tests/sim/database_files.h"
#include "tests/sim/disk.h"
#include "tests/sim/world.h"

namespace {

using sim::Outcome;
using sim::World;
using sim::WorldOptions;

constexpr std::string_view kTestSchema[] = {"CREATE TABLE rows (number INTEGER) STRICT"};

std::string replay(const WorldOptions& options) {
  return "sim_test --seed " + std::to_string(options.seed) + " --devices " +
         std::to_string(options.devices) + (options.calm ? " --calm" : "") + " --trace";
}

Outcome run(const WorldOptions& options) {
  World world(options);
  return world.run();
}

void expect_rest(const WorldOptions& options) {
  const Outcome outcome = run(options);
  EXPECT_EQ(outcome.broken, "") << "replay it with: " << replay(options) << "\n" << outcome.tail;
}

TEST(Sim, ACalmWorldConverges) {
  WorldOptions options;
  options.devices = 3;
  options.calm = true;
  for (options.seed = 1; options.seed <= 5; ++options.seed) expect_rest(options);
}

TEST(Sim, TheSameSeedTellsTheSameStory) {
  WorldOptions options;
  options.seed = 7;
  const Outcome once = run(options);
  const Outcome again = run(options);
  EXPECT_EQ(once.hash, again.hash);
  EXPECT_EQ(once.lines, again.lines);
  options.seed = 8;
  EXPECT_NE(once.hash, run(options).hash);
}

std::uint64_t count_rows(ota::Database& database) {
  ota::Statement count(database, "SELECT COUNT(*) FROM rows");
  EXPECT_TRUE(*count.step());
  return count.unsigned_integer(0);
}

// A process dies at any step of a commit; what the next one reads, and may tell others, is still
// there after a power cut. The disk may be full meanwhile.
TEST(Sim, WhatADatabaseSaysAfterAKillSurvivesAPowerCut) {
  const ota::Schema schema{"test", kTestSchema};
  std::size_t read = 0;
  for (std::uint64_t seed = 0; seed < 400; ++seed) {
    sim::Random random(seed);
    sim::SimDisk disk(random);
    const sim::DatabaseFiles files(disk, "durable" + std::to_string(seed));
    const auto open = [&] {
      auto database = ota::Database::open(files.uri("test.db"), {&schema, 1});
      EXPECT_TRUE(database.has_value());
      return std::move(*database);
    };
    auto database = open();
    disk.die_in(1 + seed % 20, [] {});
    {
      ota::Transaction transaction(*database);
      static_cast<void>(ota::Statement(transaction, "INSERT INTO rows VALUES (1)").run());
      static_cast<void>(transaction.commit());
    }
    disk.kill();
    database.reset();
    disk.revive();
    disk.full = seed % 3 == 0;
    database = open();
    const std::uint64_t there = count_rows(*database);
    read += there;
    disk.cut_power();
    database.reset();
    disk.full = false;
    disk.revive();
    EXPECT_EQ(count_rows(*open()), there) << "seed " << seed;
  }
  EXPECT_GT(read, 0U);
}

// From one seed on, with few devices each.
void expect_rest_of(std::uint64_t first, std::uint64_t count) {
  WorldOptions options;
  for (options.seed = first; options.seed < first + count; ++options.seed) {
    options.devices = 2 + options.seed % 4;
    expect_rest(options);
  }
}

// In two halves, for two processors.
TEST(Sim, FixedSeedsComeToRest) { expect_rest_of(1, FLEET_SIM_SEEDS / 2); }
TEST(Sim, MoreFixedSeedsComeToRest) {
  expect_rest_of(1 + FLEET_SIM_SEEDS / 2, FLEET_SIM_SEEDS / 2);
}

TEST(Sim, NewSeedsComeToRest) {
  const auto first = static_cast<std::uint64_t>(std::time(nullptr));
  std::printf("new seeds from %llu on\n", static_cast<unsigned long long>(first));
  expect_rest_of(first, FLEET_SIM_SEEDS / 20 + 1);  // long.sh takes thousands
}

int run_one(const WorldOptions& options) {
  const Outcome outcome = run(options);
  std::printf("seed %llu, %zu devices: %s; %lld s of virtual time, %llu lines, story %016llx\n",
              static_cast<unsigned long long>(options.seed), options.devices,
              outcome.broken.empty() ? "at rest" : outcome.broken.c_str(),
              static_cast<long long>(outcome.virtual_ms / 1000),
              static_cast<unsigned long long>(outcome.lines),
              static_cast<unsigned long long>(outcome.hash));
  if (!outcome.broken.empty()) std::printf("replay it with: %s\n", replay(options).c_str());
  return outcome.broken.empty() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  sim::DatabaseFiles::allow_uris();
  WorldOptions options;
  bool alone = false;
  std::uint64_t runs = 1;
  for (int i = 1; i < argc; ++i) {
    const std::string_view flag = argv[i];
    if (flag == "--trace") options.print = true;
    if (flag == "--calm") options.calm = true;
    if (i + 1 == argc) continue;
    const std::uint64_t value = std::strtoull(argv[i + 1], nullptr, 10);
    if (flag == "--seed") options.seed = value, alone = true;
    if (flag == "--devices") options.devices = value;
    if (flag == "--minutes") options.storm_ms = static_cast<std::int64_t>(value) * 60'000;
    if (flag == "--runs") runs = value;
  }
  if (!alone) return RUN_ALL_TESTS();
  int failed = 0;
  for (std::uint64_t i = 0; i < runs; ++i, ++options.seed) failed += run_one(options);
  return failed == 0 ? 0 : 1;
}
