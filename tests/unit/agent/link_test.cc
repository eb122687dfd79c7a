// What goes over the link: Hello first, reports until acknowledged, Desired obeyed, consoles.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>

#include "tests/unit/agent/fakes.h"

namespace {

using fleet::v1::Envelope;
using tests::make_manifest;
using tests::Repository;
using tests::TestDevice;

constexpr std::int64_t kNow = 1'800'000'000;

// The controller's end of a pair.
struct Controller {
  std::unique_ptr<proto::Channel> end;
  std::vector<Envelope> heard;
  proto::TaskGroup tasks;

  explicit Controller(boost::asio::io_context& loop) : tasks(loop) {}

  proto::awaitable<void> listen() {
    while (true) {
      auto envelope = co_await end->receive(proto::Deadline::never());
      if (!envelope) co_return;
      heard.push_back(std::move(*envelope));
    }
  }
  proto::awaitable<void> say(Envelope envelope) {
    const auto sent = co_await end->send(std::move(envelope));
    EXPECT_TRUE(sent.has_value());
  }
  std::vector<std::uint64_t> sequences() const {
    std::vector<std::uint64_t> out;
    for (const Envelope& one : heard) {
      if (one.has_report()) out.push_back(one.report().sequence());
    }
    return out;
  }
};

class LinkTest : public testing::Test {
 protected:
  void SetUp() override {
    device.start();
    device.run_for(100);
  }
  void TearDown() override {
    device.stop();
    for (auto& one : controllers) {
      one->end->abort();
      device.run_until([&] { return one->tasks.size() == 0; });
    }
  }
  Controller& connect() {
    auto pair = proto::make_channel_pair(device.clock);
    controllers.push_back(std::make_unique<Controller>(device.loop));
    Controller& out = *controllers.back();
    out.end = std::move(pair.second);
    device.next_link = std::move(pair.first);
    out.tasks.spawn("controller", out.listen());
    const bool greeted = device.run_until([&] { return !out.heard.empty(); });
    EXPECT_TRUE(greeted) << "no Hello";
    return out;
  }
  void say(Controller& to, Envelope envelope) {
    to.tasks.spawn("say", to.say(std::move(envelope)));
    device.run_for(10);
  }

