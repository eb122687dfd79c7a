// Consoles in pieces, and errors of the controller in words.
#include "deploy/fleetctl/logs.h"

#include <gtest/gtest.h>

#include <sstream>

#include "deploy/fleetctl/api.h"
#include "deploy/fleetctl/log_prefix.h"
#include "deploy/fleetctl/rollout_view.h"
#include "tests/unit/fleetctl/rollout_text.h"

namespace fleetctl {
namespace {

using Lines = std::vector<std::string>;

fleet::v1::LogEvent piece(const std::string& device, std::uint64_t offset,
                          const std::string& data) {
  fleet::v1::LogEvent event;
  event.set_device(device);
  event.set_instance("i");
  event.set_offset(offset);
  event.set_data(data);
  return event;
}

std::string named(const std::string& device) { return device + "  "; }
std::string bare(const std::string&) { return ""; }

TEST(Logs, PiecesBecomeLinesWithTheirDevice) {
  LogLines lines(named);
  EXPECT_EQ(lines.feed(piece("edge-1", 0, "one\ntw")), Lines{"edge-1  one"});
  EXPECT_EQ(lines.feed(piece("edge-2", 0, "other\r\n")), Lines{"edge-2  other"});
  EXPECT_EQ(lines.feed(piece("edge-1", 6, "o\nthree")), Lines{"edge-1  two"});
  EXPECT_EQ(lines.rest(), Lines{"edge-1  three"});
}

TEST(Logs, ARepeatedPieceIsShownOnceAndAGapIsSaid) {
  LogLines lines(bare);
  EXPECT_EQ(lines.feed(piece("e", 0, "one\ntwo\n")), (Lines{"one", "two"}));
  EXPECT_EQ(lines.feed(piece("e", 0, "one\ntwo\n")), Lines{});
  EXPECT_EQ(lines.feed(piece("e", 4, "two\nthree\n")), Lines{"three"});
  EXPECT_EQ(lines.feed(piece("e", 24, "four\n")), (Lines{"... 10 bytes missing", "four"}));
}

TEST(Logs, AGuestCannotForgeALineOrMoveTheCursor) {
  LogLines lines(named);
  EXPECT_EQ(lines.feed(piece("edge-1", 0, "a\x1b[1Aedge-2  b\rc\n")),
            Lines{"edge-1  a\\x1b[1Aedge-2  b\\x0dc"});
}

TEST(Logs, AnEndlessLineIsCut) {
  LogLines lines(bare);
  EXPECT_GE(lines.feed(piece("e", 0, std::string(10'000, 'x'))).size(), 2u);
}

TEST(Logs, DevicesStandInAColumnAndOnATerminalInColoursOfTheirOwn) {
  std::ostringstream out;
  const Terminal plain(out, out, {});
  LogPrefixes prefixes(plain);
  prefixes.expect("edge-10");
  EXPECT_EQ(prefixes.of("edge-1"), "edge-1  | ");
  EXPECT_EQ(prefixes.of("edge-10"), "edge-10 | ");
  EXPECT_EQ(prefixes.of("a-longer-name"), "a-longer-name | ") << "one that nobody expected";
  EXPECT_EQ(prefixes.of("edge-1"), "edge-1        | ");
  EXPECT_EQ(prefixes.of("e\x1b[2J").find('\x1b'), std::string::npos);

  const Terminal coloured(out, out, {.live = true, .colour = true, .columns = 100});
  LogPrefixes colours(coloured);
  const std::string one = colours.of("edge-1");
  const std::string other = colours.of("edge-2");
  EXPECT_NE(one.substr(0, 5), other.substr(0, 5)) << "told apart";
  EXPECT_EQ(colours.of("edge-1"), one) << "and always in the same";
  EXPECT_TRUE(one.ends_with("\x1b[0m ")) << "the guest's own text has none";
}

TEST(Api, ErrorsOfTheControllerKeepTheirCodeAndWords) {
  const proto::Error error = error_of_answer(
      {409, R"({"code": "conflict", "message": "role apps.dns is at version 4", "element": "dns",
               "nearest": ["a", "b"]})"},
      "/v1/pushes");
  EXPECT_EQ(error.code, proto::Code::conflict);
  EXPECT_EQ(error.what, "role apps.dns is at version 4\nnearest: a, b");
  EXPECT_EQ(error.element, "dns");
  EXPECT_EQ(error_of_answer({401, ""}, "/v1/whoami").code, proto::Code::unauthenticated);
  EXPECT_EQ(error_of_answer({500, "<html>"}, "/v1/x?y").what,
            "the controller answers 500 to /v1/x");
  EXPECT_EQ(code_of_name("uplink_lost"), proto::Code::uplink_lost);
  EXPECT_EQ(code_of_name("unknown"), proto::Code::internal);
  EXPECT_EQ(code_of_name("nonsense"), proto::Code::internal);
}

TEST(Api, NamesAreEncodedForTheirPlace) {
  EXPECT_EQ(url_encode("site in (lyon,paris)"), "site%20in%20%28lyon%2Cparis%29");
  EXPECT_EQ(url_encode("../x"), "..%2Fx");
  EXPECT_EQ(host_of("https://fleet.example.net:8443/x"), "fleet.example.net");
  EXPECT_EQ(host_of("https://[::1]:8443"), "::1");
  EXPECT_FALSE(HttpClient::make({.base_url = "http://x", .ca_file = "", .token = ota::Secret()}));
}

TEST(RolloutView, EventsChangeADeviceOnceAndInOrder) {
  fleet::v1::Rollout rollout = rollout_of(fleet::v1::ROLLOUT_RUNNING, 0);
  rollout.set_last_event(5);
  auto& row = *rollout.add_devices();
  row.set_device("edge-1");
  row.set_online(true);
  row.set_state(fleet::v1::WAITING);
  RolloutView view(rollout);

  fleet::v1::Event event;
  event.set_id(6);
  event.mutable_rollout_device()->set_device("edge-1");
  event.mutable_rollout_device()->set_online(true);
  event.mutable_rollout_device()->set_state(fleet::v1::TRIAL);
  EXPECT_EQ(view.apply(event), "▶ edge-1  trial");
  EXPECT_EQ(view.apply(event), "") << "the same event again";
  event.set_id(4);
  event.mutable_rollout_device()->set_state(fleet::v1::WAITING);
  EXPECT_EQ(view.apply(event), "") << "an older one";
  EXPECT_EQ(view.rollout().devices(0).state(), fleet::v1::TRIAL);

  fleet::v1::Event end;
  end.set_id(7);
  *end.mutable_rollout() = rollout_of(fleet::v1::ROLLOUT_SUCCEEDED, 900);
  EXPECT_FALSE(view.ended());
  view.apply(end);
  EXPECT_TRUE(view.ended());
  EXPECT_EQ(view.rollout().devices_size(), 1) << "the event's rollout has no devices";
  EXPECT_EQ(view.rollout().last_event(), 7u);
}

}  // namespace
}  // namespace fleetctl
