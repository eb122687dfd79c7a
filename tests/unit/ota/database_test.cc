// Database: what is committed stays, what is not goes, and what we do not know is refused.
#include "ota/database.h"

#include <gtest/gtest.h>

#include <array>
#include <fstream>

#include "tests/unit/ota/temp_dir.h"

namespace ota {
namespace {

using proto::Code;

constexpr std::array<std::string_view, 1> kOne = {
    "CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT UNIQUE, data BLOB)"};
constexpr std::array<std::string_view, 2> kTwo = {kOne[0], "ALTER TABLE t ADD COLUMN more TEXT"};
constexpr std::array<std::string_view, 1> kOther = {"CREATE TABLE u(id INTEGER PRIMARY KEY)"};
constexpr std::array<std::string_view, 2> kBroken = {kOne[0], "CREATE TABLE t(id INTEGER)"};
const Schema kSchemaOne{"part", kOne};
const Schema kSchemaTwo{"part", kTwo};

class DatabaseTest : public ::testing::Test {
 protected:
  Result<std::unique_ptr<Database>> open(const Schema& schema) {
    return Database::open(path_, {&schema, 1});
  }
  static std::int64_t count(Database& database) {
    Statement row(database, "SELECT count(*) FROM t");
    FLEET_ASSERT(row.step().value());
    return row.integer(0);
  }

