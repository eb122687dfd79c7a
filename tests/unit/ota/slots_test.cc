// Slots: numbers only go up, tries run out, the watch and the window end, damage is never run.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/ota/slots_device.h"

namespace ota {
namespace {

TEST(Slots, ANumberThatWasConfirmedOrIsLowerIsARollback) {
  Device device;
  device.update_to(5);
  for (const std::uint64_t number : {1u, 4u, 5u}) {
    ReleaseRecord older = release_of(number, "again");
    older.manifest = sha256("other bytes");
    EXPECT_EQ(device.stage(older), Code::rollback) << number;
  }
  EXPECT_EQ(device.stage(release_of(6)), Code::unset);
}

TEST(Slots, TheHighestNumberOutlivesRemovalAndTheWayBack) {
  Device device;
  device.update_to(1);
  device.update_to(2);
  ASSERT_EQ(device.fall_back(2, 5000, at(2000)), Code::unset);
  EXPECT_EQ(device.stage(release_of(2, "again")), Code::rollback);
  ASSERT_EQ(device.remove(), Code::unset);
  EXPECT_EQ(device.slots().highest_confirmed, 2u);
  EXPECT_EQ(device.stage(release_of(1, "again")), Code::rollback);
  EXPECT_EQ(device.stage(release_of(2, "again")), Code::rollback);
  EXPECT_EQ(device.stage(release_of(3)), Code::unset);
}

TEST(Slots, ARevertUnderWatchDoesNotLowerTheHighestNumber) {
  Device device;
  device.update_to(1);
  device.update_to(2);
  ASSERT_EQ(device.revert("try2", Code::crash_loop), Code::unset);
  EXPECT_EQ(device.slots().highest_confirmed, 2u);
  ReleaseRecord other_bytes = release_of(2, "again");
  other_bytes.manifest = sha256("other");
  EXPECT_EQ(device.stage(other_bytes), Code::rollback);
}

TEST(Slots, ATrialThatFailedDoesNotRaiseTheHighestNumber) {
  Device device;
  ASSERT_EQ(device.stage(release_of(7)), Code::unset);
  ASSERT_EQ(device.arm("try7"), Code::unset);
  ASSERT_EQ(device.revert("try7"), Code::unset);
  EXPECT_EQ(device.slots().highest_confirmed, 0u);
  EXPECT_EQ(device.stage(release_of(6)), Code::unset);
}

TEST(Slots, NewOverridesOfTheLiveReleaseMayBeStaged) {
  Device device;
  device.update_to(3);
  ReleaseRecord other = release_of(3, "config");
  EXPECT_EQ(device.stage(other), Code::rollback) << "same values";
  other.overrides = "site=lyon";
  EXPECT_EQ(device.stage(other), Code::unset);
  ASSERT_EQ(device.arm("config", 2, true), Code::unset);
  EXPECT_EQ(device.confirm("config"), Code::unset);
  EXPECT_EQ(device.picture(), "A=good3 B=good3 live=B watch");
  EXPECT_EQ(device.slots().b.release.overrides, "site=lyon");
}

TEST(Slots, OtherValuesThatFailAreNoFaultOfTheDigest) {
  Device device;
  device.update_to(3);
  ReleaseRecord other = release_of(3, "config");
  other.overrides = "site=bad";
  ASSERT_EQ(device.stage(other), Code::unset);
  ASSERT_EQ(device.arm("config", 2, true), Code::unset);
  ASSERT_EQ(device.revert("config", Code::no_answer), Code::unset);
  EXPECT_EQ(device.slots().live_slot()->release.overrides, "");
  other.attempt = "again";
  other.overrides = "site=good";
  EXPECT_EQ(device.stage(other), Code::unset);
  ASSERT_EQ(device.arm("again", 2, true), Code::unset);
  ASSERT_EQ(device.confirm("again"), Code::unset);
  // Under watch as well.
  ASSERT_EQ(device.revert("again", Code::crash_loop), Code::unset);
  other.attempt = "third";
  EXPECT_EQ(device.stage(other), Code::unset);
}

TEST(Slots, ADigestThatFailedIsRefusedUntilAskedForAgain) {
  Device device;
  reach(device, Start::first_bad);
  EXPECT_EQ(device.stage(release_of(2, "again")), Code::refused_digest);
  ASSERT_EQ(device.remove(), Code::unset);
  EXPECT_EQ(device.stage(release_of(2, "again")), Code::refused_digest);
  ASSERT_EQ(device.run([](Transaction& tx) {
    return Slots::forget_refusal(tx, kApp, release_of(2).manifest);
  }), Code::unset);
  EXPECT_EQ(device.stage(release_of(2, "again")), Code::unset);
}

TEST(Slots, WhatWasTakenBackByOrderIsNotRefused) {
  for (const Code why : {Code::ordered, Code::superseded, Code::cancelled}) {
    Device device;
    reach(device, Start::trial);
    ASSERT_EQ(device.revert("try2", why), Code::unset);
    EXPECT_EQ(device.stage(release_of(2, "again")), Code::unset) << name_of(why);
  }
}

TEST(Slots, TriesCountDownBeforeTheStartAndThenRevert) {
  for (const int tries : {1, 2, 10}) {
    Device device;
    reach(device, Start::staged);
    ASSERT_EQ(device.arm("try2", tries), Code::unset);
    TryOutcome outcome = TryOutcome::reverted;
    for (int i = 0; i < tries; ++i) {
      ASSERT_EQ(device.begin_try("try2", &outcome), Code::unset);
      EXPECT_EQ(outcome, TryOutcome::start);
      EXPECT_EQ(device.slots().a.tries_left, tries - 1 - i);
      device.recover(at(10, "boot" + std::to_string(i + 2)));
    }
    ASSERT_EQ(device.begin_try("try2", &outcome), Code::unset);
    EXPECT_EQ(outcome, TryOutcome::reverted);
    EXPECT_EQ(device.picture(), "A=bad2(tries_used_up) B=empty live=none");
  }
}

TEST(Slots, TheWatchKeepsTheOtherSlotUnlessTold) {
  Device device;
  reach(device, Start::two_good);
  ASSERT_EQ(device.stage(release_of(3)), Code::unset);
  EXPECT_EQ(device.arm("try3"), Code::conflict);
  EXPECT_EQ(device.picture(), "A=good1 B=good2 live=B staged3 watch");
  EXPECT_EQ(device.arm("try3", 2, true), Code::unset);
  EXPECT_EQ(device.picture(), "A=trial3 B=good2 live=B");
}

TEST(Slots, OneTrialAtATime) {
  Device device;
  reach(device, Start::second);
  ASSERT_EQ(device.stage(release_of(3)), Code::unset);
  EXPECT_EQ(device.arm("try3"), Code::conflict);
  ASSERT_EQ(device.revert("try2", Code::superseded), Code::unset);
  EXPECT_EQ(device.arm("try3"), Code::unset);
  EXPECT_EQ(device.picture(), "A=good1 B=trial3 live=A");
}

TEST(Slots, TheWayBackHasItsWindowInUptime) {
  struct Window {
    const char* sentence;
    std::uint64_t window_ms;
    BootTime now;
    Code code;
  };
  const std::vector<Window> windows = {
      {"inside", 5000, at(6000), Code::unset},
      {"one millisecond late", 5000, at(6001), Code::no_fallback},
      {"never", 0, at(1000), Code::no_fallback},
      {"another boot counts from its start", 5000, at(5000, "boot2"), Code::unset},
      {"another boot, too long", 5000, at(5001, "boot2"), Code::no_fallback},
  };
  for (const Window& one : windows) {
    SCOPED_TRACE(one.sentence);
    Device device;
    device.update_to(1, at(500));
    device.update_to(2, at(1000));
    EXPECT_EQ(device.fall_back(2, one.window_ms, one.now), one.code);
  }
}

TEST(Slots, UptimeOfEarlierBootsCountsFromItsMarks) {
  Device device;
  device.update_to(1, at(500));
  device.update_to(2, at(1000));
  device.mark(at(4000));                 // 3000 ms old
  device.recover(at(10, "boot2"));       // 3010
  device.mark(at(1000, "boot2"));        // 4000
  device.recover(at(0, "boot3"));
  EXPECT_EQ(device.slots().age_ms(at(500, "boot3")), 4500u);
  EXPECT_EQ(device.fall_back(2, 4499, at(500, "boot3")), Code::no_fallback);
  EXPECT_EQ(device.fall_back(2, 4500, at(500, "boot3")), Code::unset);
}

TEST(Slots, OneStepBackAndNoMore) {
  Device device;
  device.update_to(1);
  device.update_to(2);
  ASSERT_EQ(device.fall_back(2, 5000, at(2000)), Code::unset);
  EXPECT_EQ(device.fall_back(2, 5000, at(2000)), Code::unset) << "repeated order";
  EXPECT_EQ(device.fall_back(1, 5000, at(2000)), Code::no_fallback);
  EXPECT_EQ(device.picture(), "A=good1 B=bad2(ordered) live=A");
}

TEST(Slots, AYankedReleaseIsNoWayBack) {
  Device device;
  device.update_to(1);
  device.update_to(2);
  EXPECT_EQ(device.fall_back(2, 5000, at(2000), [](std::uint64_t n) { return n == 1; }),
            Code::yanked);
  EXPECT_EQ(device.fall_back(2, 5000, at(2000), [](std::uint64_t n) { return n == 2; }),
            Code::unset);
}

TEST(Slots, ABadSlotPinsNothing) {
  Device device;
  reach(device, Start::second);
  EXPECT_EQ(Slots::pinned_blobs(device.database()).value().size(), 4u);
  ASSERT_EQ(device.revert("try2"), Code::unset);
  const auto pinned = Slots::pinned_blobs(device.database()).value();
  auto want = release_of(1).blobs;
  std::sort(want.begin(), want.end());
  EXPECT_EQ(pinned, want);
  ASSERT_EQ(device.remove(), Code::unset);
  EXPECT_TRUE(Slots::pinned_blobs(device.database()).value().empty());
}

TEST(Slots, ALiveSlotThatLostItsBytesGivesWayToTheOther) {
  Device device;
  reach(device, Start::two_good);
  const auto changes = device.recover(at(5, "boot2"), {release_of(2).blobs[1].digest});
  ASSERT_EQ(changes.size(), 1u);
  EXPECT_EQ(changes[0].release, 2u);
  EXPECT_EQ(changes[0].attempt, "try2");
  EXPECT_EQ(changes[0].why, Code::bad_digest);
  EXPECT_EQ(device.picture(), "A=good1 B=bad2(bad_digest) live=A");
  EXPECT_TRUE(device.recover(at(6, "boot2"), {release_of(2).blobs[1].digest}).empty());
}

TEST(Slots, ACandidateThatLostItsBytesIsDropped) {
  Device device;
  reach(device, Start::staged);
  EXPECT_EQ(device.recover(at(5, "boot2"), {release_of(2).manifest}).size(), 1u);
  EXPECT_EQ(device.picture(), "A=empty B=empty live=none");
  EXPECT_EQ(device.stage(release_of(2, "again")), Code::unset) << "lost bytes are no fault";
}

TEST(Slots, WhatIsUnknownAfterABootIsNotRun) {
  struct Damage {
    const char* sentence;
    const char* sql;
    const char* after;
  };
  const std::vector<Damage> damages = {
      {"a live slot of unknown state", "UPDATE slot_records SET state = 'odd' WHERE place = 'B'",
       "A=good1 B=bad2(internal) live=A"},
      {"a live mark on nothing", "DELETE FROM slot_records WHERE place = 'B'",
       "A=good1 B=empty live=A"},
      {"two trials", "UPDATE slot_records SET state = 'trial'",
       "A=bad1(internal) B=trial2 live=none"},
  };
  for (const Damage& one : damages) {
    SCOPED_TRACE(one.sentence);
    Device device;
    reach(device, Start::two_good);
    device.sql(one.sql);
    device.recover(at(5, "boot2"));
    EXPECT_EQ(device.picture(), one.after);
  }
}

TEST(Slots, AppsDoNotTouchEachOther) {
  Device device;
  device.update_to(1);
  ASSERT_EQ(device.run([](Transaction& tx) {
    return Slots::stage(tx, "web", release_of(9, "w"));
  }), Code::unset);
  ASSERT_EQ(device.remove(), Code::unset);
  const auto all = Slots::read_all(device.database()).value();
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].app, "web");
  EXPECT_EQ(all[0].candidate->release, 9u);
}

TEST(Slots, BadArgumentsAreRefused) {
  Device device;
  EXPECT_EQ(device.stage(release_of(0)), Code::bad_argument);
  EXPECT_EQ(device.stage(release_of((std::uint64_t{1} << 53) + 1)), Code::bad_argument);
  ReleaseRecord nameless = release_of(1);
  nameless.attempt.clear();
  EXPECT_EQ(device.stage(nameless), Code::bad_argument);
}

}  // namespace
}  // namespace ota
