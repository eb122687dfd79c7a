// Deltas at the controller: made once, kept over restarts, offered to whom they help.
#include "controller/deltas.h"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <filesystem>
#include <random>
#include <span>

#include "ota/delta.h"
#include "ota/disk.h"
#include "proto/limits.h"
#include "tests/unit/controller/world.h"

namespace controller {
namespace {

std::string noise(std::size_t size, unsigned seed) {
  std::mt19937 random(seed);
  std::string text(size, '\0');
  for (char& one : text) one = static_cast<char>(random());
  return text;
}

struct DeltasTest : ::testing::Test {
  DeltasTest() {
    world.set_up_trust();
    id = world.enroll("edge-1");
    world.online("edge-1");
    auto disk = ota::RealDisk::open(folder());
    FLEET_ASSERT(disk.has_value());
    real_disk = std::move(*disk);
    open();
    image.replace(5000, 3, "new");
    push(base);
    runs(1);
    push(image);
  }
  ~DeltasTest() override { stop(); }

  std::string folder() {
    const std::string path = world.directory / "controller/deltas";
    std::filesystem::create_directories(path);
    return path;
  }
  void open() {
    deltas = std::make_unique<Deltas>(*world.store, *world.blobs, *real_disk, pool, world.clock);
    ASSERT_TRUE(deltas->open().has_value());
  }
  void stop() {
    tasks.cancel();
    settle();
    EXPECT_EQ(tasks.size(), 0u);
    deltas.reset();
  }
  void push(const std::string& bytes) {
    const auto pushed = world.push(world.next_push("edge", bytes));
    ASSERT_TRUE(pushed.has_value()) << pushed.error().what;
  }
  /// The device says that this release is in its slot A, and `other` in B.
  void runs(std::uint64_t release, std::uint64_t other = 0) {
    v1::Telemetry facts;
    facts.mutable_inventory()->set_arch(v1::X86_64);
    v1::AppStatus* app = facts.add_apps();
    app->set_app("dns");
    app->mutable_a()->set_state(v1::GOOD);
    app->mutable_a()->set_release(release);
    if (other != 0) {
      app->mutable_b()->set_state(v1::BAD);
      app->mutable_b()->set_release(other);
    }
    ASSERT_TRUE(world.store->set_facts(id, facts, 0).has_value());
  }
  void settle() {
    loop.restart();
    loop.poll();
  }
  void make() {
    tasks.spawn("make", deltas->make_queued());
    settle();
  }
  proto::awaitable<void> ask() {
    co_await deltas->offer(id, desired);
    answered = true;
  }
  /// What the device is offered for dns. Makes what is queued, if make() was called.
  std::vector<v1::DeltaOffer> offered() {
    auto wanted = world.fleet->desired_of(id);
    EXPECT_TRUE(wanted.has_value());
    desired = std::move(*wanted);
    answered = false;
    tasks.spawn("ask", ask());
    settle();
    if (!answered) return {};
    const auto& list = desired.apps(0).deltas();
    return {list.begin(), list.end()};
  }
  std::size_t files() {
    std::size_t count = 0;
    for ([[maybe_unused]] const auto& one : std::filesystem::directory_iterator(folder())) ++count;
    return count;
  }

