// Slots: every verb in every state, once, twice, and without commit.
#include <gtest/gtest.h>

#include "tests/unit/ota/slots_device.h"

namespace ota {
namespace {

// How a state is reached, the verb, what comes of it.
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

}  // namespace
}  // namespace ota
