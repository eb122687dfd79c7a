// The audit log: what gets into it, with the change or not at all, and that its chain holds.
#include "controller/audit.h"

#include <functional>
#include <map>

#include "ota/audit_chain.h"
#include "proto/json.h"
#include "tests/unit/controller/api_world.h"

namespace controller {
namespace {

struct AuditTest : ::testing::Test, ApiWorld {
  std::vector<v1::AuditEntry> all() { return *world.store->audit({}); }
  v1::AuditEntry newest() { return all().front(); }
  std::size_t count(const std::string& action) {
    std::size_t found = 0;
    for (const v1::AuditEntry& entry : all()) found += entry.action() == action ? 1 : 0;
    return found;
  }
  std::uint64_t newest_of(const std::string& action) {
    Store::AuditQuestion question;
    question.action = action;
    return world.store->audit(question)->front().sequence();
  }
  void expect_sound() {
    std::string previous(ota::kAuditStart);
    std::uint64_t sequence = 0;
    auto entries = all();
    for (auto entry = entries.rbegin(); entry != entries.rend(); ++entry) {
      EXPECT_EQ(entry->sequence(), ++sequence);
      EXPECT_EQ(entry->hash(), ota::audit_hash(previous, *entry)) << sequence;
      previous = entry->hash();
    }
    EXPECT_EQ(world.store->audit_head()->hash(), previous);
  }
};

TEST(AuditChain, AnyOtherFieldIsAnotherHash) {
  v1::AuditEntry entry;
  entry.set_sequence(2);
  entry.set_who("ana");
  entry.set_action("token.created");
  const std::string hash = ota::audit_hash(ota::kAuditStart, entry);
  EXPECT_EQ(hash.size(), 64u);
  EXPECT_NE(ota::audit_hash(hash, entry), hash) << "of another one before it";
  const std::function<void(v1::AuditEntry&)> changes[] = {
      [](v1::AuditEntry& e) { e.set_sequence(3); }, [](v1::AuditEntry& e) { e.set_at_ms(1); },
      [](v1::AuditEntry& e) { e.set_who("an"); },   [](v1::AuditEntry& e) { e.set_from("a"); },
      [](v1::AuditEntry& e) { e.set_action("token.create"); },
      [](v1::AuditEntry& e) { e.set_object("d"); }, [](v1::AuditEntry& e) { e.set_detail("d"); },
      // Bytes that move from one field to the next.
      [](v1::AuditEntry& e) { e.set_who("an"), e.set_from("a"); }};
  for (const auto& change : changes) {
    v1::AuditEntry other = entry;
    change(other);
    EXPECT_NE(ota::audit_hash(ota::kAuditStart, other), hash);
  }
  v1::AuditEntry same = entry;
  same.set_hash("whatever");
  EXPECT_EQ(ota::audit_hash(ota::kAuditStart, same), hash);
}

TEST_F(AuditTest, EveryChangeOfAnOperatorIsToldOnceWithWhoAndFrom) {
  world.set_up_trust();
  world.enroll("edge-1");
  const auto push = proto::to_json(world.next_push("edge"));
  struct Told {
    const char* action;
    const char* object;
    Request request;
  };
  Request deploy = request("POST", "/v1/pushes", "deployer", *push);
  deploy.idempotency_key = "once";
  const Told cases[] = {
      {"rollout.started", "r-1", deploy},
      {"rollout.aborted", "r-1", request("POST", "/v1/rollouts/r-1/abort", "deployer")},
      {"rollout.started", "r-2",
       request("POST", "/v1/orders", "deployer",
               R"({"app": "dns", "selector": "edge-1", "kind": "ORDER_STOP"})")},
      {"device.labelled", "edge-1",
       request("PATCH", "/v1/devices/edge-1", "deployer", R"({"set": {"site": "lyon"}})")},
      {"token.created", "bo", request("POST", "/v1/tokens", "admin",
                                      R"({"name": "bo", "role": "viewer", "groups": ["edge"]})")},
      {"token.revoked", "bo", request("DELETE", "/v1/tokens/bo", "admin")},
      {"enroll_token.made", "", request("POST", "/v1/enroll-tokens", "admin", "{}")},
      {"online_key.made", "timestamp", request("POST", "/v1/online-keys/timestamp", "admin")},
      {"device.removed", "edge-1", request("DELETE", "/v1/devices/edge-1", "admin")},
  };
  // The desired app of the aborted push is gone; an order needs one that is there.
  for (const Told& told : cases) {
    if (std::string(told.object) == "r-2") {
      ASSERT_TRUE(world.push(world.next_push("edge")).has_value());
    }
    const std::string object = std::string(told.object) == "r-2" ? "r-3" : told.object;
    const std::size_t before = count(told.action);
    Request head = told.request;
    head.remote_address = "192.0.2.7:40001";
    const Response response = ask(head);
    ASSERT_LT(response.status, 300) << told.action << " " << response.body;
    ASSERT_EQ(count(told.action), before + 1) << told.action;
    for (const v1::AuditEntry& entry : all()) {
      if (entry.action() != told.action) continue;
      EXPECT_EQ(entry.who(), told.request.bearer);
      EXPECT_EQ(entry.from(), "192.0.2.7");
      if (!object.empty()) {
        EXPECT_EQ(entry.object(), object);
      }
      EXPECT_GT(entry.at_ms(), 0u);
      break;
    }
  }
  EXPECT_EQ(ask(deploy).status, 201) << "the same push again";
  EXPECT_EQ(count("rollout.started"), 3u) << "and no other entry";
  EXPECT_EQ(count("metadata.uploaded"), 2u) << "root and targets";
  EXPECT_EQ(count("device.enrolled"), 1u);
  EXPECT_GE(count("rollout.ended"), 1u);
  EXPECT_EQ(all().back().action(), "token.created") << "of init";
  expect_sound();
}

TEST_F(AuditTest, ItIsAskedForATokenAnActionOrAnObjectAndPageByPage) {
  world.set_up_trust();
  world.enroll("edge-1");
  world.enroll("edge-2");
  const std::string label = R"({"set": {"site": "lyon"}})";
  for (const char* name : {"edge-1", "edge-2"}) {
    ASSERT_EQ(ask("PATCH", std::string("/v1/devices/") + name, "deployer", label).status, 200);
  }
  ASSERT_EQ(ask("PATCH", "/v1/devices/edge-1", "admin", label).status, 200);
  const auto asked = [&](const std::map<std::string, std::string>& query) {
    Request head = request("GET", "/v1/audit", "viewer");
    for (const auto& [name, value] : query) head.query[name] = value;
    std::string text;
    const auto page = proto::from_json<v1::AuditPage>(ask(head).body);
    for (const v1::AuditEntry& entry : page->entries()) {
      text += entry.who() + " " + entry.object() + ", ";
    }
    return text;
  };
  EXPECT_EQ(asked({{"who", "deployer"}}), "deployer edge-2, deployer edge-1, ");
  EXPECT_EQ(asked({{"action", "device.labelled"}}),
            "admin edge-1, deployer edge-2, deployer edge-1, ");
  EXPECT_EQ(asked({{"action", "device.labelled"}, {"object", "edge-1"}}),
            "admin edge-1, deployer edge-1, ");
  EXPECT_EQ(asked({{"who", "deployer"}, {"object", "edge-1"}, {"action", "device.labelled"}}),
            "deployer edge-1, ");
  EXPECT_EQ(asked({{"who", "deployer' OR 1"}}), "");
  const std::string newest = std::to_string(newest_of("device.labelled"));
  EXPECT_EQ(asked({{"action", "device.labelled"}, {"limit", "1"}}), "admin edge-1, ");
  EXPECT_EQ(asked({{"action", "device.labelled"}, {"limit", "1"}, {"before", newest}}),
            "deployer edge-2, ");
}

TEST_F(AuditTest, WhatIsRefusedChangesNothingAndIsNotTold) {
  world.set_up_trust();
  world.enroll("edge-1");
  const std::size_t before = all().size();
  EXPECT_EQ(ask("POST", "/v1/pushes", "deployer", R"({"app": "dns", "selector": "edge"})").status,
            422);
  EXPECT_EQ(ask("PATCH", "/v1/devices/edge-1", "deployer", R"({"set": {"a b": "c"}})").status, 400);
  const std::string token = R"({"name": "bo", "role": "admin"})";
  EXPECT_EQ(ask("POST", "/v1/tokens", "deployer", token).status, 403);
  EXPECT_EQ(ask("POST", "/v1/online-keys/targets", "admin").status, 400);
  EXPECT_EQ(all().size(), before);
}

TEST_F(AuditTest, NoSecretIsInIt) {
  world.set_up_trust();
  const auto token = world.token();
  world.enroll("edge-1");
  const Response made =
      ask("POST", "/v1/tokens", "admin", R"({"name": "bo", "role": "viewer"})");
  const std::string secret = proto::from_json<v1::Token>(made.body)->secret();
  ask("GET", "/v1/status", "a-wrong-token");
  std::string text;
  for (const v1::AuditEntry& entry : all()) text += *proto::to_json(entry);
  for (const std::string& word :
       {secret, token.bootstrap().token(), std::string("a-wrong-token"),
        ota::hash_token(secret).hex(), ota::hash_token("a-wrong-token").hex()}) {
    EXPECT_EQ(text.find(word), std::string::npos);
  }
}

TEST_F(AuditTest, RefusedLoginsAreCountedAndDoNotFillTheDisk) {
  for (int i = 0; i < 50; ++i) {
    Request head = request("GET", "/v1/status", "wrong");
    head.remote_address = "[2001:db8::9]:40001";
    EXPECT_EQ(ask(head).status, 401);
  }
  EXPECT_EQ(ask("GET", "/v1/status", "").status, 401) << "nobody tried to log in";
  EXPECT_EQ(count("login.refused"), 1u);
  world.clock.advance(kRefusedEveryMs);
  ASSERT_TRUE(world.fleet->tick().has_value());
  ASSERT_EQ(count("login.refused"), 2u);
  EXPECT_EQ(newest().detail(), "49 requests without a token that is known here");
  EXPECT_EQ(newest().from(), "2001:db8::9");
  EXPECT_EQ(newest().who(), "");
  world.clock.advance(kRefusedEveryMs);
  ASSERT_TRUE(world.fleet->tick().has_value());
  EXPECT_EQ(count("login.refused"), 2u) << "none came";
}

TEST_F(AuditTest, AnEntryIsThereWithItsChangeOrNotAtAll) {
  const std::size_t before = all().size();
  {
    Store::Transaction transaction(*world.store);
    ASSERT_TRUE(world.fleet->audit().record({"ana", "device.removed", "edge-1"}).has_value());
  }
  EXPECT_EQ(all().size(), before);
  expect_sound();
}

TEST_F(AuditTest, TextIsBoundedAndPlain) {
  Store::Transaction transaction(*world.store);
  const std::string e = "\xc3\xa9";
  std::string detail = "a\nb\x1b" + std::string(600, 'x');
  ASSERT_TRUE(world.fleet->audit().record({"ana", "a.b", e + "\xff", detail}).has_value());
  EXPECT_EQ(newest().detail(), "a b " + std::string(kMaxAuditDetail - 4, 'x'));
  EXPECT_EQ(newest().object(), e + " ");
}

TEST_F(AuditTest, PagesGoBackFromTheNewest) {
  Store::Transaction transaction(*world.store);
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(world.fleet->audit().record({"ana", "a.b", std::to_string(i)}).has_value());
  }
  ASSERT_TRUE(transaction.commit().has_value());
  Request head = request("GET", "/v1/audit", "viewer");
  head.query["limit"] = "3";
  const auto first = proto::from_json<v1::AuditPage>(ask(head).body);
  ASSERT_EQ(first->entries_size(), 3);
  EXPECT_EQ(first->entries(0).sequence(), first->head().sequence());
  EXPECT_EQ(first->entries(0).hash(), first->head().hash());
  head.query["before"] = std::to_string(first->entries(2).sequence());
  const auto second = proto::from_json<v1::AuditPage>(ask(head).body);
  EXPECT_EQ(second->entries(0).sequence(), first->entries(2).sequence() - 1);
  for (const auto& [name, value] : {std::pair{"limit", "0"}, {"limit", "x"}, {"before", "-1"}}) {
    Request wrong = request("GET", "/v1/audit", "viewer");
    wrong.query[name] = value;
    EXPECT_EQ(ask(wrong).status, 400) << name << value;
  }
}

TEST_F(AuditTest, TheStoreItselfLetsNobodyChangeOrShortenIt) {
  ASSERT_FALSE(all().empty());
  Store::Transaction transaction(*world.store);
  v1::AuditEntry again = newest();
  again.set_who("eve");
  EXPECT_FALSE(world.store->add_audit(again).has_value()) << "that sequence is there";
}

// --- what devices keep

v1::AuditHead head_of(std::uint64_t sequence, const std::string& hash) {
  v1::AuditHead head;
  head.set_sequence(sequence);
  head.set_hash(hash);
  return head;
}

TEST_F(AuditTest, ADeviceWhoseHeadIsNotOfThisLogIsShownAndKeepsIt) {
  world.set_up_trust();
  const std::string id = world.enroll("edge-1");
  EXPECT_EQ(world.fleet->desired_of(id)->audit_head().hash(), world.store->audit_head()->hash());
  const auto heads = all();
  ASSERT_TRUE(world.store->set_device_audit(id, head_of(heads[1].sequence(), heads[1].hash())));
  EXPECT_TRUE(world.store->audit_strangers()->empty()) << "an older one of ours";
  const std::string other(64, 'a');
  for (const v1::AuditHead& strange :
       {head_of(heads[1].sequence(), other), head_of(heads[0].sequence() + 100, other)}) {
    ASSERT_TRUE(world.store->set_device_audit(id, strange).has_value());
    EXPECT_EQ(*world.store->audit_strangers(), std::vector<std::string>{"edge-1"});
    EXPECT_FALSE(world.fleet->desired_of(id)->has_audit_head()) << "its evidence stays with it";
    const auto status =
        proto::from_json<v1::ServerStatus>(ask("GET", "/v1/status", "viewer").body);
    ASSERT_EQ(status->audit_strange_size(), 1);
    EXPECT_TRUE(proto::from_json<v1::Device>(ask("GET", "/v1/devices/edge-1", "viewer").body)
                    ->audit_strange());
    EXPECT_NE(ask("GET", "/metrics", "viewer").body.find("fleet_audit_strange_devices 1\n"),
              std::string::npos);
  }
  EXPECT_EQ(ask("POST", "/v1/audit/accept", "deployer").status, 403);
  EXPECT_EQ(ask("POST", "/v1/audit/accept", "admin").status, 200);
  EXPECT_TRUE(world.store->audit_strangers()->empty());
  EXPECT_EQ(newest().action(), "audit.accepted");
  EXPECT_EQ(newest().detail(), "edge-1");
  EXPECT_TRUE(world.fleet->desired_of(id)->has_audit_head());
  ASSERT_TRUE(world.store->set_device_audit(id, head_of(7, std::string(64, 'b'))).has_value());
  EXPECT_EQ(world.store->audit_strangers()->size(), 1u) << "another one is news again";
}

TEST_F(AuditTest, StaysWholeAfterARestart) {
  world.set_up_trust();
  world.enroll("edge-1");
  const auto head = *world.store->audit_head();
  sessions.reset();
  operators.reset();
  devices.reset();
  world.restart();
  EXPECT_EQ(world.store->audit_head()->hash(), head.hash());
  expect_sound();
}

}  // namespace
}  // namespace controller
