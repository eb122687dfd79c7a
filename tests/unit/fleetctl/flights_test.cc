// What `fleetctl flights` says.
#include "deploy/fleetctl/flights.h"

#include <gtest/gtest.h>

namespace fleetctl {
namespace {

using Lines = std::vector<std::string>;
using fleet::v1::Flight;
using fleet::v1::FlightList;

constexpr std::uint64_t kNow = 1'800'000'000'000;

Flight& add(FlightList& list, const std::string& device, std::uint64_t age_ms) {
  Flight& flight = *list.add_flights();
  flight.set_device(device);
  flight.set_received_ms(kNow - age_ms);
  auto& record = *flight.mutable_record();
  record.set_app("dns");
  record.set_release(2);
  record.set_slot("B");
  record.set_monitor("spt");
  record.set_instance("abcdefghijklmnop");
  record.set_count(1);
  record.set_outcome(fleet::v1::FLIGHT_TRIAL_FAILED);
  auto& why = *record.mutable_why();
  why.set_code(fleet::v1::CODE_GUEST_ABORT);
  why.set_text("the guest crashed after 0.3s");
  why.set_exit("guest_abort");
  why.set_fingerprint("a41c09f2");
  why.set_up_ms(300);
  why.set_probes_passed(1);
  why.set_probes_total(4);
  return flight;
}

TEST(FlightLines, ARecordSaysExitTrapHealthAndConsole) {
  FlightList list;
  list.set_kept(1);
  auto& record = *add(list, "edge-1", 12'000).mutable_record();
  auto& trap = *record.mutable_trap();
  trap.set_kind("page fault");
  trap.set_pc("0x100abc");
  trap.set_address("0x0");
  for (const char* name : {"r10", "r9", "rip", "rax", "rsp"}) {
    (*trap.mutable_registers())[name] = "0x1";
  }
  const auto probe = [&record](std::uint64_t at_ms, const std::string& failure) {
    auto& tick = *record.add_probes();
    tick.set_at_ms(at_ms);
    tick.set_passed(failure.empty());
    tick.set_text(failure);
  };
  probe(10, "dns: refused");
  probe(110, "dns: refused");
  probe(200, "");
  probe(250, "dns: no answer in time");
  record.set_console("dns: zone example.test\r\n\x1b[31mcrash");
  const std::string gap(17, ' ');
  EXPECT_EQ(flight_lines(list, kNow),
            (Lines{"dns 2: the guest crashed after 0.3s",
                   "  fault     a41c09f2, on this device alone",
                   "  device    edge-1, 12s ago",
                   "  guest     slot B, spt (up 0.30s, 0 restarts)",
                   "  exit      guest_abort",
                   "  outcome   trial failed; what ran before runs on",
                   "  trap      page fault at 0x100abc, address 0x0",
                   "            r9  0x1" + gap + "r10 0x1" + gap + "rax 0x1" + gap + "rip 0x1",
                   "            rsp 0x1",
                   "  health    ✘✘✔✘  1 of 4 probes passed",
                   "            ✘ at 0.01s: dns: refused, 2 times",
                   "            ✘ at 0.25s: dns: no answer in time",
                   "  console   last 2 lines",
                   "            | dns: zone example.test",
                   "            | \\x1b[31mcrash"}));
}

TEST(FlightLines, TheSameFaultOnManyDevicesIsOnePiece) {
  FlightList list;
  list.set_kept(9);
  auto& fault = *list.add_faults();
  fault.set_fingerprint("a41c09f2");
  fault.set_devices(3);
  add(list, "edge-1", 1000);
  auto& second = *add(list, "edge-2", 60'000).mutable_record();
  second.set_count(4);
  second.set_outcome(fleet::v1::FLIGHT_RESTARTED);
  auto& other = *add(list, "edge-3", 61'000).mutable_record();
  other.mutable_why()->set_fingerprint("ffffffff");
  add(list, "edge-4", 62'000);
  const Lines lines = flight_lines(list, kNow);
  ASSERT_EQ(lines.size(), 16u);
  EXPECT_EQ(lines[1], "  fault     a41c09f2, the same fault on 3 devices");
  EXPECT_EQ(lines[6], "  also on   edge-2, 1m ago, 4 times in a row, restarted");
  EXPECT_EQ(lines[7], "            edge-4, 1m ago, trial-failed");
  EXPECT_EQ(lines[8], "");
  EXPECT_EQ(lines[10], "  fault     ffffffff, on this device alone");
  EXPECT_EQ(lines[15], "the newest 4 of 9 records; --last N shows more");
}

}  // namespace
}  // namespace fleetctl