  World world;
  boost::asio::io_context loop{1};
  proto::TaskGroup tasks{loop};
  proto::BlockingPool pool{"deltas", proto::BlockingPool::Mode::in_line};
  std::unique_ptr<ota::RealDisk> real_disk;
  std::unique_ptr<Deltas> deltas;
  std::string id;
  v1::Desired desired;
  bool answered = false;
  const std::string base = noise(20'000, 1);
  std::string image = base;
};

TEST_F(DeltasTest, ADeviceThatHoldsTheOldImageIsOfferedADeltaThatMakesTheNewOne) {
  make();
  const auto offers = offered();
  ASSERT_EQ(offers.size(), 1u);
  EXPECT_EQ(offers[0].from(), ota::sha256(base).hex());
  EXPECT_EQ(offers[0].to(), ota::sha256(image).hex());
  EXPECT_LT(offers[0].size_bytes() * 10, image.size());
  const auto file = deltas->open_delta(offers[0].sha256());
  ASSERT_TRUE(file.has_value());
  std::vector<std::byte> delta(offers[0].size_bytes());
  ASSERT_EQ(ota::read_at(*file, 0, delta).value(), delta.size());
  EXPECT_EQ(ota::size_of(*file).value(), delta.size());
  std::string made(image.size(), '\0');
  EXPECT_TRUE(ota::apply_delta(std::as_bytes(std::span(base)), delta,
                               std::as_writable_bytes(std::span(made))));
  EXPECT_EQ(made, image);
  const std::string text(reinterpret_cast<const char*>(delta.data()), delta.size());
  EXPECT_EQ(ota::sha256(text).hex(), offers[0].sha256());
  EXPECT_EQ(deltas->open_delta(std::string(64, '0')).error().code, proto::Code::not_found);
  EXPECT_EQ(deltas->open_delta("../controller.db").error().code, proto::Code::bad_argument);
}

TEST_F(DeltasTest, ItIsMadeOnceAndKeptOverARestart) {
  make();
  ASSERT_EQ(offered().size(), 1u);
  stop();
  std::filesystem::remove(world.directory / ("controller/blobs/" + ota::sha256(base).hex()));
  open();  // nothing is made any more, nor could it be
  EXPECT_EQ(offered().size(), 1u);
  EXPECT_EQ(files(), 1u);
}

TEST_F(DeltasTest, BothSlotsAreBases) {
  push(noise(300, 9) + image);
  runs(1, 2);
  make();
  const auto offers = offered();
  ASSERT_EQ(offers.size(), 2u);
  EXPECT_NE(offers[0].from(), offers[1].from());
}

TEST_F(DeltasTest, ADeviceThatHoldsNothingAlikeIsOfferedTheImageCompressed) {
  const std::string text(20'000, 'x');
  push(text);
  make();
  runs(77);  // nobody knows what that is
  const auto offers = offered();
  ASSERT_EQ(offers.size(), 1u);
  EXPECT_EQ(offers[0].from(), ota::empty_digest().hex());
  EXPECT_EQ(offers[0].to(), ota::sha256(text).hex());
  const auto file = deltas->open_delta(offers[0].sha256());
  ASSERT_TRUE(file.has_value());
  std::vector<std::byte> delta(offers[0].size_bytes());
  ASSERT_EQ(ota::read_at(*file, 0, delta).value(), delta.size());
  std::string made(text.size(), '\0');
  ASSERT_TRUE(ota::apply_delta({}, delta, std::as_writable_bytes(std::span(made))));
  EXPECT_EQ(made, text);
  stop();
  open();
  EXPECT_EQ(offered().size(), 1u) << "kept over a restart";
  runs(2);
  make();
  const auto others = offered();
  ASSERT_EQ(others.size(), 1u);
  EXPECT_EQ(others[0].from(), ota::sha256(image).hex()) << "it holds what is alike";
}

TEST_F(DeltasTest, NoneIsOfferedToWhomItIsOfNoUse) {
  make();
  runs(2, 1);
  EXPECT_TRUE(offered().empty()) << "it has that release";
  runs(1);
  ASSERT_TRUE(world.order(v1::ORDER_STOP, "edge").has_value());
  EXPECT_TRUE(offered().empty()) << "it shall stop";
  EXPECT_EQ(files(), 0u);
}

TEST_F(DeltasTest, WhatIsNotWorthItIsRememberedAndNotOffered) {
  push(noise(20'000, 2));
  make();
  EXPECT_TRUE(offered().empty());
  EXPECT_EQ(files(), 1u) << "an empty one says so";
  stop();
  open();
  EXPECT_TRUE(offered().empty());
  EXPECT_TRUE(answered) << "it waits for nothing";
}

TEST_F(DeltasTest, APushNeverWaitsLongForOne) {
  EXPECT_TRUE(offered().empty());  // nobody makes it
  EXPECT_FALSE(answered);
  world.clock.advance(kDeltaWaitMs - 1);
  settle();
  EXPECT_FALSE(answered);
  world.clock.advance(1);
  settle();
  EXPECT_TRUE(answered);
  EXPECT_EQ(desired.apps(0).deltas_size(), 0);
  EXPECT_EQ(desired.apps(0).release(), 2u);
}

TEST_F(DeltasTest, ABaseThatIsBrokenHereMakesNone) {
  const std::string path = world.directory / ("controller/blobs/" + ota::sha256(base).hex());
  std::filesystem::permissions(path, std::filesystem::perms::owner_all);
  std::filesystem::resize_file(path, 100);
  make();
  EXPECT_TRUE(offered().empty());
  EXPECT_TRUE(answered);
  EXPECT_EQ(files(), 0u);
}

TEST_F(DeltasTest, WhatAKillLeftGoesAtTheStart) {
  for (const char* name : {"partial", "x", "0123.4567.89"}) {
    ASSERT_TRUE(real_disk->replace_file(name, {}).has_value());
  }
  make();
  ASSERT_EQ(offered().size(), 1u);
  EXPECT_EQ(files(), 3u) << "the partial has become a delta";
  stop();
  open();
  EXPECT_EQ(files(), 1u);
  EXPECT_EQ(offered().size(), 1u);
}

TEST_F(DeltasTest, ThoseOfReleasesThatNobodyTakesAnyMoreGo) {
  make();
  ASSERT_EQ(offered().size(), 1u);
  std::string next = image;
  for (std::size_t i = 0; i < proto::kMaxReleasesListed; ++i) {
    next += static_cast<char>('a' + i);
    push(next);
  }
  ASSERT_EQ(offered().size(), 1u);
  EXPECT_EQ(files(), 1u) << "the one to release 2 went";
}

}  // namespace
}  // namespace controller
