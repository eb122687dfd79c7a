// Flight records on the controller: bounds, limits, and that files outlive it.
#include "controller/flights.h"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <filesystem>
#include <fstream>

#include "controller/report_bounds.h"
#include "tests/unit/ota/temp_dir.h"
#include "tests/unit/proto/manual_clock.h"

namespace controller {
namespace {

using proto::Code;
namespace v1 = fleet::v1;

v1::FlightRecord record_of(const std::string& id, std::uint64_t release = 1) {
  v1::FlightRecord record;
  record.set_id(id + std::string(proto::kIdLength - id.size(), 'a'));
  record.set_app("dns");
  record.set_release(release);
  record.set_outcome(v1::FLIGHT_TRIAL_FAILED);
  record.set_count(1);
  record.mutable_why()->set_fingerprint("0123abcd");
  return record;
}

struct FlightsTest : ::testing::Test {
  TempDir directory;
  proto_test::ManualClock clock;
  boost::asio::io_context loop{1};
  proto::BlockingPool pool{"flights", proto::BlockingPool::Mode::in_line};
  std::unique_ptr<ota::RealDisk> disk;
  std::unique_ptr<Flights> flights;
  std::uint64_t cap = proto::kFlightsBytes;
  std::set<std::string> removed;

  FlightsTest() { open(); }
  /// Also what a new controller does.
  void open() {
    auto opened = ota::RealDisk::open(directory.path());
    ASSERT_TRUE(opened.has_value());
    disk = std::move(*opened);
    flights = std::make_unique<Flights>(*disk, pool, clock, cap);
    const auto is_known = [this](const std::string& id) { return removed.count(id) == 0; };
    ASSERT_TRUE(flights->open(is_known).has_value());
  }
  void run(proto::awaitable<void> task) {
    proto::TaskGroup tasks(loop);
    tasks.spawn("test", std::move(task));
    loop.restart();
    proto::run_loop(loop);
  }
  proto::awaitable<void> keep_all(std::vector<ReceivedFlight> batch, Status& out) {
    out = co_await flights->keep(batch);
  }
  proto::awaitable<void> find_all(FlightQuestion question, FlightAnswer& out) {
    out = co_await flights->find(std::move(question));
  }
  Status keep(const std::string& device, const v1::FlightRecord& record) {
    Status out;
    run(keep_all({{device, record}}, out));
    return out;
  }
  FlightAnswer find(const std::string& device = "", std::uint64_t release = 0,
                    std::size_t last = 1000) {
    FlightAnswer out;
    run(find_all({"dns", device, release, last}, out));
    return out;
  }
  std::size_t files() { return disk->list("")->size(); }
};

TEST_F(FlightsTest, RecordsAreFoundNewestFirstAlsoAfterARestart) {
  ASSERT_TRUE(keep("d1", record_of("b", 1)));
  ASSERT_TRUE(keep("d2", record_of("c", 2)));
  v1::FlightRecord other = record_of("d", 2);
  other.set_app("dns2");
  ASSERT_TRUE(keep("d2", other));
  for (const bool restarted : {false, true}) {
    SCOPED_TRACE(restarted);
    if (restarted) open();
    const FlightAnswer all = find();
    ASSERT_EQ(all.flights.size(), 2u);
    EXPECT_EQ(all.flights[0].device_id, "d2");
    EXPECT_EQ(all.flights[0].record.release(), 2u);
    EXPECT_EQ(all.flights[1].record.SerializeAsString(), record_of("b", 1).SerializeAsString());
    EXPECT_EQ(all.devices.at("0123abcd"), 2u) << "the same fault on two devices";
    EXPECT_EQ(find("d1").flights.size(), 1u);
    EXPECT_EQ(find("d1").devices.at("0123abcd"), 2u) << "of the app, whoever was asked about";
    EXPECT_EQ(find("", 2).flights.size(), 1u);
    EXPECT_EQ(find("", 0, 1).flights.size(), 1u);
    EXPECT_EQ(find("", 0, 1).kept, 2u);
    EXPECT_EQ(find("d3").kept, 0u);
  }
}

TEST_F(FlightsTest, ACountedOnFaultTakesThePlaceOfItsOlderRecord) {
  v1::FlightRecord record = record_of("b");
  ASSERT_TRUE(keep("d1", record));
  EXPECT_TRUE(flights->holds({"d1", record}));
  EXPECT_FALSE(flights->holds({"d2", record}));
  record.set_count(2);
  EXPECT_FALSE(flights->holds({"d1", record}));
  ASSERT_TRUE(keep("d1", record));
  EXPECT_TRUE(flights->holds({"d1", record}));
  EXPECT_EQ(find().flights.size(), 1u);
  EXPECT_EQ(find().flights[0].record.count(), 2u);
  EXPECT_EQ(files(), 1u);
}

TEST_F(FlightsTest, OfAnAppOnADeviceTheNewestAreKept) {
  const std::string letters = "abcdefghijklmnopqrstuvwxyz";
  for (const char letter : letters) {
    ASSERT_TRUE(keep("d1", record_of(std::string("b") + letter)));
  }
  ASSERT_TRUE(keep("d2", record_of("c")));
  EXPECT_EQ(find("d1").kept, proto::kFlightsPerApp);
  EXPECT_EQ(find("d1").flights.back().record.id(), record_of("bg").id());
  EXPECT_EQ(files(), proto::kFlightsPerApp + 1);
  open();
  EXPECT_EQ(find().kept, proto::kFlightsPerApp + 1);
}

TEST_F(FlightsTest, UnderTheCapTheOldestOfAllGo) {
  v1::FlightRecord large = record_of("b");
  large.set_console(std::string(10'000, 'x'));
  cap = 35'000;
  open();
  for (const char* device : {"d1", "d2", "d3", "d4"}) ASSERT_TRUE(keep(device, large));
  EXPECT_EQ(find().kept, 3u);
  EXPECT_EQ(find("d1").kept, 0u);
  EXPECT_EQ(files(), 3u);
  cap = 15'000;  // a lower one is obeyed at the next start
  open();
  EXPECT_EQ(find().kept, 1u);
  EXPECT_EQ(files(), 1u);
  cap = 10;
  open();
  ASSERT_TRUE(keep("d5", large));
  EXPECT_EQ(find("d5").kept, 1u) << "what was just acknowledged is there";
}

TEST_F(FlightsTest, WhatAKillLeavesIsPutRightAtTheStart) {
  v1::FlightRecord record = record_of("b");
  ASSERT_TRUE(keep("d1", record));
  const std::string older = disk->list("")->front().name;
  const auto bytes = *disk->read_file(older, 1000);
  record.set_count(2);
  ASSERT_TRUE(keep("d1", record));
  // Killed after the newer file was there and before the older one went, and in a replace.
  ASSERT_TRUE(disk->replace_file(older, bytes));
  ASSERT_TRUE(disk->replace_file(".dns.d1.5.new", bytes));
  open();
  EXPECT_EQ(files(), 1u);
  EXPECT_EQ(find().flights.at(0).record.count(), 2u);
}

TEST_F(FlightsTest, ADamagedFileIsLeftOutOfTheAnswer) {
  ASSERT_TRUE(keep("d1", record_of("b")));
  ASSERT_TRUE(keep("d1", record_of("c")));
  const std::string name = disk->list("")->front().name;
  const std::string noise = "\xff\xff\xff";
  ASSERT_TRUE(disk->replace_file(name, std::as_bytes(std::span(noise))));
  EXPECT_EQ(find().flights.size(), 1u);
}

TEST_F(FlightsTest, TheRecordsOfARemovedDeviceGoAndNoneComesAfter) {
  ASSERT_TRUE(keep("d1", record_of("b")));
  ASSERT_TRUE(keep("d2", record_of("c")));
  run(flights->forget_device("d1"));
  EXPECT_EQ(files(), 1u);
  ASSERT_TRUE(keep("d1", record_of("d"))) << "it was on its way";
  EXPECT_EQ(files(), 1u);
  EXPECT_EQ(find().kept, 1u);
  removed.insert("d2");  // and killed before its files went
  open();
  EXPECT_EQ(files(), 0u);
  EXPECT_EQ(find().kept, 0u);
}

TEST_F(FlightsTest, WhatCannotBeWrittenIsNotKept) {
  std::filesystem::remove_all(directory.path());
  EXPECT_FALSE(keep("d1", record_of("b")).has_value());
  EXPECT_FALSE(flights->holds({"d1", record_of("b")}));
  EXPECT_EQ(find().kept, 0u);
}

// --- bounds

TEST(FlightBounds, AWholeRecordIsTaken) {
  v1::FlightRecord record = record_of("b");
  record.set_console(std::string(proto::kFlightConsoleBytes, '\xff'));
  record.set_slot("B");
  for (std::size_t i = 0; i < proto::kFlightProbes; ++i) {
    record.add_probes()->set_text(std::string(proto::kFlightProbeTextBytes, 'x'));
  }
  for (std::size_t i = 0; i < proto::kTrapRegisters; ++i) {
    (*record.mutable_trap()->mutable_registers())["r" + std::to_string(i)] = "0x0123456789abcdef";
  }
  record.mutable_why()->set_text(std::string(512, 'x'));
  const Status checked = check_flight(record);
  EXPECT_TRUE(checked.has_value()) << checked.error().what;
}

TEST(FlightBounds, EveryFieldThatIsNotOfItsFormIsNamed) {
  struct Case {
    const char* element;
    std::function<void(v1::FlightRecord&)> spoil;
  };
  const std::string long_text(600, 'x');
  const std::vector<Case> cases = {
      {"id", [](auto& r) { r.set_id("../../etc/passwd"); }},
      {"id", [](auto& r) { r.set_id("short"); }},
      {"app", [](auto& r) { r.set_app("a.b"); }},
      {"app", [](auto& r) { r.set_app(""); }},
      {"release", [](auto& r) { r.set_release(0); }},
      {"release", [](auto& r) { r.set_release(~std::uint64_t{0}); }},
      {"attempt", [&](auto& r) { r.set_attempt(long_text); }},
      {"slot", [&](auto& r) { r.set_slot(long_text); }},
      {"instance", [&](auto& r) { r.set_instance(long_text); }},
      {"monitor", [&](auto& r) { r.set_monitor(long_text); }},
      {"outcome", [](auto& r) { r.clear_outcome(); }},
      {"outcome", [](auto& r) { r.set_outcome(static_cast<v1::FlightOutcome>(77)); }},
      {"count", [](auto& r) { r.set_count(0); }},
      {"why.fingerprint", [](auto& r) { r.mutable_why()->set_fingerprint("../../ab"); }},
      {"why.fingerprint", [](auto& r) { r.mutable_why()->clear_fingerprint(); }},
      {"why", [&](auto& r) { r.mutable_why()->set_text(long_text); }},
      {"why", [&](auto& r) { r.mutable_why()->add_console_tail(long_text); }},
      {"trap", [&](auto& r) { r.mutable_trap()->set_kind(long_text); }},
      {"trap", [&](auto& r) { (*r.mutable_trap()->mutable_registers())["rip"] = long_text; }},
      {"trap", [&](auto& r) { (*r.mutable_trap()->mutable_registers())[long_text] = "0x1"; }},
      {"probes", [](auto& r) { for (int i = 0; i < 61; ++i) r.add_probes(); }},
      {"probes.text", [&](auto& r) { r.add_probes()->set_text(long_text); }},
      {"console", [](auto& r) { r.set_console(std::string(proto::kFlightConsoleBytes + 1, 'x')); }},
      {"size", [](auto& r) { r.set_console(std::string(proto::kFlightRecordBytes, 'x')); }},
  };
  for (const Case& one : cases) {
    v1::FlightRecord record = record_of("b");
    one.spoil(record);
    const Status checked = check_flight(record);
    ASSERT_FALSE(checked.has_value()) << one.element;
    EXPECT_EQ(checked.error().element, one.element);
    EXPECT_TRUE(checked.error().code == Code::bad_argument ||
                checked.error().code == Code::too_large);
  }
}

}  // namespace
}  // namespace controller
