// One device's link against the real sessions, over an in-memory channel.
#include "controller/sessions.h"

#include <filesystem>

#include "tests/unit/controller/linked_world.h"

namespace controller {
namespace {

using proto::Deadline;
using v1::Envelope;

struct SessionsTest : ::testing::Test, LinkedWorld {
  proto::TaskGroup tasks{loop};
  std::string id;
  std::vector<Envelope> heard;
  std::vector<std::unique_ptr<proto::Channel>> channels;

  SessionsTest() {
    world.set_up_trust();
    id = world.enroll("edge-1");
    tasks.spawn("heard", sessions->keep_heard());
    tasks.spawn("flights", sessions->store_flights());
  }
  ~SessionsTest() override {
    sessions->drop_all();
    settle();
    tasks.close();
    tasks.cancel();
    settle();
    EXPECT_EQ(tasks.size(), 0u);
  }
  /// Runs all that can run now.
  void settle() {
    loop.restart();
    loop.poll();
  }
  /// Moves the clock in small steps, so that batches and their answers pass.
  void wait_ms(std::int64_t ms) {
    for (std::int64_t i = 0; i < ms; i += 5) {
      settle();
      world.clock.advance(5);
    }
    settle();
  }

  proto::awaitable<void> listen(proto::Channel& channel) {
    while (true) {
      auto envelope = co_await channel.receive(Deadline::never());
      if (!envelope) co_return;
      heard.push_back(std::move(*envelope));
    }
  }
  proto::awaitable<void> say(proto::Channel& channel, Envelope envelope) {
    const Status sent = co_await channel.send(std::move(envelope));
    EXPECT_TRUE(sent.has_value());
  }
  proto::Channel& connect(bool expired = false, const std::string& as = "") {
    proto::PeerFacts device;
    device.has_certificate = true;
    device.certificate.common_name = as.empty() ? id : as;
    device.expired = expired;
    auto [ours, theirs] = proto::make_channel_pair(world.clock, {}, device);
    tasks.spawn("serve", sessions->serve(std::move(theirs)));
    tasks.spawn("device", listen(*ours));
    // Kept until the listener has ended.
    channels.push_back(std::move(ours));
    return *channels.back();
  }
  void send(proto::Channel& channel, Envelope envelope) {
    tasks.spawn("say", say(channel, std::move(envelope)));
    wait_ms(50);
  }
  void hello(proto::Channel& channel) {
    Envelope envelope;
    envelope.mutable_hello()->set_agent_version("0.1.0");
    envelope.mutable_hello()->mutable_inventory()->set_board("x86_64-generic");
    send(channel, std::move(envelope));
  }
  const Envelope* last(Envelope::BodyCase body) const {
    for (auto it = heard.rbegin(); it != heard.rend(); ++it) {
      if (it->body_case() == body) return &*it;
    }
    return nullptr;
  }
};

TEST_F(SessionsTest, HelloIsAnsweredByDesired) {
  proto::Channel& device = connect();
  hello(device);
  EXPECT_TRUE(world.fleet->is_online(id));
  ASSERT_NE(last(Envelope::kDesired), nullptr);
  EXPECT_EQ(last(Envelope::kDesired)->desired().apps_size(), 0);
  EXPECT_EQ((*world.store->device(id))->agent_version, "0.1.0");
  EXPECT_EQ((*world.store->device(id))->facts.inventory().board(), "x86_64-generic");
}

// A controller that was restored from a backup is behind what it told its devices since.
TEST_F(SessionsTest, ADeviceThatIsAheadIsKnownAndToldNothing) {
  proto::Channel& device = connect();
  Envelope envelope;
  envelope.mutable_hello()->set_agent_version("0.1.0");
  envelope.mutable_hello()->set_generation_applied(9'000'000'000'000);
  send(device, std::move(envelope));
  ASSERT_NE(last(Envelope::kDesired), nullptr);
  EXPECT_EQ(last(Envelope::kDesired)->desired().generation(), 9'000'000'000'000u)
      << "one that changes nothing there";
  EXPECT_TRUE(world.fleet->is_ahead(id));
  EXPECT_TRUE(world.fleet->is_online(id));
}

// What a device saw of the audit log is compared when it comes back; a foreign head stays with it.
TEST_F(SessionsTest, ADevicesAuditHeadIsComparedWithTheLog) {
  proto::Channel& device = connect();
  hello(device);
  const v1::AuditHead told = last(Envelope::kDesired)->desired().audit_head();
  EXPECT_EQ(told.hash(), world.store->audit_head()->hash());
  const auto come_back = [&](const v1::AuditHead& head) {
    Envelope envelope;
    *envelope.mutable_hello()->mutable_audit_head() = head;
    send(connect(), std::move(envelope));
    return last(Envelope::kDesired)->desired().has_audit_head();
  };
  EXPECT_TRUE(come_back(told));
  EXPECT_EQ(world.store->device_audit(id)->hash(), told.hash());
  EXPECT_TRUE(world.store->audit_strangers()->empty());
  v1::AuditHead foreign = told;
  foreign.set_hash(std::string(64, 'f'));
  EXPECT_FALSE(come_back(foreign));
  EXPECT_EQ(*world.store->audit_strangers(), std::vector<std::string>{"edge-1"});
  for (const std::string& hash : {std::string(), std::string("short"), std::string(64, 'G')}) {
    foreign.set_hash(hash);
    EXPECT_FALSE(come_back(foreign)) << "what it said before stands: " << hash;
  }
}

TEST_F(SessionsTest, ADeviceThatClaimsAnImpossibleGenerationIsNotGreeted) {
  proto::Channel& device = connect();
  Envelope envelope;
  envelope.mutable_hello()->set_generation_applied(~std::uint64_t{0});
  send(device, std::move(envelope));
  EXPECT_EQ(last(Envelope::kDesired), nullptr);
  EXPECT_FALSE(world.fleet->is_online(id));
}

// What others said in the same batch is kept: its commit is made again without the one.
TEST_F(SessionsTest, OneBadHelloKeepsNobodyElseFromBeingHeard) {
  const std::string second = world.enroll("edge-2");
  const std::string third = world.enroll("edge-3");
  proto::Channel* devices[] = {&connect(false, second), &connect(), &connect(false, third)};
  for (proto::Channel* device : devices) {
    Envelope envelope;
    const bool bad = device == devices[1];
    envelope.mutable_hello()->set_generation_applied(bad ? ~std::uint64_t{0} : 0);
    tasks.spawn("say", say(*device, std::move(envelope)));
  }
  wait_ms(100);
  EXPECT_TRUE(world.fleet->is_online(second));
  EXPECT_FALSE(world.fleet->is_online(id));
  EXPECT_TRUE(world.fleet->is_online(third));
  EXPECT_FALSE(devices[1]->is_open());
  for (const char* name : {"edge-2", "edge-3"}) {
    EventFilter of_device;
    of_device.device = name;
    EXPECT_EQ(world.store->recent_events(of_device, 1)->front().event.kind(), "device.online");
  }
}

// An idle device costs no write; who asks sees what it measured last, the file when it matters.
TEST_F(SessionsTest, MeasurementsLiveInMemoryUntilSomethingThatLastsIsAnother) {
  const auto seen = [&] { return (*world.store->device(id))->facts.inventory(); };
  const auto written = [&] {
    const auto file = Store::open(world.data->database_path());
    EXPECT_TRUE(file.has_value());
    return *(*file)->device(id);
  };
  proto::Channel& device = connect();
  hello(device);
  Envelope envelope;
  v1::Inventory& inventory = *envelope.mutable_telemetry()->mutable_inventory();
  inventory.set_board("x86_64-generic");
  inventory.set_memory_free_bytes(1000);
  send(device, envelope);
  EXPECT_EQ(seen().memory_free_bytes(), 1000u);
  EXPECT_EQ(written()->facts.inventory().memory_free_bytes(), 0u);
  inventory.set_kernel("6.1");
  inventory.set_memory_free_bytes(900);
  send(device, envelope);
  EXPECT_EQ(written()->facts.inventory().kernel(), "6.1");
  EXPECT_EQ(written()->facts.inventory().memory_free_bytes(), 900u);
  inventory.set_memory_free_bytes(800);
  send(device, envelope);
  EXPECT_EQ(written()->facts.inventory().memory_free_bytes(), 900u);
  world.clock.advance(kFactsEvery_ms);
  send(device, envelope);
  EXPECT_EQ(written()->facts.inventory().memory_free_bytes(), 800u) << "after a while";
  inventory.set_memory_free_bytes(700);
  send(device, envelope);
  const std::int64_t now_ms = world.clock.wall_ms();
  device.abort();
  wait_ms(20);
  EXPECT_EQ(written()->facts.inventory().memory_free_bytes(), 700u) << "when its link ends";
  EXPECT_GE(written()->seen_ms, now_ms);
  EXPECT_EQ(seen().memory_free_bytes(), 700u);
}

TEST_F(SessionsTest, APushReachesADeviceThatIsThereAndItsReportsAreAcknowledged) {
  proto::Channel& device = connect();
  hello(device);
  const auto begun = world.push(world.next_push("edge"));
  ASSERT_TRUE(begun.has_value());
  wait_ms(20);
  const v1::Desired desired = last(Envelope::kDesired)->desired();
  ASSERT_EQ(desired.apps_size(), 1);
  EXPECT_EQ(desired.apps(0).release(), 1u);
  EXPECT_EQ(desired.apps(0).rollout(), "r-1");
  EXPECT_EQ(world.state(1, "edge-1"), v1::OFFERED);
  Envelope envelope;
  v1::Report& report = *envelope.mutable_report();
  report.set_sequence(41);
  report.set_generation(desired.generation());
  report.set_app("dns");
  report.set_release(1);
  report.set_attempt(desired.apps(0).attempt());
  report.set_state(v1::HEALTHY);
  report.mutable_status()->set_app("dns");
  report.mutable_status()->set_live_release(1);
  send(device, envelope);
  ASSERT_NE(last(Envelope::kAck), nullptr);
  EXPECT_EQ(last(Envelope::kAck)->ack().sequence(), 41u);
  EXPECT_EQ(world.rollout(1).state, v1::ROLLOUT_SUCCEEDED);
  const auto row = world.store->device(id);
  EXPECT_EQ((*row)->report_sequence, 41);
  EXPECT_EQ((*row)->generation_applied, static_cast<std::int64_t>(desired.generation()));
  ASSERT_EQ((*row)->facts.apps_size(), 1);
  EXPECT_EQ((*row)->facts.apps(0).live_release(), 1u);
  heard.clear();
  send(device, envelope);  // its Ack was lost
  ASSERT_NE(last(Envelope::kAck), nullptr) << "acknowledged again";
  EXPECT_EQ(last(Envelope::kAck)->ack().sequence(), 41u);
}

TEST_F(SessionsTest, AClosedConnectionIsOfflineAtOnce) {
  proto::Channel& device = connect();
  hello(device);
  device.abort();
  wait_ms(10);
  EXPECT_FALSE(world.fleet->is_online(id));
  EXPECT_EQ(sessions->size(), 0u);
  const auto events = world.store->recent_events({}, 1);
  EXPECT_EQ(events->front().event.kind(), "device.offline");
}

TEST_F(SessionsTest, ANewerLinkOfADeviceEndsTheOlder) {
  proto::Channel& older = connect();
  hello(older);
  proto::Channel& newer = connect();
  hello(newer);
  wait_ms(10);
  EXPECT_FALSE(older.is_open());
  EXPECT_TRUE(newer.is_open());
  EXPECT_TRUE(world.fleet->is_online(id));
  EXPECT_EQ(sessions->size(), 1u);
}

TEST_F(SessionsTest, WhoSaysNoHelloIsCutOff) {
  proto::Channel& device = connect();
  wait_ms(20'000);
  EXPECT_FALSE(device.is_open());
  proto::Channel& other = connect();
  Envelope envelope;
  envelope.mutable_telemetry();
  send(other, std::move(envelope));
  EXPECT_FALSE(other.is_open());
  EXPECT_FALSE(world.fleet->is_online(id));
}

TEST_F(SessionsTest, ARevokedOrUnknownDeviceIsNotServed) {
  proto::Channel& unknown = connect(false, "somebody");
  wait_ms(10);
  EXPECT_FALSE(unknown.is_open());
  proto::Channel& device = connect();
  hello(device);
  ASSERT_TRUE(world.store->revoke_device(id).has_value());
  sessions->drop(id);
  wait_ms(10);
  EXPECT_FALSE(device.is_open());
  proto::Channel& again = connect();
  wait_ms(10);
  EXPECT_FALSE(again.is_open());
}

TEST_F(SessionsTest, RenewIsAnsweredByACertificateWithTheNewKey) {
  proto::Channel& device = connect();
  hello(device);
  const auto key = proto::PrivateKey::generate();
  Envelope envelope;
  envelope.mutable_renew()->set_csr_der(*proto::make_csr(*key, "device"));
  send(device, std::move(envelope));
  ASSERT_NE(last(Envelope::kRenewed), nullptr);
  const auto facts =
      proto::read_certificate(last(Envelope::kRenewed)->renewed().certificate_pem());
  ASSERT_TRUE(facts.has_value());
  EXPECT_EQ(facts->public_key_sha256, key->public_key_sha256());
  Envelope broken;
  broken.mutable_renew()->set_csr_der("no request");
  send(device, std::move(broken));
  EXPECT_FALSE(last(Envelope::kRenewed)->renewed().refused().text().empty());
}

TEST_F(SessionsTest, AnExpiredCertificateIsGoodForRenewAlone) {
  proto::Channel& device = connect(true);
  hello(device);
  EXPECT_EQ(last(Envelope::kDesired), nullptr);
  EXPECT_FALSE(world.fleet->is_online(id));
  const auto key = proto::PrivateKey::generate();
  Envelope envelope;
  envelope.mutable_renew()->set_csr_der(*proto::make_csr(*key, "device"));
  send(device, std::move(envelope));
  ASSERT_NE(last(Envelope::kRenewed), nullptr);
  EXPECT_FALSE(last(Envelope::kRenewed)->renewed().certificate_pem().empty());
}

TEST_F(SessionsTest, ConsolesAreKeptOnceAndAskedForWhenFollowed) {
  proto::Channel& device = connect();
  hello(device);
  sessions->ask_console("edge-1", "dns", 1000);
  wait_ms(10);
  ASSERT_NE(last(Envelope::kLogSubscribe), nullptr);
  EXPECT_EQ(last(Envelope::kLogSubscribe)->log_subscribe().app(), "dns");
  Envelope envelope;
  v1::LogChunk& chunk = *envelope.mutable_log_chunk();
  chunk.set_app("dns");
  chunk.set_release(1);
  chunk.set_instance("aaaa");
  chunk.set_data("dns: zone\n");
  send(device, envelope);
  envelope.mutable_log_chunk()->set_data("dns: zone\nlistening\n");  // overlaps
  send(device, envelope);
  consoles->save_some(10);
  Consoles reopened(*console_disk, world.clock);
  const v1::LogList kept = reopened.kept("dns", "edge-1", 0);
  ASSERT_EQ(kept.chunks_size(), 1);
  EXPECT_EQ(kept.chunks(0).data(), "dns: zone\nlistening\n");
  EXPECT_EQ(reopened.kept("dns", "edge-1", 2).chunks_size(), 0);
  EXPECT_EQ(reopened.kept("web", "edge-1", 0).chunks_size(), 0);
}

Envelope flight_of(std::uint64_t release, std::uint32_t count = 1) {
  Envelope envelope;
  v1::FlightRecord& record = *envelope.mutable_flight_record();
  record.set_id("abcdefghijklmnop");
  record.set_app("dns");
  record.set_release(release);
  record.set_outcome(v1::FLIGHT_RESTARTED);
  record.set_count(count);
  record.mutable_why()->set_fingerprint("0123abcd");
  record.mutable_why()->set_text("the guest crashed");
  return envelope;
}

TEST_F(SessionsTest, AFlightRecordIsKeptToldAndAcknowledged) {
  ASSERT_TRUE(world.push(world.next_push("edge")).has_value());
  proto::Channel& device = connect();
  hello(device);
  send(device, flight_of(1));
  ASSERT_NE(last(Envelope::kFlightAck), nullptr);
  EXPECT_EQ(last(Envelope::kFlightAck)->flight_ack().id(), "abcdefghijklmnop");
  EXPECT_EQ(last(Envelope::kFlightAck)->flight_ack().count(), 1u);
  EXPECT_FALSE(last(Envelope::kFlightAck)->flight_ack().has_refused());
  EXPECT_EQ(flight_disk->list("")->size(), 1u) << "on the disk before the acknowledgement";
  EventFilter of_device;
  of_device.device = "edge-1";
  const auto events = world.store->recent_events(of_device, 10);
  const v1::Event& told = events->back().event;
  EXPECT_EQ(told.kind(), "flight.recorded");
  EXPECT_EQ(told.app(), "dns");
  EXPECT_EQ(told.text(), "edge-1: dns 1: the guest crashed (fault 0123abcd)");
  heard.clear();
  send(device, flight_of(1));  // its Ack was lost
  EXPECT_NE(last(Envelope::kFlightAck), nullptr);
  EXPECT_EQ(world.store->recent_events(of_device, 10)->size(), events->size()) << "told once";
  send(device, flight_of(1, 2));
  EXPECT_EQ(last(Envelope::kFlightAck)->flight_ack().count(), 2u);
  EXPECT_EQ(flight_disk->list("")->size(), 1u);
}

TEST_F(SessionsTest, AFlightRecordOfAnUnknownReleaseOrForeignFormIsRefusedForGood) {
  ASSERT_TRUE(world.push(world.next_push("edge")).has_value());
  proto::Channel& device = connect();
  hello(device);
  send(device, flight_of(2));
  ASSERT_NE(last(Envelope::kFlightAck), nullptr);
  EXPECT_EQ(last(Envelope::kFlightAck)->flight_ack().refused().code(), v1::CODE_NOT_FOUND);
  heard.clear();
  Envelope large = flight_of(1);
  large.mutable_flight_record()->set_console(std::string(200'000, 'x'));
  send(device, std::move(large));
  EXPECT_EQ(last(Envelope::kFlightAck)->flight_ack().refused().code(), v1::CODE_TOO_LARGE);
  EXPECT_TRUE(flight_disk->list("")->empty());
  EXPECT_TRUE(device.is_open());
}

TEST_F(SessionsTest, AFlightRecordThatCannotBeWrittenIsNotAcknowledged) {
  ASSERT_TRUE(world.push(world.next_push("edge")).has_value());
  proto::Channel& device = connect();
  hello(device);
  std::filesystem::remove_all(world.directory / "controller/flights");
  send(device, flight_of(1));
  EXPECT_EQ(last(Envelope::kFlightAck), nullptr);
  EXPECT_TRUE(device.is_open());
}

TEST_F(SessionsTest, OnlyTheNewestReleasesOfAConsoleAreKept) {
  v1::LogChunk chunk;
  chunk.set_app("dns");
  chunk.set_instance("aaaa");
  for (std::uint64_t release = 1; release <= 6; ++release) {
    chunk.set_release(release);
    chunk.set_data(std::string(proto::kConsoleKeptBytes + 10, 'x'));
    consoles->add("edge-1", chunk);
    consoles->save_some(10);
  }
  Consoles reopened(*console_disk, world.clock);
  const v1::LogList kept = reopened.kept("dns", "edge-1", 0);
  ASSERT_EQ(kept.chunks_size(), static_cast<int>(kReleasesKept));
  EXPECT_EQ(kept.chunks(2).release(), 6u);
  EXPECT_EQ(kept.chunks(2).data().size(), proto::kConsoleKeptBytes);
  EXPECT_EQ(kept.chunks(2).offset(), 10u);
}

}  // namespace
}  // namespace controller
