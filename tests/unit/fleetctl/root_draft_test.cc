// A root that several people sign: what it changes, and whose signatures are still missing.
#include "deploy/fleetctl/root_draft.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "ota/repository.h"

namespace {

using ota::SigningKey;
using proto::Code;

constexpr std::int64_t kNow = 1'800'000'000;

class RootDraftTest : public ::testing::Test {
 protected:
  RootDraftTest() {
    ota::RootPlan plan;
    plan.root_keys = {ana_.public_key(), ben_.public_key(), eva_.public_key()};
    plan.root_threshold = 2;
    plan.targets_keys = plan.snapshot_keys = plan.timestamp_keys = {other_.public_key()};
    first_ = *ota::make_root(plan, kNow);
  }

  std::string sign(const ota::Root& root, std::initializer_list<const SigningKey*> keys) {
    return ota::sign(root, std::span(keys.begin(), keys.size()));
  }

  SigningKey ana_ = SigningKey::generate();
  SigningKey ben_ = SigningKey::generate();
  SigningKey eva_ = SigningKey::generate();
  SigningKey other_ = SigningKey::generate();
  ota::Root first_;
};

TEST_F(RootDraftTest, IsCompleteByThresholdsOfBothRoots) {
  const SigningKey next_key = SigningKey::generate();
  ota::Root next = ota::next_root(first_, kNow + 86400);
  ASSERT_TRUE(ota::replace_key(next, "root", ana_.keyid(), &next_key.public_key()));
  struct Case {
    std::string bytes;
    std::int64_t by_old, by_new;
    bool complete;
  };
  const Case cases[] = {
      {sign(next, {}), 0, 0, false},
      {sign(next, {&ana_, &next_key}), 1, 1, false},
      {sign(next, {&ben_, &next_key}), 1, 2, false},
      {sign(next, {&ana_, &ben_}), 2, 1, false},
      {sign(next, {&ana_, &ben_, &next_key}), 2, 2, true},
      {sign(next, {&ben_, &eva_}), 2, 2, true},
      {sign(next, {&other_, &ana_}), 1, 0, false},
  };
  for (const Case& each : cases) {
    const auto draft = fleetctl::read_root_draft(each.bytes, first_);
    ASSERT_TRUE(draft.has_value());
    EXPECT_EQ(draft->by_old_keys().have, each.by_old);
    EXPECT_EQ(draft->by_new_keys().have, each.by_new);
    EXPECT_EQ(draft->complete(), each.complete);
    EXPECT_EQ(ota::accept_root(&first_, each.bytes, kNow).has_value(), each.complete);
  }
  const auto draft = fleetctl::read_root_draft(sign(next, {&ana_, &next_key}), first_);
  std::vector<std::string> missing = {ben_.keyid(), eva_.keyid()};
  std::sort(missing.begin(), missing.end());
  EXPECT_EQ(draft->unsigned_keyids(), missing);
}

TEST_F(RootDraftTest, SaysWhatItChanges) {
  const SigningKey next_key = SigningKey::generate();
  ota::Root next = ota::next_root(first_, kNow);
  ASSERT_TRUE(ota::replace_key(next, "targets", other_.keyid(), &next_key.public_key()));
  next.roles.at("root").threshold = 1;
  const auto draft = fleetctl::read_root_draft(sign(next, {}), first_);
  ASSERT_TRUE(draft.has_value());
  const std::vector<std::string> expected = {
      "  root wants 1 of 3 keys, before 2 of 3",
      "- targets key " + other_.keyid().substr(0, 8),
      "+ targets key " + next_key.keyid().substr(0, 8),
      "  expires 2029-01-14T08:00:00Z, before 2029-01-14T08:00:00Z",
  };
  EXPECT_EQ(draft->changes(), expected);
}

TEST_F(RootDraftTest, NothingIsSignedOnTopOfAnotherRoot) {
  ota::Root third = ota::next_root(ota::next_root(first_, kNow), kNow);
  for (const std::string& bytes : {sign(first_, {}), sign(third, {})}) {
    const auto draft = fleetctl::read_root_draft(bytes, first_);
    ASSERT_FALSE(draft.has_value());
    EXPECT_EQ(draft.error().code, Code::rollback);
  }
  EXPECT_EQ(fleetctl::read_root_draft("{}", first_).error().code, Code::bad_metadata);
}

}  // namespace