  TempDir directory_;
  std::string path_ = directory_ / "agent.db";
};

TEST_F(DatabaseTest, ValuesComeBackAsTheyWent) {
  auto database = std::move(open(kSchemaOne)).value();
  const std::string odd("a\0b'\xff", 5);
  const std::vector<std::byte> data = {std::byte{0}, std::byte{255}};
  {
    Transaction transaction(*database);
    Statement first(transaction, "INSERT INTO t VALUES(?, ?, ?)", std::int64_t{-7}, odd,
                    std::span<const std::byte>(data));
    ASSERT_TRUE(first.run());
    const std::optional<std::string_view> nothing;
    Statement second(transaction, "INSERT INTO t VALUES(?, ?, ?)", INT64_MAX, nothing, nullptr);
    ASSERT_TRUE(second.run());
    Statement third(transaction, "INSERT INTO t VALUES(?, ?, ?)", true, "", nullptr);
    ASSERT_TRUE(third.run());
    ASSERT_TRUE(transaction.commit());
  }
  Statement rows(*database, "SELECT id, name, data FROM t ORDER BY id");
  ASSERT_TRUE(rows.step().value());
  EXPECT_EQ(rows.integer(0), -7);
  EXPECT_EQ(rows.unsigned_integer(0), 0u);
  EXPECT_EQ(rows.text(1), odd);
  EXPECT_EQ(rows.bytes(2), data);
  ASSERT_TRUE(rows.step().value());
  EXPECT_EQ(rows.integer(0), 1);
  EXPECT_FALSE(rows.is_null(1)) << "an empty text is not null";
  ASSERT_TRUE(rows.step().value());
  EXPECT_EQ(rows.integer(0), INT64_MAX);
  EXPECT_TRUE(rows.is_null(1));
  EXPECT_TRUE(rows.bytes(2).empty());
  EXPECT_FALSE(rows.step().value());
}

TEST_F(DatabaseTest, ATransactionWithoutCommitLeavesNothing) {
  auto database = std::move(open(kSchemaOne)).value();
  {
    Transaction transaction(*database);
    ASSERT_TRUE(Statement(transaction, "INSERT INTO t(id) VALUES(1)").run());
    EXPECT_EQ(count(*database), 1);
  }
  EXPECT_EQ(count(*database), 0);
  Transaction again(*database);
  ASSERT_TRUE(Statement(again, "INSERT INTO t(id) VALUES(1)").run());
  ASSERT_TRUE(again.commit());
  EXPECT_EQ(count(*database), 1);
}

TEST_F(DatabaseTest, AUniqueKeyTwiceIsAlreadyExists) {
  auto database = std::move(open(kSchemaOne)).value();
  Transaction transaction(*database);
  ASSERT_TRUE(Statement(transaction, "INSERT INTO t(name) VALUES(?)", "x").run());
  EXPECT_EQ(Statement(transaction, "INSERT INTO t(name) VALUES(?)", "x").run().error().code,
            Code::already_exists);
  EXPECT_TRUE(transaction.commit()) << "the transaction goes on";
  EXPECT_EQ(count(*database), 1);
}

TEST_F(DatabaseTest, StepsRunOnceAndInOrder) {
  { ASSERT_TRUE(open(kSchemaOne)); }
  { ASSERT_TRUE(open(kSchemaOne)); }
  auto database = std::move(open(kSchemaTwo)).value();
  EXPECT_TRUE(database->execute("INSERT INTO t(more) VALUES('x')"));
}

TEST_F(DatabaseTest, PartsHaveVersionsOfTheirOwn) {
  { ASSERT_TRUE(open(kSchemaTwo)); }
  const std::array<Schema, 2> both = {Schema{"other", kOther}, kSchemaTwo};
  auto database = Database::open(path_, both);
  ASSERT_TRUE(database) << database.error().what;
  EXPECT_TRUE((*database)->execute("INSERT INTO u VALUES(1)"));
}

TEST_F(DatabaseTest, ANewerSchemaIsRefusedByName) {
  { ASSERT_TRUE(open(kSchemaTwo)); }
  auto older = open(kSchemaOne);
  ASSERT_FALSE(older);
  EXPECT_EQ(older.error().code, Code::not_supported);
  EXPECT_NE(older.error().what.find("\"part\" have version 2, this program knows 1"),
            std::string::npos)
      << older.error().what;
}

TEST_F(DatabaseTest, AStepThatFailsLeavesTheOldVersion) {
  { ASSERT_TRUE(open(kSchemaOne)); }
  const Schema broken{"part", kBroken};
  EXPECT_FALSE(open(broken));
  auto database = std::move(open(kSchemaOne)).value();
  EXPECT_EQ(count(*database), 0);
}

TEST_F(DatabaseTest, DamagedFilesAreRefused) {
  {
    auto database = std::move(open(kSchemaOne)).value();
    ASSERT_TRUE(database->execute("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n "
                                  "WHERE i < 2000) INSERT INTO t(name) SELECT 'name' || i FROM n"));
    ASSERT_TRUE(database->execute("PRAGMA wal_checkpoint(TRUNCATE)"));
  }
  {
    std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(4096 * 2);
    file << std::string(4096, '\xee');
  }
  auto damaged = open(kSchemaOne);
  ASSERT_FALSE(damaged);
  EXPECT_EQ(damaged.error().code, Code::io);
  std::ofstream(path_, std::ios::trunc) << "this is no database, not at all, it is a text";
  auto text = open(kSchemaOne);
  ASSERT_FALSE(text);
  EXPECT_EQ(text.error().code, Code::io);
}

TEST_F(DatabaseTest, AFullDiskIsNoSpaceAndKeepsWhatWas) {
  auto database = std::move(open(kSchemaOne)).value();
  ASSERT_TRUE(database->execute("PRAGMA max_page_count=12"));
  const std::vector<std::byte> big(100'000);
  Transaction transaction(*database);
  Statement row(transaction, "INSERT INTO t(data) VALUES(?)", std::span<const std::byte>(big));
  EXPECT_EQ(row.run().error().code, Code::no_space);
}

TEST_F(DatabaseTest, ALockedDatabaseSaysSoAndRunsNothing) {
  auto one = std::move(open(kSchemaOne)).value();
  auto two = std::move(open(kSchemaOne)).value();
  Transaction holder(*one);
  ASSERT_TRUE(two->execute("PRAGMA busy_timeout=10"));
  Transaction waiter(*two);
  EXPECT_EQ(waiter.begun().error().code, Code::unavailable);
  EXPECT_EQ(Statement(waiter, "INSERT INTO t(id) VALUES(1)").run().error().code,
            Code::unavailable);
  EXPECT_EQ(waiter.commit().error().code, Code::unavailable);
  ASSERT_TRUE(holder.commit());
  EXPECT_EQ(count(*one), 0);
}

TEST_F(DatabaseTest, APathThatCannotBeIsSaid) {
  const auto opened = Database::open("/nonexistent/agent.db", {});
  ASSERT_FALSE(opened);
  EXPECT_NE(opened.error().what.find("/nonexistent/agent.db"), std::string::npos);
}

}  // namespace
}  // namespace ota
