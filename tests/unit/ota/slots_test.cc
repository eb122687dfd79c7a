// Slots: every verb in every state, the numbers that only go up, and a cut after every transaction.
#include "ota/slots.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "ota/hash.h"
#include "tests/unit/ota/temp_dir.h"

namespace ota {
namespace {

using proto::Code;

constexpr const char* kApp = "dns";

ReleaseRecord release_of(std::uint64_t number, const std::string& attempt = {}) {
  const std::string name = "release " + std::to_string(number);
  return ReleaseRecord{attempt.empty() ? "try" + std::to_string(number) : attempt,
                       number,
                       sha256(name),
                       "",
                       {{sha256(name), 10}, {sha256(name + " image"), 20 + number}}};
}

BootTime at(std::uint64_t uptime_ms, const std::string& boot = "boot1") {
  return {boot, uptime_ms};
}

Code code_of(const Status& status) { return status ? Code::unset : status.error().code; }
template <typename T>
Code code_of(const Result<T>& result) {
  return result ? Code::unset : result.error().code;
}

// One device: a database that is opened anew after every transaction, as after a power cut.
class Device {
 public:
  Device() { reopen(); }

  void reopen() {
    database_.reset();
    auto opened = Database::open(directory_ / "agent.db", {&kSlotsSchema, 1});
    FLEET_ASSERT(opened);
    database_ = std::move(*opened);
  }

  // Runs a verb in a transaction of its own; commits on success, then the power is cut.
  template <typename Verb>
  Code run(Verb verb) {
    Code code;
    {
      Transaction transaction(*database_);
      code = code_of(verb(transaction));
      if (code == Code::unset) FLEET_ASSERT(transaction.commit());
    }
    reopen();
    return code;
  }

  Code stage(const ReleaseRecord& release) {
    return run([&](Transaction& tx) { return Slots::stage(tx, kApp, release); });
  }
  Code arm(const std::string& attempt, int tries = 2, bool end_watch = false) {
    return run([&](Transaction& tx) {
      return Slots::arm(tx, kApp, attempt, {.tries = tries, .end_watch = end_watch});
    });
  }
  Code begin_try(const std::string& attempt, TryOutcome* outcome = nullptr) {
    return run([&](Transaction& tx) {
      auto result = Slots::begin_try(tx, kApp, attempt);
      if (result && outcome != nullptr) *outcome = *result;
      return result;
    });
  }
  Code confirm(const std::string& attempt, const BootTime& now = at(1000)) {
    return run([&](Transaction& tx) { return Slots::confirm(tx, kApp, attempt, now); });
  }
  Code end_watch() {
    return run([&](Transaction& tx) { return Slots::end_watch(tx, kApp); });
  }
  Code revert(const std::string& attempt, Code why = Code::no_answer) {
    return run([&](Transaction& tx) { return Slots::revert(tx, kApp, attempt, why, "said so"); });
  }
  Code fall_back(std::uint64_t from, std::uint64_t window_ms, const BootTime& now,
                 std::function<bool(std::uint64_t)> is_yanked = {}) {
    return run([&](Transaction& tx) {
      return Slots::fall_back(tx, {kApp, from, window_ms, is_yanked}, now);
    });
  }
  Code remove() {
    return run([&](Transaction& tx) { return Slots::remove(tx, kApp); });
  }
  std::vector<Recovered> recover(const BootTime& now, std::set<Sha256> lost = {}) {
    std::vector<Recovered> changes;
    run([&](Transaction& tx) {
      auto result = Slots::recover(
          tx, now, [&](const BlobRef& blob) { return lost.count(blob.digest) == 0; });
      if (result) changes = *result;
      return result;
    });
    return changes;
  }
  void mark(const BootTime& now) {
    FLEET_ASSERT(run([&](Transaction& tx) { return Slots::mark_time(tx, now); }) == Code::unset);
  }
  void sql(const std::string& text) { FLEET_ASSERT(database_->execute(text)); }

  // The whole way of a good update.
  void update_to(std::uint64_t number, const BootTime& now = at(1000)) {
    const ReleaseRecord release = release_of(number);
    FLEET_ASSERT(stage(release) == Code::unset);
    FLEET_ASSERT(arm(release.attempt, 2, true) == Code::unset);
    FLEET_ASSERT(begin_try(release.attempt) == Code::unset);
    FLEET_ASSERT(confirm(release.attempt, now) == Code::unset);
  }

  AppSlots slots() { return Slots::read(*database_, kApp).value(); }
  Database& database() { return *database_; }

  // "A=good1 B=trial2 live=A" and so on: what the tables below compare.
  std::string picture() {
    const AppSlots all = slots();
    std::string text;
    for (const SlotName name : {SlotName::a, SlotName::b}) {
      const SlotRecord& slot = all.slot(name);
      text += std::string(name_of(name)) + "=" + name_of(slot.state);
      if (slot.state != SlotState::empty) text += std::to_string(slot.release.release);
      if (slot.state == SlotState::bad) text += std::string("(") + name_of(slot.why) + ")";
      text += " ";
    }
    text += std::string("live=") + (all.live ? name_of(*all.live) : "none");
    if (all.candidate) text += " staged" + std::to_string(all.candidate->release);
    if (all.under_watch) text += " watch";
    return text;
  }