  Repository repository{kNow};
  TestDevice device{repository};
  std::vector<std::unique_ptr<Controller>> controllers;
};

TEST_F(LinkTest, HelloIsFirstAndSaysWhatIsHeld) {
  device.install(1, "a1");
  Controller& controller = connect();
  ASSERT_TRUE(controller.heard.front().has_hello());
  const auto& hello = controller.heard.front().hello();
  EXPECT_EQ(hello.protocol(), proto::kProtocolVersion);
  EXPECT_EQ(hello.boot_id(), "boot-1");
  ASSERT_EQ(hello.apps_size(), 1);
  EXPECT_EQ(hello.apps(0).live_release(), 1u);
  EXPECT_EQ(hello.generation_applied(), 1u);
  EXPECT_EQ(hello.root_version(), 1u);
  EXPECT_GT(hello.timestamp_version(), 0u);
}

// Also with a Desired that brings nothing else: its generation is known already.
TEST_F(LinkTest, TheAuditHeadIsKeptAndSaidInTheNextHello) {
  device.install(1, "a1");
  Controller& first = connect();
  EXPECT_FALSE(first.heard.front().hello().has_audit_head());
  Envelope desired;
  desired.mutable_desired()->set_generation(1);
  desired.mutable_desired()->mutable_audit_head()->set_sequence(12);
  desired.mutable_desired()->mutable_audit_head()->set_hash(std::string(64, 'a'));
  say(first, std::move(desired));
  first.end->abort();
  device.run_for(2000);
  Controller& second = connect();
  EXPECT_EQ(second.heard.front().hello().audit_head().sequence(), 12u);
  EXPECT_EQ(second.heard.front().hello().audit_head().hash(), std::string(64, 'a'));
}

TEST_F(LinkTest, WhatCouldNotBeStoredIsStoredOnceThatIsPossible) {
  device.install(1, "a1");
  Controller& controller = connect();
  device.run_for(1000);
  ota::Database& database = device.state->database();
  ASSERT_TRUE(database.execute("PRAGMA query_only=ON").has_value());
  Envelope desired;
  desired.mutable_desired()->set_generation(9);
  *desired.mutable_desired()->add_apps() = TestDevice::wish("dns", 1, "a9");
  say(controller, std::move(desired));
  Envelope ack;
  ack.mutable_ack()->set_sequence(5);
  say(controller, std::move(ack));
  device.run_for(5000);
  EXPECT_EQ(device.agent->generation(), 1u);
  EXPECT_EQ(device.last("a1").sequence(), 5u);
  ASSERT_TRUE(database.execute("PRAGMA query_only=OFF").has_value());
  device.run_for(5000);
  EXPECT_EQ(device.agent->generation(), 9u);
  EXPECT_EQ(device.last("a1").sequence(), 4u) << "the fifth was acknowledged";
}

TEST_F(LinkTest, ReportsComeAgainOnEachConnectionUntilTheyAreAcknowledged) {
  device.install(1, "a1");
  Controller& first = connect();
  device.run_for(1000);
  EXPECT_EQ(first.sequences(), (std::vector<std::uint64_t>{1, 2, 3, 4, 5}));
  for (const std::uint64_t sequence : {1u, 2u, 3u, 4u}) {
    Envelope ack;
    ack.mutable_ack()->set_sequence(sequence);
    say(first, std::move(ack));
  }
  first.end->abort();
  device.run_for(1000);
  Controller& second = connect();
  device.run_for(1000);
  EXPECT_EQ(second.sequences(), (std::vector<std::uint64_t>{5}));
}

TEST_F(LinkTest, FlightRecordsGoOneAtATimeUntilTheyAreAcknowledged) {
  device.install(1, "a1");
  for (const std::uint64_t release : {2u, 3u}) {
    device.scripts[release].exits_after_ms = 30;
    device.scripts[release].exit_status = 1;
    repository.add(make_manifest("dns", release), "image " + std::to_string(release));
    const std::string attempt = "a" + std::to_string(release);
    device.want(TestDevice::wish("dns", release, attempt));
    ASSERT_TRUE(device.run_until([&] { return device.ended(attempt); }));
  }
  const auto flights = [](const Controller& of) {
    std::vector<fleet::v1::FlightRecord> out;
    for (const Envelope& one : of.heard) {
      if (one.has_flight_record()) out.push_back(one.flight_record());
    }
    return out;
  };
  const auto acknowledge = [this](Controller& to, const fleet::v1::FlightRecord& record) {
    Envelope ack;
    ack.mutable_flight_ack()->set_id(record.id());
    ack.mutable_flight_ack()->set_count(record.count());
    say(to, std::move(ack));
  };
  Controller& first = connect();
  device.run_for(1000);
  ASSERT_EQ(flights(first).size(), 1u) << "the second waits for the first's acknowledgement";
  EXPECT_EQ(flights(first)[0].release(), 2u);
  device.run_for(agent::kFlightAckMs);
  EXPECT_EQ(flights(first).size(), 2u) << "said again to who does not answer";
  EXPECT_EQ(flights(first)[1].id(), flights(first)[0].id());
  first.end->abort();
  device.run_for(1000);
  Controller& second = connect();
  device.run_for(1000);
  ASSERT_EQ(flights(second).size(), 1u) << "and on the next link";
  EXPECT_EQ(flights(second)[0].release(), 2u);
  acknowledge(second, flights(second)[0]);
  device.run_for(1000);
  ASSERT_EQ(flights(second).size(), 2u);
  EXPECT_EQ(flights(second)[1].release(), 3u);
  acknowledge(second, flights(second)[1]);
  second.end->abort();
  device.run_for(1000);
  Controller& third = connect();
  device.run_for(2 * agent::kFlightAckMs);
  EXPECT_TRUE(flights(third).empty());
}

TEST_F(LinkTest, ADesiredOverTheLinkIsObeyedAndReported) {
  Controller& controller = connect();
  repository.add(make_manifest("dns", 1), "image 1");
  Envelope envelope;
  envelope.mutable_desired()->set_generation(1);
  *envelope.mutable_desired()->add_apps() = TestDevice::wish("dns", 1, "a1");
  say(controller, std::move(envelope));
  const bool healthy = device.run_until([&] {
    return !controller.heard.empty() && controller.heard.back().has_report() &&
           controller.heard.back().report().state() == fleet::v1::HEALTHY;
  });
  EXPECT_TRUE(healthy);
  device.run_for(1000);
  const bool told = std::any_of(controller.heard.begin(), controller.heard.end(),
                                [](const Envelope& one) { return one.has_telemetry(); });
  EXPECT_TRUE(told) << "a change is told without waiting";
}

TEST_F(LinkTest, AFollowedConsoleArrivesAndEndsWithTheSubscription) {
  device.scripts[1].console = "hello from the guest\n";
  device.install(1, "a1");
  Controller& controller = connect();
  device.run_for(1000);
  const auto chunks = [&] {
    return std::count_if(controller.heard.begin(), controller.heard.end(),
                         [](const Envelope& one) { return one.has_log_chunk(); });
  };
  const auto before = chunks();
  Envelope follow;
  follow.mutable_log_subscribe()->set_app("dns");
  follow.mutable_log_subscribe()->set_follow(true);
  follow.mutable_log_subscribe()->set_until_ms(
      static_cast<std::uint64_t>(device.clock.wall_ms() + 60'000));
  say(controller, std::move(follow));
  device.run_for(1000);
  ASSERT_EQ(chunks(), before + 1);
  const auto last = std::find_if(controller.heard.rbegin(), controller.heard.rend(),
                                 [](const Envelope& one) { return one.has_log_chunk(); });
  EXPECT_EQ(last->log_chunk().data(), "hello from the guest\n");
  EXPECT_EQ(last->log_chunk().offset(), 0u);
  EXPECT_EQ(last->log_chunk().release(), 1u);
}

}  // namespace
