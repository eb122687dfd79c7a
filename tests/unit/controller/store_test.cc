#include "controller/store.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>

#include "controller/embedded.h"
#include "controller/store_sql.h"
#include "tests/unit/controller/open_store.h"
#include "tests/unit/ota/temp_dir.h"

namespace controller {
namespace {

/// What `work` wrote before its process was killed, or after a commit, as a new process sees it.
template <typename Work>
void in_killed_process(const std::string& path, Work work) {
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    auto store = Store::open(path);
    if (!store) ::_exit(1);
    work(**store);
    ::kill(::getpid(), SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
}

TEST(Store, RefusesAFileOfANewerController) {
  TempDir directory;
  open_store(directory / "db");
  {
    auto store = open_store(directory / "db");
    const auto version = store->schema_version();
    ASSERT_TRUE(version.has_value());
    EXPECT_GE(*version, 1);
  }
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    // The one setting that a newer program would leave, at its place in the file's header.
    FILE* file = std::fopen((directory / "db").c_str(), "r+b");
    if (file == nullptr) ::_exit(1);
    std::fseek(file, 60, SEEK_SET);
    const unsigned char newer[4] = {0, 0, 0, 99};
    std::fwrite(newer, 1, 4, file);
    std::fclose(file);
    ::_exit(0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_EQ(status, 0);
  const auto refused = Store::open(directory / "db");
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, proto::Code::not_supported);
  EXPECT_NE(refused.error().what.find("newer controller (schema 99"), std::string::npos)
      << refused.error().what;
}

TEST(Store, NamesAPathThatCannotBeOpened) {
  const auto store = Store::open("/nonexistent/controller.db");
  ASSERT_FALSE(store.has_value());
  EXPECT_EQ(store.error().code, proto::Code::io);
  EXPECT_NE(store.error().what.find("/nonexistent/controller.db"), std::string::npos);
}

TEST(Store, KeepsWhatWasCommittedWhenItIsKilled) {
  TempDir directory;
  open_store(directory / "db");
  in_killed_process(directory / "db", [](Store& store) {
    Store::Transaction transaction(store);
    if (!store.add_device(device_row("id-1", "edge-1"))) ::_exit(1);
    if (!transaction.commit()) ::_exit(1);
  });
  auto store = open_store(directory / "db");
  const auto row = store->device_by_name("edge-1");
  ASSERT_TRUE(row.has_value() && row->has_value());
  EXPECT_EQ((*row)->id, "id-1");
  EXPECT_EQ((*row)->facts.inventory().board(), "x86_64-generic");
}

TEST(Store, ForgetsWhatWasNotCommittedWhenItIsKilled) {
  TempDir directory;
  open_store(directory / "db");
  in_killed_process(directory / "db", [](Store& store) {
    Store::Transaction transaction(store);
    if (!store.add_device(device_row("id-1", "edge-1"))) ::_exit(1);
    if (!store.add_metadata("root", 1, "{}")) ::_exit(1);
  });
  auto store = open_store(directory / "db");
  const auto row = store->device("id-1");
  ASSERT_TRUE(row.has_value());
  EXPECT_FALSE(row->has_value());
  const auto root = store->metadata("root");
  ASSERT_TRUE(root.has_value());
  EXPECT_FALSE(root->has_value());
}

TEST(Store, ATransactionThatIsDroppedLeavesNothing) {
  auto store = open_store(":memory:");
  {
    Store::Transaction transaction(*store);
    ASSERT_TRUE(store->set_setting("name", "value").has_value());
  }
  const auto value = store->setting("name");
  ASSERT_TRUE(value.has_value());
  EXPECT_FALSE(value->has_value());
}

TEST(Store, TellsAKeyThatIsThereTwice) {
  auto store = open_store(":memory:");
  ASSERT_TRUE(store->add_device(device_row("id-1", "edge-1")).has_value());
  const Status again = store->add_device(device_row("id-2", "edge-1"));
  ASSERT_FALSE(again.has_value());
  EXPECT_EQ(again.error().code, proto::Code::already_exists);
}

TEST(Store, GroupsAndLabelsMakeSubjects) {
  auto store = open_store(":memory:");
  ASSERT_TRUE(store->add_device(device_row("id-2", "edge-2")).has_value());
  ASSERT_TRUE(store->add_device(device_row("id-1", "edge-1")).has_value());
  ASSERT_TRUE(store->add_group("id-1", "edge").has_value());
  ASSERT_TRUE(store->add_group("id-1", "edge").has_value()) << "twice is once";
  ASSERT_TRUE(store->set_label("id-1", "site", "paris").has_value());
  ASSERT_TRUE(store->set_label("id-1", "site", "lyon").has_value());
  ASSERT_TRUE(store->set_label("id-2", "role", "spare").has_value());
  ASSERT_TRUE(store->remove_label("id-2", "role").has_value());
  const auto subjects = store->subjects();
  ASSERT_TRUE(subjects.has_value());
  ASSERT_EQ(subjects->size(), 2u);
  EXPECT_EQ((*subjects)[0].name, "edge-1");
  EXPECT_EQ((*subjects)[0].groups, std::vector<std::string>{"edge"});
  EXPECT_EQ((*subjects)[0].labels.at("site"), "lyon");
  EXPECT_TRUE((*subjects)[1].labels.empty());
  const auto one = store->subject("id-1");
  ASSERT_TRUE(one.has_value());
  EXPECT_EQ(one->labels.at("site"), "lyon");
}

TEST(Store, ARevokedDeviceIsGoneFromTheFleetAndItsNameIsFree) {
  auto store = open_store(":memory:");
  ASSERT_TRUE(store->add_device(device_row("id-1", "edge-1")).has_value());
  v1::DesiredApp wish;
  wish.set_app("dns");
  ASSERT_TRUE(store->set_desired("id-1", wish).has_value());
  ASSERT_TRUE(store->revoke_device("id-1").has_value());
  ASSERT_TRUE(store->revoke_device("id-1").has_value()) << "twice is once";
  EXPECT_TRUE(store->subjects()->empty());
  EXPECT_TRUE(store->desired("id-1")->empty());
  const auto row = store->device("id-1");
  ASSERT_TRUE(row.has_value() && row->has_value()) << "the certificate stays known";
  EXPECT_TRUE((*row)->revoked);
  EXPECT_TRUE(store->add_device(device_row("id-2", "edge-1")).has_value());
  EXPECT_EQ(store->devices()->size(), 1u);
  EXPECT_EQ(store->devices(true)->size(), 2u);
}

TEST(Store, WishesComeBackAsTheyWere) {
  auto store = open_store(":memory:");
  v1::DesiredApp wish;
  wish.set_app("dns");
  wish.set_release(3);
  wish.set_run(v1::STOP);
  wish.set_restart_count(4);
  wish.set_fall_back(2);
  wish.set_attempt("abcdefghijklmnop");
  wish.set_rollout("r-7");
  wish.set_deadline_ms(600000);
  ASSERT_TRUE(store->set_desired("id-1", wish).has_value());
  const auto found = store->desired_app("id-1", "dns");
  ASSERT_TRUE(found.has_value() && found->has_value());
  EXPECT_EQ((*found)->SerializeAsString(), wish.SerializeAsString());
  ASSERT_TRUE(store->remove_desired("id-1", "dns").has_value());
  EXPECT_FALSE((*store->desired_app("id-1", "dns")).has_value());
}

TEST(Store, GenerationsOnlyRise) {
  auto store = open_store(":memory:");
  ASSERT_TRUE(store->add_device(device_row("id-1", "edge-1")).has_value());
  EXPECT_EQ(*store->next_generation("id-1", {0, false}), 1);
  EXPECT_EQ(*store->next_generation("id-1", {0, true}), 2);
  EXPECT_EQ(*store->next_generation("id-1", {9, false}), 9);
  EXPECT_EQ(*store->next_generation("id-1", {3, false}), 10);
  EXPECT_EQ((*store->device("id-1"))->generation_told, 2) << "what was only raised was not told";
  ASSERT_TRUE(store->set_told("id-1").has_value());
  EXPECT_EQ((*store->device("id-1"))->generation_told, 10);
  ASSERT_TRUE(store->set_report_sequence("id-1", 9, 2).has_value());
  ASSERT_TRUE(store->set_report_sequence("id-1", 10, 1).has_value());
  const auto row = store->device("id-1");
  EXPECT_EQ((*row)->report_sequence, 10);
  EXPECT_EQ((*row)->generation_applied, 2) << "a late report of an older one lowers nothing";
}

TEST(Store, ServesMetadataByteForByteAndTrimsTheOld) {
  auto store = open_store(":memory:");
  const std::string text = "{\"signed\": \"\\u00e9 \xc3\xa9\",  \"x\":1}\n";
  for (int version = 1; version <= 5; ++version) {
    ASSERT_TRUE(store->add_metadata("snapshot", version, text + std::to_string(version)));
  }
  ASSERT_TRUE(store->add_metadata("root", 1, text).has_value());
  EXPECT_EQ(**store->metadata("snapshot"), text + "5");
  EXPECT_EQ(**store->metadata("snapshot", 2), text + "2");
  ASSERT_TRUE(store->trim_metadata("snapshot", 2).has_value());
  EXPECT_FALSE((*store->metadata("snapshot", 3)).has_value());
  EXPECT_TRUE((*store->metadata("snapshot", 4)).has_value());
  EXPECT_EQ(**store->metadata("root"), text);
  EXPECT_EQ(*store->metadata_roles(), (std::vector<std::string>{"root", "snapshot"}));
  EXPECT_FALSE(store->add_metadata("root", 1, "other").has_value()) << "never over an older one";
}

TEST(Store, RolloutsAndTheirDevicesComeBack) {
  auto store = open_store(":memory:");
  rollout::Rollout value;
  value.number = *store->next_rollout_number();
  EXPECT_EQ(value.number, 1);
  value.app = "dns";
  value.release = 2;
  value.previous_release = 1;
  value.selector = "edge";
  value.by = "ana";
  value.created_ms = 77;
  value.first_failure = "edge-1 reverted";
  value.counts.set_devices(1);
  value.require_all = true;
  ASSERT_TRUE(store->add_rollout(value).has_value());
  rollout::Device row;
  row.id = "id-1";
  row.attempt = "attempt";
  row.before = {true, 1, v1::STOP};
  row.row.set_device("edge-1");
  row.row.set_state(v1::OFFERED);
  row.deadline_ms = 500;
  ASSERT_TRUE(store->add_rollout_device(1, "dns", row).has_value());

  EXPECT_EQ(*store->next_rollout_number(), 2);
  const auto found = store->rollout(1);
  ASSERT_TRUE(found.has_value() && found->has_value());
  EXPECT_EQ((*found)->first_failure, "edge-1 reverted");
  EXPECT_EQ((*found)->counts.devices(), 1u);
  EXPECT_TRUE((*found)->require_all);
  EXPECT_EQ((*found)->created_ms, 77);
  const auto device_row = store->rollout_device(1, "id-1");
  ASSERT_TRUE(device_row.has_value() && device_row->has_value());
  EXPECT_EQ((*device_row)->before.run, v1::STOP);
  EXPECT_EQ((*device_row)->row.state(), v1::OFFERED);
  EXPECT_EQ(*store->rollout_of_attempt("id-1", "attempt"), 1);
  EXPECT_EQ(*store->rollout_of_attempt("id-2", "attempt"), 0) << "of another device";
  EXPECT_TRUE(store->due(499)->empty());
  EXPECT_EQ(store->due(500)->size(), 1u);
  EXPECT_EQ(*store->open_rollouts_of("id-1"), std::vector<std::int64_t>{1});
  row.row.set_state(v1::HEALTHY);
  row.ended = true;
  row.deadline_ms = 0;
  ASSERT_TRUE(store->set_rollout_device(1, row).has_value());
  EXPECT_TRUE(store->open_rollouts_of("id-1")->empty());
  EXPECT_TRUE(store->due(10000)->empty());
  value.state = v1::ROLLOUT_SUCCEEDED;
  ASSERT_TRUE(store->set_rollout(value).has_value());
  EXPECT_TRUE(store->running_rollouts()->empty());
  EXPECT_EQ(store->rollouts_of("dns", v1::ROLLOUT_SUCCEEDED)->size(), 1u);
  EXPECT_EQ(store->rollouts(10)->size(), 1u);
}

// A batch moves the counts of one rollout hundreds of times: they are written once.
TEST(Store, ARolloutOfATransactionIsSeenInItAndGoneWithIt) {
  auto store = open_store(":memory:");
  rollout::Rollout value;
  value.number = 1;
  value.app = "dns";
  ASSERT_TRUE(store->add_rollout(value).has_value());
  {
    Store::Transaction transaction(*store);
    value.verdict = "moved";
    value.state = v1::ROLLOUT_SUCCEEDED;
    ASSERT_TRUE(store->set_rollout(value).has_value());
    EXPECT_EQ((*store->rollout(1))->verdict, "moved");
    EXPECT_TRUE(store->running_rollouts()->empty()) << "also for who asks for all";
    EXPECT_EQ(store->rollouts(1)->front().verdict, "moved");
  }
  EXPECT_EQ((*store->rollout(1))->verdict, "") << "it was not committed";
  EXPECT_EQ(store->running_rollouts()->size(), 1u);
  Store::Transaction transaction(*store);
  ASSERT_TRUE(store->set_rollout(value).has_value());
  ASSERT_TRUE(transaction.commit().has_value());
  EXPECT_EQ((*store->rollout(1))->verdict, "moved");
  EXPECT_EQ(store->rollouts_of("dns", v1::ROLLOUT_SUCCEEDED)->size(), 1u);
}

TEST(Store, FactsOfATransactionThatFailsAreThoseOfTheFile) {
  auto store = open_store(":memory:");
  ASSERT_TRUE(store->add_device(device_row("id-1", "edge-1")).has_value());
  v1::Telemetry facts;
  facts.mutable_inventory()->set_board("other");
  {
    Store::Transaction transaction(*store);
    ASSERT_TRUE(store->set_facts("id-1", facts, 7).has_value());
    EXPECT_EQ((*store->device("id-1"))->facts.inventory().board(), "other");
  }
  EXPECT_EQ((*store->device("id-1"))->facts.inventory().board(), "x86_64-generic");
  EXPECT_EQ((*store->device("id-1"))->seen_ms, 0);
  facts.mutable_inventory()->set_kernel(std::string(kFactsInMemoryBytes, 'k'));
  EXPECT_FALSE(store->hold_facts("id-1", facts, 7)) << "too large for memory";
}

EventRow event(std::int64_t id, const std::string& app, std::int64_t rollout) {
  EventRow row;
  row.rollout = rollout;
  row.event.set_id(static_cast<std::uint64_t>(id));
  row.event.set_app(app);
  row.event.set_kind("test.happened");
  return row;
}

TEST(Store, EventsAreARingThatFiltersCanRead) {
  auto store = open_store(":memory:");
  EXPECT_EQ(*store->last_event_id(), 0);
  Store::Transaction transaction(*store);
  for (std::int64_t id = 1; id <= kEventsKept + 10; ++id) {
    ASSERT_TRUE(store->add_event(event(id, id % 2 == 0 ? "dns" : "web", id % 5)).has_value());
  }
  ASSERT_TRUE(transaction.commit().has_value());
  EXPECT_EQ(*store->last_event_id(), kEventsKept + 10);
  EXPECT_LE(*store->oldest_event_id(), 11) << "the newest are all there";
  EXPECT_GT(*store->oldest_event_id(), 11 - 100) << "and not many more";
  const auto after = store->events_after(kEventsKept, {}, 100);
  ASSERT_EQ(after->size(), 10u);
  EXPECT_EQ(after->front().event.id(), static_cast<std::uint64_t>(kEventsKept + 1));
  EXPECT_EQ(store->events_after(kEventsKept, {0, "dns", ""}, 100)->size(), 5u);
  EXPECT_EQ(store->events_after(kEventsKept, {3, "", ""}, 100)->size(), 2u);
  const auto recent = store->recent_events({}, 3);
  ASSERT_EQ(recent->size(), 3u);
  EXPECT_EQ(recent->back().event.id(), static_cast<std::uint64_t>(kEventsKept + 10));
}

TEST(Store, TokensAreFoundByHashAlone) {
  auto store = open_store(":memory:");
  ASSERT_TRUE(store->add_api_token("hash", {"ana", "deployer", {}, 1}).has_value());
  const auto found = store->api_token("hash");
  ASSERT_TRUE(found.has_value() && found->has_value());
  EXPECT_EQ((*found)->name, "ana");
  EXPECT_EQ((*found)->role, "deployer");
  EXPECT_FALSE((*store->api_token("other")).has_value());
  EnrollTokenRow token;
  token.id = "t";
  token.hash = "h";
  token.group = "edge";
  token.labels = {{"site", "lyon"}};
  token.uses = 2;
  token.expires_ms = 99;
  ASSERT_TRUE(store->add_enroll_token(token).has_value());
  const auto row = store->enroll_token("h");
  ASSERT_TRUE(row.has_value() && row->has_value());
  EXPECT_EQ((*row)->labels.at("site"), "lyon");
  ASSERT_TRUE(store->add_enroll_use("t", "key", "id-1").has_value());
  EXPECT_EQ(*store->enroll_use_count("t"), 1);
  EXPECT_EQ(**store->enroll_use("t", "key"), "id-1");
  EXPECT_FALSE((*store->enroll_use("t", "other")).has_value());
}

// A store of the first schema, with a token and a device, is taken over as it is.
TEST(Store, AStoreOfTheFirstSchemaKeepsItsTokensAndDevices) {
  TempDir directory;
  const std::string path = directory / "db";
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    soci::session sql(soci::sqlite3, "dbname=" + path);
    auto* backend = static_cast<soci::sqlite3_session_backend*>(sql.get_backend());
    std::string text(kSchemaFiles[0].text());
    text += "INSERT INTO api_tokens VALUES ('hash', 'ana', 'deployer', 7);"
            "INSERT INTO devices (id, name, public_key, enrolled_ms, certificate_until_ms) "
            "VALUES ('id-1', 'edge-1', 'key', 1, 2); PRAGMA user_version = 1;";
    const int made =
        sqlite_api::sqlite3_exec(backend->conn_, text.c_str(), nullptr, nullptr, nullptr);
    ::_exit(made);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_EQ(status, 0);
  auto store = open_store(path);
  EXPECT_EQ(*store->schema_version(), static_cast<std::int64_t>(kSchemaFiles_count));
  const auto token = store->api_token("hash");
  ASSERT_TRUE(token.has_value() && token->has_value());
  EXPECT_EQ((*token)->name, "ana");
  EXPECT_EQ((*token)->created_ms, 7);
  EXPECT_TRUE((*token)->groups.empty()) << "it stays one for the whole fleet";
  EXPECT_EQ((*token)->expires_ms, 0);
  EXPECT_EQ(store->device_audit("id-1")->sequence(), 0u);
  EXPECT_EQ(store->audit_head()->sequence(), 0u);
}

TEST(Store, ATokensGroupsComeBack) {
  auto store = open_store(":memory:");
  ASSERT_TRUE(store->add_api_token("h", {"ana", "viewer", {"edge", "lab"}, 3, 9, "bo"}));
  const auto token = **store->api_token("h");
  EXPECT_EQ(token.groups, (std::vector<std::string>{"edge", "lab"}));
  EXPECT_EQ(token.expires_ms, 9);
  EXPECT_EQ(token.by, "bo");
  ASSERT_TRUE(store->remove_api_token("ana").has_value());
  EXPECT_TRUE(store->api_tokens()->empty());
}

// Whoever has the store's file and its code still cannot change what was written.
TEST(Store, TheAuditLogIsOnlyAddedTo) {
  auto store = open_store(":memory:");
  {
    Store::Transaction transaction(*store);
    v1::AuditEntry entry;
    entry.set_sequence(1);
    entry.set_who("ana");
    entry.set_hash("h");
    ASSERT_TRUE(store->add_audit(entry).has_value());
    EXPECT_FALSE(store->add_audit(entry).has_value());
    ASSERT_TRUE(transaction.commit().has_value());
  }
  for (const char* sql : {"UPDATE audit SET who = 'eve'", "DELETE FROM audit"}) {
    EXPECT_ANY_THROW(store->session().sql << sql) << sql;
  }
  EXPECT_EQ(store->audit({})->front().who(), "ana");
}

}  // namespace
}  // namespace controller
