// One device for the tests of slots: a database that is opened anew after every transaction, and
// the states that the tests begin with.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "ota/hash.h"
#include "ota/slots.h"
#include "tests/unit/ota/temp_dir.h"

namespace ota {

using proto::Code;

inline constexpr const char* kApp = "dns";

inline ReleaseRecord release_of(std::uint64_t number, const std::string& attempt = {}) {
  const std::string name = "release " + std::to_string(number);
  return ReleaseRecord{attempt.empty() ? "try" + std::to_string(number) : attempt,
                       number,
                       sha256(name),
                       "",
                       {{sha256(name), 10}, {sha256(name + " image"), 20 + number}}};
}

inline BootTime at(std::uint64_t uptime_ms, const std::string& boot = "boot1") {
  return {boot, uptime_ms};
}

inline Code code_of(const Status& status) { return status ? Code::unset : status.error().code; }
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

// How a state is reached that the tests begin with.
enum class Start { fresh, staged, trial, first_bad, watched, settled, second, two_good };

inline void reach(Device& device, Start start) {
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

}  // namespace ota
