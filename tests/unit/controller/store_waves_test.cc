// The step of the schema to waves, on what a controller before it left; and whose turn it is.
#include <gtest/gtest.h>

#include "controller/store_sql.h"
#include "tests/unit/ota/temp_dir.h"

namespace controller {
namespace {

std::unique_ptr<Store> open(const std::string& path) {
  auto store = Store::open(path);
  EXPECT_TRUE(store.has_value()) << (store ? "" : store.error().what);
  return std::move(*store);
}

rollout::Device row_of(const std::string& id, std::uint32_t wave, bool online) {
  rollout::Device row;
  row.id = id;
  row.attempt = "attempt-" + id;
  row.row.set_device(id);
  row.row.set_state(v1::WAITING);
  row.row.set_wave(wave);
  row.row.set_online(online);
  return row;
}

rollout::Rollout rollout_of(std::int64_t number) {
  rollout::Rollout value;
  value.number = number;
  value.app = "dns";
  value.release = 2;
  return value;
}

std::vector<std::string> ids_of(const Result<std::vector<Store::Waiting>>& found) {
  std::vector<std::string> ids;
  EXPECT_TRUE(found.has_value()) << (found ? "" : found.error().what);
  for (const Store::Waiting& each : *found) ids.push_back(each.id + " " + each.value);
  return ids;
}

TEST(StoreWaves, RowsOfASchemaBeforeWavesWereToldAtOnce) {
  TempDir directory;
  {
    auto store = open(directory / "db");
    ASSERT_TRUE(store->add_rollout(rollout_of(1)).has_value());
    ASSERT_TRUE(store->add_rollout_device(1, "dns", row_of("id-1", 1, true)).has_value());
    v1::DesiredApp desired;
    desired.set_app("dns");
    desired.set_release(2);
    ASSERT_TRUE(store->set_desired("id-1", desired).has_value());
    soci::session& sql = store->session().sql;
    for (const char* index : {"rollout_devices_waiting", "rollout_devices_under_way"}) {
      sql << std::string("DROP INDEX ") + index;
    }
    for (const char* column : {"wave", "let_in", "online", "going_back", "before_stage",
                               "before_keep"}) {
      sql << std::string("ALTER TABLE rollout_devices DROP COLUMN ") + column;
    }
    sql << "ALTER TABLE desired DROP COLUMN stage_release";
    // And the steps after it.
    sql << "DROP TABLE audit";
    for (const char* table : {"measured", "config_values", "config_before"}) {
      sql << std::string("DROP TABLE ") + table;
    }
    for (const char* column : {"values_json", "awaited"}) {
      sql << std::string("ALTER TABLE desired DROP COLUMN ") + column;
    }
    for (const char* column : {"audit_sequence", "audit_hash", "audit_accepted", "sealing_key",
                               "generation_told", "ahead_ms", "ahead_text"}) {
      sql << std::string("ALTER TABLE devices DROP COLUMN ") + column;
    }
    for (const char* column : {"groups_text", "expires_ms", "by_name"}) {
      sql << std::string("ALTER TABLE api_tokens DROP COLUMN ") + column;
    }
    sql << "PRAGMA user_version = 1";
  }
  auto store = open(directory / "db");
  EXPECT_GE(*store->schema_version(), 2);
  const auto row = store->rollout_device(1, "id-1");
  ASSERT_TRUE(row.has_value() && row->has_value());
  EXPECT_EQ((*row)->row.wave(), 1u);
  EXPECT_TRUE((*row)->row.let_in());
  EXPECT_EQ((*row)->before.stage_release, 0u);
  const auto desired = store->desired_app("id-1", "dns");
  ASSERT_TRUE(desired.has_value() && desired->has_value());
  EXPECT_EQ((*desired)->release(), 2u);
  EXPECT_EQ((*desired)->stage_release(), 0u);
}

TEST(StoreWaves, WhoWaitsIsOnlineAndNotLetInInTheOrderOfTurns) {
  auto store = open(":memory:");
  ASSERT_TRUE(store->add_rollout(rollout_of(1)).has_value());
  ASSERT_TRUE(store->set_label("id-2", "site", "lyon").has_value());
  for (const auto& row : {row_of("id-4", 2, true), row_of("id-2", 1, true),
                          row_of("id-3", 1, false), row_of("id-1", 1, true)}) {
    ASSERT_TRUE(store->add_rollout_device(1, "dns", row).has_value());
  }
  EXPECT_EQ(ids_of(store->waiting_devices(1, 1, "site", -1)),
            (std::vector<std::string>{"id-2 lyon", "id-1 "}));
  EXPECT_EQ(ids_of(store->waiting_devices(1, 2, "site", -1)),
            (std::vector<std::string>{"id-2 lyon", "id-1 ", "id-4 "}));
  EXPECT_EQ(*store->rollouts_with_waiting(), std::vector<std::int64_t>{1});
  EXPECT_TRUE(ids_of(store->devices_under_way("site")).empty());

  rollout::Device told = row_of("id-2", 1, true);
  told.row.set_let_in(true);
  ASSERT_TRUE(store->set_rollout_device(1, told).has_value());
  EXPECT_EQ(ids_of(store->devices_under_way("site")), (std::vector<std::string>{"id-2 lyon"}));
  told.row.set_going_back_to(1);
  ASSERT_TRUE(store->set_rollout_device(1, told).has_value());
  EXPECT_TRUE(ids_of(store->devices_under_way("site")).empty()) << "it waits to be told";
  told.row.set_state(v1::TRIAL);
  ASSERT_TRUE(store->set_rollout_device(1, told).has_value());
  EXPECT_EQ(ids_of(store->devices_under_way("site")).size(), 1u);
  told.ended = true;
  ASSERT_TRUE(store->set_rollout_device(1, told).has_value());
  EXPECT_TRUE(ids_of(store->devices_under_way("site")).empty());

  EXPECT_EQ(*store->newest_rollout_of("id-2", "dns"), 1);
  EXPECT_EQ(*store->newest_rollout_of("id-9", "dns"), 0);
  ASSERT_TRUE(store->remove_rollout_device(1, "id-2").has_value());
  EXPECT_EQ(*store->newest_rollout_of("id-2", "dns"), 0);
}

TEST(StoreWaves, OrdersAndStagesAreNoDevicesDown) {
  auto store = open(":memory:");
  std::int64_t number = 0;
  for (const auto kind : {v1::KIND_STAGE, v1::KIND_RESTART, v1::KIND_PUSH}) {
    rollout::Rollout value = rollout_of(++number);
    value.kind = kind;
    ASSERT_TRUE(store->add_rollout(value).has_value());
    rollout::Device row = row_of("id-" + std::to_string(number), 1, true);
    row.row.set_let_in(true);
    row.row.set_state(v1::OFFERED);
    ASSERT_TRUE(store->add_rollout_device(number, "dns", row).has_value());
  }
  EXPECT_EQ(ids_of(store->devices_under_way("site")), (std::vector<std::string>{"id-3 "}));
}

}  // namespace
}  // namespace controller
