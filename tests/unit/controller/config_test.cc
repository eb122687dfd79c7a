// Values per device: where they come from, that a change is whole or none, and what a device that
// does not become healthy with them leaves.
#include "controller/config.h"

#include "ota/keys_sealing.h"
#include "tests/unit/controller/world.h"

namespace controller {
namespace {

using proto::Code;
using Given = std::map<std::string, std::string>;

struct ConfigTest : ::testing::Test {
  World world;
  ota::SealingKey key = ota::SealingKey::generate();

  ConfigTest() {
    world.set_up_trust();
    for (const char* name : {"edge-1", "edge-2"}) {
      world.enroll(name);
      world.online(name);
    }
    v1::Var www;
    www.set_type(v1::VAR_IPV4);
    www.set_default_("192.0.2.80");
    v1::Var site;
    site.set_type(v1::VAR_STRING);
    site.set_from("label:site");
    site.set_default_("nowhere");
    site.set_max_length(8);
    v1::Var tsig;
    tsig.set_type(v1::VAR_SECRET);
    world.next_vars = {{"www", www}, {"site", site}, {"tsig", tsig}};
    EXPECT_TRUE(world.store->set_label(world.id_of("edge-1"), "site", "lyon").has_value());
  }
  void release(std::uint64_t number) {
    ASSERT_TRUE(world.push(world.next_push("edge")).has_value());
    for (const char* name : {"edge-1", "edge-2"}) healthy(name, number);
  }
  void healthy(const char* name, std::uint64_t number) {
    ASSERT_TRUE(world.report(name, v1::HEALTHY, number).has_value());
  }
  Result<Config::Changed> ask(const v1::ConfigChange& change, const Asker& by = "ana") {
    Config config(*world.store, *world.fleet, *world.pushes);
    return config.change("dns", change, by, world.nearest);
  }
  Result<Config::Changed> set(const std::string& selector, const Given& values) {
    v1::ConfigChange change;
    change.set_selector(selector);
    change.mutable_set()->insert(values.begin(), values.end());
    return ask(change);
  }
  v1::ConfigChange sealed(const std::vector<std::string>& names, const std::string& selector) {
    v1::ConfigChange change;
    change.set_selector(selector);
    for (const std::string& name : names) {
      const std::string id = world.id_of(name);
      v1::SealedValue& value = *change.add_sealed();
      value.set_device_id(id);
      value.set_name("tsig");
      const std::string bytes(key.public_bytes().begin(), key.public_bytes().end());
      value.set_value(*ota::seal(bytes, {id, "dns", "tsig"}, ota::Secret("hush")));
    }
    return change;
  }
  // "VALUE SOURCE" as it is listed.
  std::string listed(const std::string& name, const std::string& of) {
    Config config(*world.store, *world.fleet, *world.pushes);
    const auto shown = config.show(*world.store->subject(world.id_of(name)), "dns");
    EXPECT_TRUE(shown.has_value());
    for (const v1::ConfigValue& one : shown->values()) {
      if (one.name() == of) return one.value() + " " + v1::ValueSource_Name(one.source());
    }
    return "";
  }
  std::string wanted(const std::string& name, const std::string& of) {
    const auto wish = world.wish(name);
    return wish && wish->overrides().count(of) == 1 ? wish->overrides().at(of) : "";
  }
};

TEST_F(ConfigTest, APushBringsWhatWasSetElseTheLabelElseNothing) {
  release(1);
  EXPECT_EQ(wanted("edge-1", "site"), "lyon");
  EXPECT_EQ(wanted("edge-2", "site"), "");  // its default is signed
  EXPECT_EQ(wanted("edge-1", "www"), "");
  EXPECT_EQ(listed("edge-1", "site"), "lyon VALUE_LABEL");
  EXPECT_EQ(listed("edge-2", "site"), "nowhere VALUE_DEFAULT");
  ASSERT_TRUE(set("edge-1", {{"site", "paris"}}).has_value());
  EXPECT_EQ(wanted("edge-1", "site"), "paris");
  EXPECT_EQ(listed("edge-1", "site"), "paris VALUE_SET");
  healthy("edge-1", 1);
  release(2);
  EXPECT_EQ(wanted("edge-1", "site"), "paris");
}

TEST_F(ConfigTest, ADeviceThatJoinsGetsItsValues) {
  release(1);
  world.enroll("edge-3");
  EXPECT_EQ(wanted("edge-3", "site"), "");
  ASSERT_TRUE(set("edge-3", {{"www", "192.0.2.3"}}).has_value());
  world.online("edge-3");
  EXPECT_EQ(wanted("edge-3", "www"), "192.0.2.3");
}

TEST_F(ConfigTest, AChangeIsForAllDevicesOrNone) {
  release(1);
  const auto before = world.generation("edge-1");
  const Given kRefused[] = {{{"www", "192.0.2.9"}, {"site", "much too long"}},
                            {{"www", "here"}},
                            {{"wwv", "192.0.2.9"}},
                            {{"tsig", "hush"}}};
  for (const Given& values : kRefused) {
    const auto refused = set("edge", values);
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code, Code::bad_argument) << refused.error().what;
    EXPECT_EQ(refused.error().what.find("hush"), std::string::npos);
  }
  EXPECT_NE(set("edge", {{"wwv", "1"}}).error().what.find("nearest: www"), std::string::npos);
  const auto one_of_two = ask(sealed({"edge-1"}, "edge"));
  ASSERT_FALSE(one_of_two.has_value());
  EXPECT_NE(one_of_two.error().what.find("edge-2"), std::string::npos);
  EXPECT_EQ(world.generation("edge-1"), before);
  EXPECT_EQ(listed("edge-1", "www"), "192.0.2.80 VALUE_DEFAULT");
  EXPECT_EQ(listed("edge-1", "tsig"), " VALUE_NONE");
  EXPECT_EQ(set("edge", {}).error().code, Code::bad_argument);
  EXPECT_EQ(set("moon", {{"www", "192.0.2.9"}}).error().code, Code::not_found);
}

TEST_F(ConfigTest, IsFollowedAsARolloutThatNothingNewDoesNotBegin) {
  release(1);
  const auto begun = set("edge", {{"www", "192.0.2.9"}});
  ASSERT_TRUE(begun.has_value()) << begun.error().what;
  EXPECT_EQ(begun->changed, 2u);
  EXPECT_EQ(world.rollout(begun->rollout).kind, v1::KIND_CONFIG);
  EXPECT_NE(world.wish("edge-1")->attempt(), "");
  healthy("edge-1", 1);
  healthy("edge-2", 1);
  EXPECT_EQ(world.rollout(begun->rollout).state, v1::ROLLOUT_SUCCEEDED);
  const auto again = set("edge", {{"www", "192.0.2.9"}});
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(again->changed, 0u);
  EXPECT_EQ(again->rollout, 0);
}

TEST_F(ConfigTest, WhatDoesNotDoGoesBackToTheValuesBefore) {
  release(1);
  ASSERT_TRUE(set("edge", {{"www", "192.0.2.9"}}).has_value());
  healthy("edge-1", 1);
  healthy("edge-2", 1);
  const auto bad = set("edge", {{"www", "192.0.2.66"}, {"site", "bad"}});
  ASSERT_TRUE(bad.has_value());
  ASSERT_TRUE(world.report("edge-1", v1::REVERTED, 1).has_value());
  healthy("edge-2", 1);
  EXPECT_EQ(world.rollout(bad->rollout).state, v1::ROLLOUT_FAILED);
  EXPECT_EQ(listed("edge-1", "www"), "192.0.2.9 VALUE_SET");
  EXPECT_EQ(listed("edge-1", "site"), "lyon VALUE_LABEL");
  EXPECT_EQ(listed("edge-2", "www"), "192.0.2.66 VALUE_SET");
  EXPECT_TRUE(world.wish("edge-1")->keep_values());
  EXPECT_EQ(wanted("edge-1", "www"), "192.0.2.9");
}

TEST_F(ConfigTest, AValueThatNeverRanIsNoneToGoBackTo) {
  release(1);
  ASSERT_TRUE(set("edge-1", {{"www", "192.0.2.1"}}).has_value());
  ASSERT_TRUE(set("edge-1", {{"www", "192.0.2.2"}}).has_value());
  ASSERT_TRUE(world.report("edge-1", v1::REVERTED, 1).has_value());
  EXPECT_EQ(listed("edge-1", "www"), "192.0.2.80 VALUE_DEFAULT");
}

TEST_F(ConfigTest, ARevertUnderWatchTakesTheValuesBackToo) {
  release(1);
  ASSERT_TRUE(set("edge-1", {{"www", "192.0.2.1"}}).has_value());
  const std::string attempt = world.wish("edge-1")->attempt();
  healthy("edge-1", 1);
  ASSERT_TRUE(world.report("edge-1", v1::REVERTED, 1).has_value());
  EXPECT_NE(world.wish("edge-1")->attempt(), attempt);
  EXPECT_EQ(listed("edge-1", "www"), "192.0.2.80 VALUE_DEFAULT");
}

TEST_F(ConfigTest, AnAbortedChangeLeavesTheValuesOfBefore) {
  release(1);
  const auto begun = set("edge-1", {{"www", "192.0.2.1"}});
  ASSERT_TRUE(begun.has_value());
  ASSERT_TRUE(world.fleet->abort(begun->rollout, "ana").has_value());
  EXPECT_EQ(listed("edge-1", "www"), "192.0.2.80 VALUE_DEFAULT");
  EXPECT_EQ(wanted("edge-1", "www"), "");
  EXPECT_FALSE(world.wish("edge-1")->keep_values());
}

TEST_F(ConfigTest, ADeviceThatIsAwayGetsItsValuesWhateverWasCalledOffMeanwhile) {
  release(1);
  world.offline("edge-1");
  ASSERT_TRUE(set("edge", {{"www", "192.0.2.1"}}).has_value());
  healthy("edge-2", 1);
  const auto restart = world.order(v1::ORDER_RESTART, "edge-1");
  ASSERT_TRUE(restart.has_value());
  ASSERT_TRUE(world.fleet->abort(restart->number, "ana").has_value());
  EXPECT_EQ(wanted("edge-1", "www"), "192.0.2.1");
  EXPECT_FALSE(world.wish("edge-1")->keep_values());
  // One that heard of it runs on with what it has.
  world.online("edge-1");
  healthy("edge-1", 1);
  const auto heard = world.push(world.next_push("edge-1"));
  ASSERT_TRUE(heard.has_value());
  ASSERT_TRUE(world.report("edge-1", v1::FETCHING, 1).has_value());
  ASSERT_TRUE(world.fleet->abort(heard->number, "ana").has_value());
  EXPECT_TRUE(world.wish("edge-1")->keep_values());
  // Nor does another one that was called off before it heard of it change that.
  healthy("edge-1", 1);
  world.offline("edge-1");
  const auto unheard = world.order(v1::ORDER_START, "edge-1");
  ASSERT_TRUE(unheard.has_value());
  EXPECT_FALSE(world.wish("edge-1")->keep_values());
  ASSERT_TRUE(world.fleet->abort(unheard->number, "ana").has_value());
  EXPECT_TRUE(world.wish("edge-1")->keep_values());
}

TEST_F(ConfigTest, NeitherAStagedReleaseNorAStepBackKeepsNewValuesAway) {
  release(1);
  release(2);
  v1::PushRequest staged = world.next_push("edge-1");
  staged.set_stage_only(true);
  ASSERT_TRUE(world.push(staged).has_value());
  ASSERT_TRUE(world.report("edge-1", v1::STAGED, 2).has_value());
  ASSERT_EQ(world.wish("edge-1")->stage_release(), 3u);
  ASSERT_TRUE(world.order(v1::ORDER_REVERT, "edge-2").has_value());
  healthy("edge-2", 1);
  ASSERT_EQ(world.wish("edge-2")->fall_back(), 1u);
  ASSERT_TRUE(set("edge", {{"www", "192.0.2.1"}}).has_value());
  for (const char* name : {"edge-1", "edge-2"}) {
    EXPECT_EQ(wanted(name, "www"), "192.0.2.1");
    EXPECT_EQ(world.wish(name)->stage_release(), 0u) << name;
    EXPECT_EQ(world.wish(name)->fall_back(), 0u) << name;
  }
}

TEST_F(ConfigTest, AStopLeavesValuesAndAStartBringsThem) {
  release(1);
  ASSERT_TRUE(world.order(v1::ORDER_STOP, "edge-1").has_value());
  ASSERT_TRUE(world.report("edge-1", v1::STOPPED, 1).has_value());
  const auto kept = set("edge-1", {{"www", "192.0.2.1"}});
  ASSERT_TRUE(kept.has_value());
  EXPECT_EQ(kept->rollout, 0);
  EXPECT_EQ(wanted("edge-1", "www"), "");
  ASSERT_TRUE(world.order(v1::ORDER_START, "edge-1").has_value());
  EXPECT_EQ(wanted("edge-1", "www"), "192.0.2.1");
}

TEST_F(ConfigTest, ARestartOfWhatIsStoppedIsAStart) {
  release(1);
  ASSERT_TRUE(world.order(v1::ORDER_STOP, "edge-1").has_value());
  ASSERT_TRUE(world.report("edge-1", v1::STOPPED, 1).has_value());
  ASSERT_TRUE(set("edge-1", {{"www", "192.0.2.1"}}).has_value());
  ASSERT_TRUE(world.order(v1::ORDER_RESTART, "edge-1").has_value());
  EXPECT_EQ(wanted("edge-1", "www"), "192.0.2.1");
}

// As after `device accept`, when an old backup does not know what runs there.
TEST_F(ConfigTest, AReleaseThatIsUnknownHereGetsWhatTheNewestDeclares) {
  release(1);
  v1::DesiredApp wish = *world.wish("edge-1");
  wish.set_release(7);
  ASSERT_TRUE(world.store->set_desired(world.id_of("edge-1"), wish).has_value());
  ASSERT_TRUE(set("edge-1", {{"www", "192.0.2.1"}}).has_value());
  EXPECT_EQ(listed("edge-1", "www"), "192.0.2.1 VALUE_SET");
  EXPECT_EQ(wanted("edge-1", "www"), "192.0.2.1");
}

TEST_F(ConfigTest, ALabelCountsAtTheNextPushAndNotAtARestart) {
  release(1);
  ASSERT_TRUE(world.store->set_label(world.id_of("edge-1"), "site", "rome").has_value());
  ASSERT_TRUE(world.fleet->relabelled(*world.store->subject(world.id_of("edge-1"))).has_value());
  ASSERT_TRUE(world.order(v1::ORDER_RESTART, "edge-1").has_value());
  EXPECT_EQ(wanted("edge-1", "site"), "lyon");
  healthy("edge-1", 1);
  release(2);
  EXPECT_EQ(wanted("edge-1", "site"), "rome");
}

TEST_F(ConfigTest, AnUnsetValueGivesTheLabelBack) {
  release(1);
  ASSERT_TRUE(set("edge-1", {{"site", "rome"}}).has_value());
  healthy("edge-1", 1);
  v1::ConfigChange change;
  change.set_selector("edge-1");
  change.add_unset("site");
  ASSERT_TRUE(ask(change).has_value());
  EXPECT_EQ(wanted("edge-1", "site"), "lyon");
  change.set_unset(0, "sitte");
  EXPECT_EQ(ask(change).error().code, Code::bad_argument);
}

TEST_F(ConfigTest, ASecretGoesOnAsItCameAndIsListedAsSet) {
  release(1);
  const v1::ConfigChange change = sealed({"edge-1", "edge-2"}, "edge");
  const auto begun = ask(change);
  ASSERT_TRUE(begun.has_value()) << begun.error().what;
  EXPECT_EQ(world.wish("edge-1")->sealed().at("tsig"), change.sealed(0).value());
  EXPECT_EQ(listed("edge-1", "tsig"), " VALUE_SET");
  world.restart();
  EXPECT_EQ(world.wish("edge-1")->sealed().at("tsig"), change.sealed(0).value());
  v1::ConfigChange wrong = change;
  wrong.mutable_sealed(0)->set_name("www");
  wrong.mutable_sealed()->RemoveLast();
  wrong.set_selector("edge-1");
  EXPECT_EQ(ask(wrong).error().code, Code::bad_argument);
  Store::AuditQuestion newest;
  newest.limit = 1;
  const auto audit = world.store->audit(newest);
  ASSERT_TRUE(audit.has_value());
  for (const v1::AuditEntry& entry : *audit) {
    EXPECT_EQ(entry.detail().find(change.sealed(0).value()), std::string::npos);
  }
}

TEST_F(ConfigTest, AGroupsTokenReachesOnlyItsOwn) {
  release(1);
  world.enroll("lab-1", "lab");
  v1::ConfigChange change;
  change.set_selector("all");
  (*change.mutable_set())["www"] = "192.0.2.1";
  const auto refused = ask(change, {"bo", {"edge"}});
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Code::forbidden);
  EXPECT_EQ(listed("edge-1", "www"), "192.0.2.80 VALUE_DEFAULT");
}

TEST_F(ConfigTest, ARevertDoesNotTakeTheSameReleaseWithOldValuesForTheOneBefore) {
  release(1);
  release(2);
  ASSERT_TRUE(set("edge-1", {{"www", "192.0.2.1"}}).has_value());
  v1::Telemetry facts;
  v1::AppStatus& app = *facts.add_apps();
  app.set_app("dns");
  app.set_live_slot("A");
  app.set_live_release(2);
  app.mutable_a()->set_state(v1::GOOD);
  app.mutable_a()->set_release(2);
  *app.mutable_b() = app.a();
  ASSERT_TRUE(world.store->set_facts(world.id_of("edge-1"), facts, 0).has_value());
  ASSERT_TRUE(world.order(v1::ORDER_REVERT, "edge-1").has_value());
  EXPECT_EQ(world.wish("edge-1")->fall_back(), 1u);
}

}  // namespace
}  // namespace controller
