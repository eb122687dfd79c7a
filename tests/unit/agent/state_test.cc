// agent.db: what is wanted, the outbox, how far each wish got.
#include <gtest/gtest.h>

#include "agent/state.h"

namespace {

std::unique_ptr<agent::State> open_state() {
  auto state = agent::State::open(":memory:");
  EXPECT_TRUE(state.has_value());
  return std::move(*state);
}

std::uint64_t add(agent::State& state, fleet::v1::DeviceState word) {
  fleet::v1::Report report;
  report.set_state(word);
  ota::Transaction transaction(state.database());
  auto sequence = state.add_report(transaction, report);
  EXPECT_TRUE(sequence.has_value());
  EXPECT_TRUE(transaction.commit().has_value());
  return *sequence;
}

TEST(State, ADesiredIsStoredOnlyWhenItsGenerationRises) {
  auto state = open_state();
  fleet::v1::Desired desired;
  desired.set_generation(5);
  desired.add_apps()->set_app("dns");
  EXPECT_TRUE(*state->store_desired(desired));
  EXPECT_FALSE(*state->store_desired(desired));
  desired.set_generation(4);
  desired.clear_apps();
  EXPECT_FALSE(*state->store_desired(desired));
  EXPECT_EQ(state->desired()->apps_size(), 1);
}

TEST(State, TheAuditHeadIsKeptAndOnlyGoesOn) {
  auto state = open_state();
  EXPECT_EQ(state->audit_head()->sequence(), 0u);
  fleet::v1::AuditHead head;
  EXPECT_TRUE(state->store_audit_head(head).has_value()) << "a Desired without one";
  head.set_sequence(7);
  head.set_hash(std::string(64, 'a'));
  ASSERT_TRUE(state->store_audit_head(head).has_value());
  fleet::v1::AuditHead other;
  other.set_sequence(7);
  other.set_hash(std::string(64, 'b'));
  ASSERT_TRUE(state->store_audit_head(other).has_value());
  EXPECT_EQ(state->audit_head()->hash(), head.hash()) << "a rewritten log leaves the evidence";
  other.set_sequence(3);
  ASSERT_TRUE(state->store_audit_head(other).has_value());
  EXPECT_EQ(state->audit_head()->sequence(), 7u) << "and so does a shorter one";
  other.set_sequence(9);
  other.set_hash("short");
  ASSERT_TRUE(state->store_audit_head(other).has_value());
  EXPECT_EQ(state->audit_head()->sequence(), 7u);
  other.set_hash(std::string(64, 'c'));
  ASSERT_TRUE(state->store_audit_head(other).has_value());
  EXPECT_EQ(state->audit_head()->sequence(), 9u);
}

TEST(State, ReportsAreCountedByAppAndState) {
  auto state = open_state();
  add(*state, fleet::v1::REVERTED);
  add(*state, fleet::v1::REVERTED);
  add(*state, fleet::v1::HEALTHY);
  EXPECT_EQ(state->report_counts().at({"", fleet::v1::REVERTED}), 2u);
}

TEST(State, SequencesRiseForEverAlsoAfterAcknowledgement) {
  auto state = open_state();
  EXPECT_EQ(add(*state, fleet::v1::OFFERED), 1u);
  EXPECT_EQ(add(*state, fleet::v1::HEALTHY), 2u);
  ASSERT_TRUE(state->acknowledge(1).has_value());
  ASSERT_TRUE(state->acknowledge(2).has_value());
  EXPECT_TRUE(state->outbox(0, 10)->empty());
  EXPECT_EQ(add(*state, fleet::v1::OFFERED), 3u);
  EXPECT_EQ(state->outbox(0, 10)->front().sequence(), 3u);
  EXPECT_TRUE(state->outbox(3, 10)->empty());
}

TEST(State, AReportOutsideACommittedTransactionIsNotThere) {
  auto state = open_state();
  fleet::v1::Report report;
  {
    ota::Transaction transaction(state->database());
    ASSERT_TRUE(state->add_report(transaction, report).has_value());
  }
  EXPECT_TRUE(state->outbox(0, 10)->empty());
}

TEST(State, AFullOutboxDropsTheOldestReportThatEndsNoWish) {
  auto state = open_state();
  add(*state, fleet::v1::REVERTED);
  for (std::size_t i = 0; i < agent::kMaxOutbox; ++i) add(*state, fleet::v1::OFFERED);
  const auto reports = state->outbox(0, 5000);
  EXPECT_EQ(reports->size(), agent::kMaxOutbox);
  EXPECT_EQ(reports->front().state(), fleet::v1::REVERTED);
  EXPECT_EQ(reports->at(1).sequence(), 3u);
}

TEST(State, TwoWishesDifferByWhatTheyAskForAndNotByHowTheyAreStored) {
  fleet::v1::DesiredApp one;
  one.set_app("dns");
  one.set_attempt("a");
  (*one.mutable_overrides())["x"] = "1";
  (*one.mutable_overrides())["y"] = "2";
  fleet::v1::DesiredApp two = one;
  two.set_deadline_ms(5);
  EXPECT_EQ(agent::wish_key(one), agent::wish_key(two));
  (*two.mutable_overrides())["y"] = "3";
  EXPECT_NE(agent::wish_key(one), agent::wish_key(two));
  two = one;
  two.set_release(7);  // a failed attempt comes back with what runs on
  EXPECT_EQ(agent::wish_key(one), agent::wish_key(two));
  two.set_attempt("b");
  EXPECT_NE(agent::wish_key(one), agent::wish_key(two));
  one.clear_attempt();
  two.clear_attempt();
  EXPECT_NE(agent::wish_key(one), agent::wish_key(two));
}

TEST(State, RowAndTimeFloorComeBack) {
  auto state = open_state();
  agent::AppRow row;
  row.wish_done = "key";
  row.restart_count = 3;
  row.state = fleet::v1::HEALTHY;
  row.why.set_text("why");
  ota::Transaction transaction(state->database());
  ASSERT_TRUE(state->put_app(transaction, "dns", row).has_value());
  ASSERT_TRUE(transaction.commit().has_value());
  const auto read = state->app("dns");
  EXPECT_EQ(read->wish_done, "key");
  EXPECT_EQ(read->restart_count, 3u);
  EXPECT_EQ(read->state, fleet::v1::HEALTHY);
  EXPECT_EQ(state->app("other")->wish_done, "");
  EXPECT_EQ(state->time_floor()->unix_s, 0);
  ASSERT_TRUE(state->store_time_floor({42, "keys"}).has_value());
  EXPECT_EQ(state->time_floor()->unix_s, 42);
  EXPECT_EQ(state->time_floor()->keys, "keys");
}

}  // namespace
