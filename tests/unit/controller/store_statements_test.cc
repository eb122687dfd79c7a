// Statements that are kept prepared: each is as good as a new one, and leaves nothing open.
#include <gtest/gtest.h>

#include "controller/store_sql.h"
#include "tests/unit/controller/open_store.h"
#include "tests/unit/ota/temp_dir.h"

namespace controller {
namespace {

TEST(StoreStatements, AreReadOnceAndSeeEachTimeWhatIsThere) {
  const auto store = open_store(":memory:");
  EXPECT_FALSE(store->setting("a")->has_value());
  ASSERT_TRUE(store->set_setting("a", "1"));
  const std::size_t kept = store->session().kept.size();
  for (const char* value : {"2", "", "a much longer value than the one before"}) {
    ASSERT_TRUE(store->set_setting("a", value));
    EXPECT_EQ(**store->setting("a"), value);
    EXPECT_FALSE(store->setting("b")->has_value()) << "not the row of before";
  }
  EXPECT_EQ(store->session().kept.size(), kept);
}

TEST(StoreStatements, OneThatFailedIsNotKept) {
  const auto store = open_store(":memory:");
  ASSERT_TRUE(store->add_device(device_row("id-1", "edge-1")));
  const std::size_t kept = store->session().kept.size();
  for (int i = 0; i < 3; ++i) {
    const Status again = store->add_device(device_row("id-2", "edge-1"));
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().code, proto::Code::already_exists);
    EXPECT_EQ(store->session().kept.size(), kept) << "its place, empty";
  }
  ASSERT_TRUE(store->add_device(device_row("id-2", "edge-2")));
  EXPECT_EQ((*store->device("id-2"))->public_key, "key of edge-2");
  EXPECT_FALSE(store->session().in_transaction);
  EXPECT_ANY_THROW(store->session().run("SELECT no_such_column FROM devices"));
  EXPECT_EQ(store->devices()->size(), 2u);
}

// A statement that still stands on its row would keep the log of the file from ever ending.
TEST(StoreStatements, AReadLeavesNothingOpen) {
  const TempDir directory;
  const auto store = open_store(directory / "db");
  for (const char* id : {"id-1", "id-2"}) ASSERT_TRUE(store->add_device(device_row(id, id)));
  ASSERT_TRUE(store->member("id-1"));
  std::string id;
  ASSERT_TRUE(store->session().run("SELECT id FROM devices", soci::into(id)));  // one row of two
  ASSERT_TRUE(store->set_setting("a", "1"));
  soci::session other(soci::sqlite3, "dbname=\"" + directory / "db" + "\"");
  int busy = 1;
  int in_log = -1;
  int moved = -1;
  other << "PRAGMA wal_checkpoint(TRUNCATE)", soci::into(busy), soci::into(in_log),
      soci::into(moved);
  EXPECT_EQ(busy, 0);
  EXPECT_EQ(in_log, 0) << "all of it is in the file";
}

TEST(StoreStatements, AStatementInsideItselfIsAnother) {
  const auto store = open_store(":memory:");
  for (const char* id : {"id-1", "id-2", "id-3"}) {
    ASSERT_TRUE(store->add_device(device_row(id, id)));
  }
  const auto ids = [&] {
    std::string id;
    std::vector<std::string> out;
    Statement statement(store->session(), "SELECT id FROM devices ORDER BY id");
    statement.start(soci::into(id));
    while (statement.fetch()) out.push_back(id);
    return out;
  };
  std::string id;
  std::size_t seen = 0;
  Statement outer(store->session(), "SELECT id FROM devices ORDER BY id");
  outer.start(soci::into(id));
  while (outer.fetch()) {
    ++seen;
    EXPECT_EQ(ids().size(), 3u);
  }
  EXPECT_EQ(seen, 3u);
}

// Its row is read once in a transaction.
TEST(StoreStatements, ARolloutsDeviceIsWhatWasWrittenAndGoneWithItsTransaction) {
  const auto store = open_store(":memory:");
  rollout::Rollout value;
  value.number = 1;
  value.app = "dns";
  ASSERT_TRUE(store->add_rollout(value));
  rollout::Device row;
  row.id = "id-1";
  row.attempt = "attempt";
  row.row.set_state(v1::WAITING);
  ASSERT_TRUE(store->add_rollout_device(1, "dns", row));
  const auto state = [&] { return (*store->rollout_device(1, "id-1"))->row.state(); };
  {
    Store::Transaction transaction(*store);
    EXPECT_EQ(state(), v1::WAITING);
    row.row.set_state(v1::TRIAL);
    ASSERT_TRUE(store->set_rollout_device(1, row));
    EXPECT_EQ(state(), v1::TRIAL);
    EXPECT_EQ(store->rollout_devices(1)->front().row.state(), v1::TRIAL) << "also in the list";
  }
  EXPECT_EQ(state(), v1::WAITING) << "it was not committed";
  {
    Store::Transaction transaction(*store);
    ASSERT_TRUE(store->set_rollout_device(1, row));
    EXPECT_EQ(state(), v1::TRIAL);
    ASSERT_TRUE(store->remove_rollout_device(1, "id-1"));
    EXPECT_FALSE(store->rollout_device(1, "id-1")->has_value());
    ASSERT_TRUE(store->add_rollout_device(1, "dns", row));
    ASSERT_TRUE(transaction.commit());
  }
  EXPECT_EQ(state(), v1::TRIAL);
}

}  // namespace
}  // namespace controller
