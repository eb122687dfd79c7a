// Why: rule by rule, what is recorded and what is said of it.
#include "controller/why.h"

#include <gtest/gtest.h>

namespace controller {
namespace {

constexpr std::int64_t kNow = 1'800'000'000'000;

// edge-1 runs dns 3; r-9 brings dns 4, and nothing holds it back but that it has not answered.
WhyFacts facts() {
  WhyFacts out;
  out.device = "edge-1";
  out.app = "dns";
  out.online = true;
  out.now_ms = kNow;
  out.seen_ms = kNow - 2000;
  out.inventory.set_board("raspberrypi4");
  out.inventory.set_clock_synchronised(true);
  out.inventory.set_memory_free_bytes(64ull << 20);
  out.inventory.set_disk_free_bytes(5ull << 30);
  out.status.emplace();
  out.status->set_app("dns");
  out.status->set_live_release(3);
  out.wish.emplace();
  out.wish->set_app("dns");
  out.wish->set_release(4);
  out.wish->set_run(v1::RUN);
  out.rollout.emplace();
  out.rollout->number = 9;
  out.rollout->app = "dns";
  out.rollout->release = 4;
  out.rollout->selector = "role=resolver";
  out.rollout->by = "ana";
  out.row.emplace();
  out.row->set_device("edge-1");
  out.row->set_state(v1::WAITING);
  out.manifest.emplace();
  return out;
}

WhyFacts ended(v1::DeviceState state, proto::Code code, const std::string& text) {
  WhyFacts out = facts();
  out.row->set_state(state);
  out.row->mutable_why()->set_code(static_cast<v1::Code>(code));
  out.row->mutable_why()->set_text(text);
  out.wish->set_release(3);  // as the controller does after it
  return out;
}

// The rule that must go first.
std::string first(const WhyFacts& in) {
  const v1::WhyApp out = why(in);
  return out.held_by_size() == 0 ? "" : out.held_by(0).rule() + ": " + out.held_by(0).text();
}

std::string clear_of(const WhyFacts& in) {
  std::string text;
  const v1::WhyApp out = why(in);
  for (const v1::WhyRule& rule : out.clear()) text += rule.rule() + "=" + rule.text() + ";";
  return text;
}

TEST(Why, NothingHoldsBackWhatRunsAsWanted) {
  WhyFacts in = facts();
  in.status->set_live_release(4);
  in.row->set_state(v1::HEALTHY);
  const v1::WhyApp out = why(in);
  EXPECT_EQ(out.summary(), "edge-1 runs dns 4, as wanted.");
  EXPECT_EQ(out.held_by_size(), 0);
  EXPECT_EQ(out.runs(), 4u);
  EXPECT_EQ(out.wants(), 4u);
}

TEST(Why, SaysWhatIsWantedByWhomAndWhatWasLookedAt) {
  const v1::WhyApp out = why(facts());
  EXPECT_EQ(out.summary(), "edge-1 runs dns 3, not dns 4.");
  EXPECT_EQ(out.wanted_by(), "rollout r-9 (role=resolver, ana)");
  EXPECT_EQ(first(facts()), "WAITING: it was told, and has not answered yet");
  EXPECT_EQ(clear_of(facts()),
            "OFFLINE=link up;YANKED=not yanked;WINDOW=window open;METADATA=metadata good;"
            "CLOCK=clock ok;REFUSED=digest not refused;FIT=board raspberrypi4 fits;"
            "MEMORY=memory 64 MiB;SPACE=disk 5 GiB;");
}

TEST(Why, AnAppThatNoPushNamesKeepsRunning) {
  WhyFacts in = facts();
  in.wish.reset();
  in.row.reset();
  in.rollout.reset();
  EXPECT_EQ(why(in).summary(),
            "edge-1 runs dns 3; no push names it. It keeps what it runs until a push or a delete"
            " does.");
  EXPECT_EQ(why(in).held_by_size(), 0);
}

TEST(Why, StoppedByTheOperatorIsAsWanted) {
  WhyFacts in = facts();
  in.wish->set_run(v1::STOP);
  in.status->set_stopped(true);
  EXPECT_EQ(why(in).summary(), "edge-1 runs no dns, as wanted: it was stopped.");
  EXPECT_EQ(why(in).held_by_size(), 0);
}

TEST(Why, EachRuleIsTold) {
  struct Case {
    const char* name;
    WhyFacts in;
    const char* want;
  };
  std::vector<Case> cases;
  const auto add = [&cases](const char* name, WhyFacts in, const char* want) {
    cases.push_back({name, std::move(in), want});
  };
  WhyFacts in = facts();
  in.online = false;
  in.seen_ms = kNow - 3 * 3600 * 1000 - 12 * 60 * 1000;
  add("offline", in, "OFFLINE: not connected for 3h12m");
  in.seen_ms = 0;
  add("never there", in, "OFFLINE: it was never connected");
  in.seen_ms = kNow - 24ll * 3600 * 1000;
  in.certificate_over = true;
  add("certificate", in, "OFFLINE: its certificate has ended; it renews by itself when it connects,"
                         " last heard 24h00m ago");
  in = facts();
  in.ahead = "obeyed a newer word than this controller knows";
  in.status->set_live_release(4);
  add("ahead", in, "AHEAD: it obeyed a newer word than this controller knows; nothing is told to it"
                   " until a person decides");
  in = facts();
  in.rollout->state = v1::ROLLOUT_ABORTED;
  add("aborted", in, "ENDED: r-9 has aborted before this device took part");
  in = facts();
  in.row->set_state(v1::SUPERSEDED);
  add("superseded", in, "ENDED: r-9 was superseded for this device before it was done");
  in = facts();
  in.yanked = true;
  add("yanked", in, "YANKED: dns 4 was yanked: no device takes it");
  in = facts();
  in.wave = "wave 3 (50%) has not begun";
  add("wave", in, "WAVE: wave 3 (50%) has not begun");
  in = facts();
  in.gate = {true, false, "waits for its download window, 02:00-04:00 Europe/Paris"};
  add("window", in, "WINDOW: waits for its download window, 02:00-04:00 Europe/Paris");
  in = facts();
  in.inventory.mutable_metadata()->mutable_why()->set_text("timestamp 7 expired");
  add("metadata", in, "METADATA: it takes nothing new: timestamp 7 expired");
  add("told expired", ended(v1::FAILED, proto::Code::expired, "timestamp expired"),
      "METADATA: timestamp expired");
  add("refused", ended(v1::HELD, proto::Code::refused_digest, "dns 4 failed on this device before"),
      "REFUSED: dns 4 failed on this device before");
  add("fallback", ended(v1::HELD, proto::Code::no_fallback, "the window is over"),
      "FALLBACK: the window is over");
  in = facts();
  in.manifest->mutable_needs()->add_boards("qemu-virt");
  add("board", in, "FIT: needs.boards does not name raspberrypi4");
  add("monitor", ended(v1::FAILED, proto::Code::no_monitor, "no monitor takes it"),
      "FIT: no monitor takes it");
  in = facts();
  in.manifest->mutable_needs()->set_memory_free_bytes(240ull << 20);
  in.other_memory = {"scada 2 uses 402 MiB"};
  add("memory", in, "MEMORY: needs.memory_free 240 MiB, free 64 MiB  (scada 2 uses 402 MiB)");
  add("told memory", ended(v1::FAILED, proto::Code::no_memory, "16 MiB free"),
      "MEMORY: 16 MiB free");
  add("space", ended(v1::FAILED, proto::Code::no_space, "2 MiB free on the disk"),
      "SPACE: 2 MiB free on the disk");
  add("port", ended(v1::FAILED, proto::Code::port_taken, "53/udp is held"), "PORT: 53/udp is held");
  add("budget", ended(v1::FAILED, proto::Code::budget, "3 MiB to fetch"),
      "BUDGET: 3 MiB to fetch");
  add("tried", ended(v1::REVERTED, proto::Code::no_answer, "no answer: dns"),
      "TRIED: no answer: dns");
  in = facts();
  in.row->set_state(v1::FETCHING);
  add("busy", in, "BUSY: under way: fetching");
  for (const Case& each : cases) EXPECT_EQ(first(each.in), each.want) << each.name;
}

TEST(Why, AnUnsynchronisedClockIsToldOnlyWhereADateDecided) {
  WhyFacts in = facts();
  in.inventory.set_clock_synchronised(false);
  EXPECT_EQ(clear_of(in).find("CLOCK"), std::string::npos);
  EXPECT_EQ(first(in), "WAITING: it was told, and has not answered yet");
  in = ended(v1::FAILED, proto::Code::expired, "timestamp expired");
  in.inventory.set_clock_synchronised(false);
  const v1::WhyApp out = why(in);
  ASSERT_EQ(out.held_by_size(), 2);
  EXPECT_EQ(out.held_by(1).rule(), "CLOCK");
}

// The wish is what runs after it; what the fleet wants there is still the rollout's.
TEST(Why, AfterABadEndTheRolloutsReleaseIsWhatIsMissing) {
  const v1::WhyApp out = why(ended(v1::REVERTED, proto::Code::no_answer, "no answer"));
  EXPECT_EQ(out.summary(), "edge-1 runs dns 3, not dns 4.");
  EXPECT_EQ(out.tried(), "reverted: no answer");
  ASSERT_GE(out.next_size(), 2);
  EXPECT_EQ(out.next(0), "fleetctl flights dns --device edge-1");
}

// A first push that failed leaves no wish at all.
TEST(Why, AFirstPushThatFailedIsTold) {
  WhyFacts in = ended(v1::FAILED, proto::Code::guest_exit, "guest exit 1");
  in.wish.reset();
  in.status.reset();
  EXPECT_EQ(why(in).summary(), "edge-1 runs no dns, not 4.");
  EXPECT_EQ(first(in), "TRIED: guest exit 1");
}

}  // namespace
}  // namespace controller