 private:
  TempDir directory_;
  std::unique_ptr<Database> database_;
};

// ---- the table: how a state is reached, the verb, what comes of it ----

enum class Start { fresh, staged, trial, first_bad, watched, settled, second, two_good };

void reach(Device& device, Start start) {
  switch (start) {
    case Start::fresh: return;
    case Start::staged: ASSERT_EQ(device.stage(release_of(2)), Code::unset); return;
    case Start::trial:
      reach(device, Start::staged);
      ASSERT_EQ(device.arm("try2"), Code::unset);
      return;
    case Start::first_bad:
      reach(device, Start::trial);
      ASSERT_EQ(device.revert("try2"), Code::unset);
      return;
    case Start::watched: device.update_to(1); return;
    case Start::settled:
      device.update_to(1);
      ASSERT_EQ(device.end_watch(), Code::unset);
      return;
    case Start::second:
      reach(device, Start::settled);
      reach(device, Start::trial);
      return;
    case Start::two_good:
      reach(device, Start::second);
      ASSERT_EQ(device.confirm("try2"), Code::unset);
      return;
  }
}

struct Case {
  const char* sentence;
  Start start;
  std::function<Code(Device&)> verb;
  Code code;
  const char* after;
};

Code verb_stage2(Device& device) { return device.stage(release_of(2)); }
Code verb_stage3(Device& device) { return device.stage(release_of(3)); }
Code verb_arm2(Device& device) { return device.arm("try2"); }
Code verb_begin2(Device& device) { return device.begin_try("try2"); }
Code verb_confirm2(Device& device) { return device.confirm("try2"); }
Code verb_revert1(Device& device) { return device.revert("try1"); }
Code verb_revert2(Device& device) { return device.revert("try2"); }
Code verb_drop2(Device& device) {
  return device.run([](Transaction& tx) { return Slots::drop_candidate(tx, kApp, "try2"); });
}
Code verb_fall_back(Device& device) { return device.fall_back(2, 5000, at(2000)); }
Code verb_end_watch(Device& device) { return device.end_watch(); }
Code verb_remove(Device& device) { return device.remove(); }

const std::vector<Case>& cases() {
  static const char* kFresh = "A=empty B=empty live=none";
  static const char* kStaged = "A=empty B=empty live=none staged2";
  static const char* kTrial = "A=trial2 B=empty live=none";
  static const char* kFirstBad = "A=bad2(no_answer) B=empty live=none";
  static const char* kSettled = "A=good1 B=empty live=A";
  static const char* kSecond = "A=good1 B=trial2 live=A";
  static const char* kTwoGood = "A=good1 B=good2 live=B watch";
  static const Code kOk = Code::unset;
  static const std::vector<Case> all = {
      {"staging on a fresh device makes a candidate", Start::fresh, verb_stage2, kOk, kStaged},
      {"nothing is armed without a candidate", Start::fresh, verb_arm2, Code::not_found, kFresh},
      {"nothing starts without a trial", Start::fresh, verb_begin2, Code::not_found, kFresh},
      {"nothing is confirmed without a trial", Start::fresh, verb_confirm2, Code::not_found,
       kFresh},
      {"nothing is reverted on a fresh device", Start::fresh, verb_revert2, Code::not_found,
       kFresh},
      {"no way back on a fresh device", Start::fresh, verb_fall_back, Code::conflict, kFresh},
      {"ending no watch is no error", Start::fresh, verb_end_watch, kOk, kFresh},
      {"removing what is not there is no error", Start::fresh, verb_remove, kOk, kFresh},

      {"staging twice is staging once", Start::staged, verb_stage2, kOk, kStaged},
      {"a newer candidate replaces an older one", Start::staged, verb_stage3, kOk,
       "A=empty B=empty live=none staged3"},
      {"arming moves the candidate into the spare slot", Start::staged, verb_arm2, kOk, kTrial},
      {"a candidate does not start", Start::staged, verb_begin2, Code::not_found, kStaged},
      {"a candidate is not confirmed", Start::staged, verb_confirm2, Code::not_found, kStaged},
      {"a candidate is dropped, not reverted", Start::staged, verb_revert2, Code::not_found,
       kStaged},
      {"a candidate can be dropped", Start::staged, verb_drop2, kOk, kFresh},
      {"dropping leaves a trial alone", Start::trial, verb_drop2, kOk, kTrial},
      {"a candidate is no way back", Start::staged, verb_fall_back, Code::conflict, kStaged},
      {"removal takes the candidate", Start::staged, verb_remove, kOk, kFresh},

      {"staging what is on trial changes nothing", Start::trial, verb_stage2, kOk, kTrial},
      {"a newer release may be staged beside a trial", Start::trial, verb_stage3, kOk,
       "A=trial2 B=empty live=none staged3"},
      {"arming what is on trial changes nothing", Start::trial, verb_arm2, kOk, kTrial},
      {"a trial may start", Start::trial, verb_begin2, kOk, kTrial},
      {"a first install is confirmed", Start::trial, verb_confirm2, kOk,
       "A=good2 B=empty live=A watch"},
      {"a first install that fails leaves nothing live", Start::trial, verb_revert2, kOk,
       kFirstBad},
      {"no way back while a trial is on", Start::trial, verb_fall_back, Code::conflict, kTrial},
      {"removal takes the trial", Start::trial, verb_remove, kOk, kFresh},

      {"staging the attempt that failed changes nothing", Start::first_bad, verb_stage2, kOk,
       kFirstBad},
      {"another release may follow a failed one", Start::first_bad, verb_stage3, kOk,
       "A=bad2(no_answer) B=empty live=none staged3"},
      {"arming the attempt that failed changes nothing", Start::first_bad, verb_arm2, kOk,
       kFirstBad},
      {"a failed trial does not start again", Start::first_bad, verb_begin2, Code::not_found,
       kFirstBad},
      {"a failed trial is not confirmed", Start::first_bad, verb_confirm2, Code::not_found,
       kFirstBad},
      {"reverting twice is reverting once", Start::first_bad, verb_revert2, kOk, kFirstBad},
      {"a bad slot is no way back", Start::first_bad, verb_fall_back, Code::conflict, kFirstBad},

      {"staging under watch touches no slot", Start::watched, verb_stage2, kOk,
       "A=good1 B=empty live=A staged2 watch"},
      {"a first release under watch reverts to nothing", Start::watched, verb_revert1, kOk,
       "A=bad1(no_answer) B=empty live=none"},
      {"the watch ends", Start::watched, verb_end_watch, kOk, kSettled},
      {"removal takes the live slot", Start::watched, verb_remove, kOk, kFresh},

      {"a settled release is not reverted by itself", Start::settled, verb_revert1,
       Code::conflict, kSettled},
      {"ending the watch twice is ending it once", Start::settled, verb_end_watch, kOk, kSettled},

      {"a trial that fails leaves the live slot alone", Start::second, verb_revert2, kOk,
       "A=good1 B=bad2(no_answer) live=A"},
      {"a trial that is confirmed is live", Start::second, verb_confirm2, kOk, kTwoGood},
      {"the live slot is not reverted during a trial", Start::second, verb_revert1,
       Code::conflict, kSecond},
      {"a way back waits for the trial", Start::second, verb_fall_back, Code::conflict, kSecond},

      {"confirming twice is confirming once", Start::two_good, verb_confirm2, kOk, kTwoGood},
      {"arming what is live changes nothing", Start::two_good, verb_arm2, kOk, kTwoGood},
      {"staging what is live changes nothing", Start::two_good, verb_stage2, kOk, kTwoGood},
      {"under watch a failure goes back", Start::two_good, verb_revert2, kOk,
       "A=good1 B=bad2(no_answer) live=A"},
      {"the old good slot is not reverted", Start::two_good, verb_revert1, Code::conflict,
       kTwoGood},
      {"an order goes back inside the window", Start::two_good, verb_fall_back, kOk,
       "A=good1 B=bad2(ordered) live=A"},
      {"what is live does not start as a trial", Start::two_good, verb_begin2, Code::not_found,
       kTwoGood},
      {"a third release may be staged", Start::two_good, verb_stage3, kOk,
       "A=good1 B=good2 live=B staged3 watch"},
  };
  return all;
}

TEST(Slots, EveryVerbInEveryState) {
  for (const Case& one : cases()) {
    SCOPED_TRACE(one.sentence);
    Device device;
    reach(device, one.start);
    EXPECT_EQ(one.verb(device), one.code);
    EXPECT_EQ(device.picture(), one.after);
  }
}

TEST(Slots, AVerbRepeatedAfterACrashChangesNothing) {
  for (const Case& one : cases()) {
    if (one.verb.target<Code (*)(Device&)>() != nullptr &&
        *one.verb.target<Code (*)(Device&)>() == verb_begin2) {
      continue;  // every call is a start
    }
    SCOPED_TRACE(one.sentence);
    Device device;
    reach(device, one.start);
    one.verb(device);
    EXPECT_EQ(one.verb(device), one.code);
    EXPECT_EQ(device.picture(), one.after);
  }
}

TEST(Slots, ATransactionThatIsNotCommittedChangesNothing) {
  for (const Case& one : cases()) {
    SCOPED_TRACE(one.sentence);
    Device device;
    reach(device, one.start);
    const std::string before = device.picture();
    {
      Transaction transaction(device.database());
      auto staged = Slots::stage(transaction, kApp, release_of(9));
      ASSERT_TRUE(staged) << staged.error().what;
      ASSERT_TRUE(Slots::remove(transaction, kApp));
    }
    device.reopen();
    EXPECT_EQ(device.picture(), before);
  }
}

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

TEST(Slots, RecoveringASoundDeviceChangesNothing) {
  for (const Case& one : cases()) {
    SCOPED_TRACE(one.sentence);
    Device device;
    reach(device, one.start);
    const std::string before = device.picture();
    EXPECT_TRUE(device.recover(at(5, "boot2")).empty());
    EXPECT_EQ(device.picture(), before);
  }
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
