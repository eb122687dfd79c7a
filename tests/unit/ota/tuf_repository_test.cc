// The signer's side, and the controller's checks of what it is sent.
#include "ota/repository.h"

#include <gtest/gtest.h>

#include "tests/unit/ota/tuf_fixture.h"

namespace {

using ota::Code;
using ota::ListedRelease;
using ota::SigningKey;
using ota::Targets;
using tuf::blob;
using tuf::code_of;
using tuf::kNow;
using tuf::Repository;

ListedRelease release(std::int64_t number, std::vector<ota::BlobRef> blobs) {
  return {number, blob("manifest " + std::to_string(number)), std::move(blobs), false};
}

std::vector<std::int64_t> numbers(const Targets& role) {
  std::vector<std::int64_t> list;
  const auto releases = ota::releases_of(role, "dns");
  EXPECT_TRUE(releases.has_value());
  for (const ListedRelease& each : *releases) list.push_back(each.number);
  return list;
}

// `count` releases, each with a blob of its own and one that all share.
Targets role_of(int count, std::span<const std::int64_t> keep = {}) {
  std::optional<Targets> role;
  for (int i = 1; i <= count; ++i) {
    auto next = ota::next_app_role(
        role ? &*role : nullptr, "dns",
        release(i, {blob("image " + std::to_string(i)), blob("shared")}), keep, kNow + i);
    EXPECT_TRUE(next.has_value());
    role = *next;
  }
  return *role;
}

TEST(Repository, ARootNeedsAsManyKeysAsItsThresholdsSay) {
  const SigningKey key = SigningKey::generate();
  ota::RootPlan plan;
  plan.root_keys = plan.targets_keys = plan.snapshot_keys = plan.timestamp_keys = {
      key.public_key()};
  EXPECT_TRUE(ota::make_root(plan, kNow).has_value());
  plan.root_threshold = 2;
  EXPECT_EQ(code_of(ota::make_root(plan, kNow)), Code::bad_argument);
  plan.root_keys.push_back(key.public_key());  // the same key does not make two
  EXPECT_EQ(code_of(ota::make_root(plan, kNow)), Code::bad_argument);
  plan.root_keys.back() = SigningKey::generate().public_key();
  EXPECT_TRUE(ota::make_root(plan, kNow).has_value());
  plan.timestamp_keys.clear();
  EXPECT_EQ(code_of(ota::make_root(plan, kNow)), Code::bad_argument);
  plan.timestamp_keys = {key.public_key()};
  plan.targets_threshold = 0;
  EXPECT_EQ(code_of(ota::make_root(plan, kNow)), Code::bad_argument);
}

TEST(Repository, AKeyTakesThePlaceOfAnother) {
  const Repository repository;
  const SigningKey next_key = SigningKey::generate();
  const std::string old_id = repository.targets_key.keyid();
  ota::Root root = repository.root;
  EXPECT_EQ(code_of(ota::replace_key(root, "targets", next_key.keyid(), nullptr)),
            Code::not_found);
  EXPECT_EQ(code_of(ota::replace_key(root, "nobody", old_id, nullptr)), Code::not_found);
  ASSERT_TRUE(ota::replace_key(root, "targets", old_id, &next_key.public_key()));
  EXPECT_EQ(root.roles.at("targets").keyids, std::vector<std::string>{next_key.keyid()});
  EXPECT_EQ(root.keys.count(old_id), 0U);
  EXPECT_EQ(root.keys.count(next_key.keyid()), 1U);
  // The last one cannot go, and a key of two roles stays for the other.
  root = repository.root;
  EXPECT_EQ(code_of(ota::replace_key(root, "targets", old_id, nullptr)), Code::bad_argument);
  root = repository.root;
  root.roles.at("root").keyids.push_back(old_id);
  ASSERT_TRUE(ota::replace_key(root, "root", old_id, nullptr));
  EXPECT_EQ(root.keys.count(old_id), 1U);
}

TEST(Repository, AnAppIsDelegatedItsOwnPathsByItsOwnKey) {
  Targets targets = ota::make_targets(kNow);
  const SigningKey first = SigningKey::generate();
  const SigningKey second = SigningKey::generate();
  ASSERT_TRUE(ota::delegate_app(targets, "dns", first.public_key()).has_value());
  ASSERT_TRUE(ota::delegate_app(targets, "dns", second.public_key()).has_value());
  ASSERT_EQ(targets.delegations->roles.size(), 1U);
  const ota::DelegatedRole& line = targets.delegations->roles.front();
  EXPECT_EQ(line.name, "apps.dns");
  EXPECT_EQ(line.paths, std::vector<std::string>{"apps/dns/*/*"});
  EXPECT_EQ(line.keys.keyids, std::vector<std::string>{second.keyid()});
  EXPECT_TRUE(line.terminating);
  EXPECT_EQ(targets.delegations->keys.count(first.keyid()), 0U);
  EXPECT_TRUE(ota::delegates(line, ota::manifest_path("dns", 7)));
  EXPECT_TRUE(ota::delegates(line, ota::blob_path("dns", ota::sha256("x"))));
  EXPECT_FALSE(ota::delegates(line, ota::manifest_path("mail", 7)));
}

TEST(Repository, NamesThatAreNoAppAreRefused) {
  Targets targets = ota::make_targets(kNow);
  const SigningKey key = SigningKey::generate();
  for (const std::string& name : {std::string(), std::string("*"), std::string("a/b"),
                                  std::string("DNS"), std::string("-a"), std::string("a-"),
                                  std::string("a.b"), std::string(41, 'a'), std::string("..")}) {
    EXPECT_EQ(code_of(ota::delegate_app(targets, name, key.public_key())), Code::bad_argument);
  }
  EXPECT_FALSE(targets.delegations.has_value());
}

TEST(Repository, AnAppRoleListsTheNewestFiveAndThoseThatAreDeployed) {
  EXPECT_EQ(numbers(role_of(3)), (std::vector<std::int64_t>{1, 2, 3}));
  EXPECT_EQ(numbers(role_of(7)), (std::vector<std::int64_t>{3, 4, 5, 6, 7}));
  const std::int64_t keep[] = {1};
  const Targets role = role_of(7, keep);
  EXPECT_EQ(numbers(role), (std::vector<std::int64_t>{1, 3, 4, 5, 6, 7}));
  EXPECT_EQ(role.header.version, 7);
  // Blobs go with their last release: 6 own ones, the shared one, 6 manifests.
  EXPECT_EQ(role.targets.size(), 13U);
  EXPECT_EQ(role.targets.count(ota::blob_path("dns", ota::sha256("image 2"))), 0U);
  EXPECT_EQ(role.targets.count(ota::blob_path("dns", ota::sha256("shared"))), 1U);
}

TEST(Repository, AReleaseNumberIsTheHighestPlusOne) {
  const Targets role = role_of(2);
  for (const std::int64_t number : {0, 1, 2, 4}) {
    EXPECT_EQ(code_of(ota::next_app_role(&role, "dns", release(number, {}), {}, kNow)),
              Code::bad_argument);
  }
  EXPECT_TRUE(ota::next_app_role(&role, "dns", release(3, {}), {}, kNow).has_value());
  EXPECT_EQ(*ota::highest_release(&role, "dns"), 2);
  EXPECT_EQ(*ota::highest_release(nullptr, "dns"), 0);
}

TEST(Repository, ReleasesReadBackAsTheyWereListed) {
  const Targets role = role_of(2);
  const SigningKey key = SigningKey::generate();
  const SigningKey* keys[] = {&key};
  const auto again = ota::parse_targets(ota::sign(role, keys));
  ASSERT_TRUE(again.has_value());
  const auto releases = ota::releases_of(again->value, "dns");
  ASSERT_TRUE(releases.has_value());
  ASSERT_EQ(releases->size(), 2U);
  EXPECT_EQ(releases->back().manifest, blob("manifest 2"));
  EXPECT_EQ(releases->back().blobs,
            (std::vector<ota::BlobRef>{blob("image 2"), blob("shared")}));
}

TEST(Repository, AYankIsKeptWithTheRelease) {
  const Targets role = role_of(3);
  const std::int64_t yank[] = {2};
  const auto edited = ota::edit_app_role(role, "dns", yank, kNow);
  ASSERT_TRUE(edited.has_value());
  EXPECT_EQ(edited->header.version, 4);
  const auto next = ota::next_app_role(&*edited, "dns", release(4, {}), {}, kNow);
  const auto releases = ota::releases_of(*next, "dns");
  EXPECT_FALSE((*releases)[0].yanked);
  EXPECT_TRUE((*releases)[1].yanked);
  const std::int64_t unknown[] = {9};
  EXPECT_EQ(code_of(ota::edit_app_role(role, "dns", unknown, kNow)), Code::bad_argument);
}

TEST(Repository, PathsThatAreNoneOfAnAppsAreRefused) {
  const ota::TargetFile any = role_of(1).targets.begin()->second;
  for (const char* path : {"apps/mail/1/manifest", "apps/dns/0/manifest", "apps/dns/01/manifest",
                           "apps/dns/1/other", "apps/dns/-1/manifest", "apps/dns/x/manifest",
                           "apps/dns/blobs/abc", "apps/dns/9999999999999999/manifest"}) {
    Targets role = role_of(1);
    role.targets[path] = any;
    EXPECT_EQ(code_of(ota::releases_of(role, "dns")), Code::bad_metadata) << path;
  }
  Targets role = role_of(1);
  role.targets.erase(ota::blob_path("dns", ota::sha256("shared")));
  EXPECT_EQ(code_of(ota::releases_of(role, "dns")), Code::bad_metadata);
}

TEST(Repository, OnlineVersionsFollowTheClockButNeverStandStill) {
  EXPECT_EQ(ota::next_online_version(0, kNow), 30000000);
  EXPECT_EQ(ota::next_online_version(30000000, kNow), 30000001);
  EXPECT_EQ(ota::next_online_version(40000000, kNow), 40000001);
}

TEST(Repository, ARoleIsRenewedWhenHalfOfItsLifeIsOver) {
  const std::int64_t expires = kNow + ota::kTimestampLifetime_s;
  const std::int64_t half = kNow + ota::kTimestampLifetime_s / 2;
  EXPECT_FALSE(ota::renew_due(expires, ota::kTimestampLifetime_s, half - 1));
  EXPECT_TRUE(ota::renew_due(expires, ota::kTimestampLifetime_s, half));
}

TEST(Repository, LifetimesAreThoseOfTheDesign) {
  const Repository repository;
  EXPECT_EQ(repository.root.header.expires - kNow, 730 * ota::kDay_s);
  EXPECT_EQ(repository.targets.header.expires - kNow, 365 * ota::kDay_s);
  EXPECT_EQ(ota::make_snapshot(0, {{"targets.json", {}}}, kNow).header.expires - kNow,
            7 * ota::kDay_s);
  EXPECT_EQ(ota::make_timestamp(0, {}, kNow).header.expires - kNow, ota::kDay_s);
}

// What the controller takes.
std::string signed_by(const Targets& value, const SigningKey& key) {
  const SigningKey* keys[] = {&key};
  return ota::sign(value, keys);
}

TEST(Accept, AnAppRoleIsTakenOnlyFromItsKeyAndOnlyAsTheNextVersion) {
  const Repository repository;
  const Targets first = role_of(1);
  const Targets second = role_of(2);
  const auto accept = [&](const Targets* current, const std::string& bytes, std::int64_t now) {
    return code_of(ota::accept_app_role(repository.targets, "dns", current, bytes, now));
  };
  const SigningKey& key = repository.app_key;
  EXPECT_EQ(accept(nullptr, signed_by(first, key), kNow), Code::unset);
  EXPECT_EQ(accept(&first, signed_by(second, key), kNow), Code::unset);
  EXPECT_EQ(accept(&first, signed_by(first, key), kNow), Code::conflict);
  EXPECT_EQ(accept(&second, signed_by(first, key), kNow), Code::conflict);
  EXPECT_EQ(accept(nullptr, signed_by(second, key), kNow), Code::conflict);
  EXPECT_EQ(accept(&first, signed_by(second, repository.targets_key), kNow), Code::bad_signature);
  EXPECT_EQ(accept(&first, signed_by(second, key), second.header.expires), Code::expired);
  EXPECT_EQ(accept(&first, "{}", kNow), Code::bad_metadata);
  EXPECT_EQ(code_of(ota::accept_app_role(repository.targets, "mail", nullptr,
                                         signed_by(first, key), kNow)),
            Code::not_signed);
}

TEST(Accept, AReleaseNumberIsNeverUsedAgain) {
  const Repository repository;
  const Targets second = role_of(2);
  const auto accept = [&](const Targets& offered) {
    return code_of(ota::accept_app_role(repository.targets, "dns", &second,
                                        signed_by(offered, repository.app_key), kNow));
  };
  Targets other_content = role_of(3);
  other_content.targets.at(ota::manifest_path("dns", 2)).hashes.sha256 = ota::sha256("other");
  EXPECT_EQ(accept(other_content), Code::rollback);
  Targets without_newest = ota::next_targets(second, kNow);
  without_newest.targets.erase(ota::manifest_path("dns", 2));
  EXPECT_EQ(accept(without_newest), Code::rollback);
  Targets empty = ota::next_targets(second, kNow);
  empty.targets.clear();
  EXPECT_EQ(accept(empty), Code::rollback);
  EXPECT_EQ(accept(role_of(3)), Code::unset);
}

TEST(Accept, AnAppRoleStaysWithinItsPathsAndDelegatesNothing) {
  const Repository repository;
  Targets outside = role_of(1);
  outside.targets["apps/mail/1/manifest"] = outside.targets.begin()->second;
  Targets delegating = role_of(1);
  delegating.delegations.emplace();
  for (const Targets& offered : {outside, delegating}) {
    EXPECT_EQ(code_of(ota::accept_app_role(repository.targets, "dns", nullptr,
                                           signed_by(offered, repository.app_key), kNow)),
              Code::bad_metadata);
  }
}

TEST(Accept, TargetsAreTakenFromTheirKeysAsTheNextVersion) {
  const Repository repository;
  const Targets next = ota::next_targets(repository.targets, kNow);
  const auto accept = [&](const Targets* current, const Targets& value, const SigningKey& key) {
    return code_of(ota::accept_targets(repository.root, current, signed_by(value, key), kNow));
  };
  EXPECT_EQ(accept(nullptr, repository.targets, repository.targets_key), Code::unset);
  EXPECT_EQ(accept(&repository.targets, next, repository.targets_key), Code::unset);
  EXPECT_EQ(accept(&repository.targets, next, repository.app_key), Code::bad_signature);
  EXPECT_EQ(accept(&next, next, repository.targets_key), Code::conflict);
}

TEST(Accept, ARootIsTakenFromTheKeysOfTheOneBeforeAndItsOwn) {
  const Repository repository;
  const ota::Root next = ota::next_root(repository.root, kNow);
  const SigningKey* right[] = {&repository.root_key};
  const SigningKey* wrong[] = {&repository.targets_key};
  EXPECT_EQ(code_of(ota::accept_root(nullptr, repository.root_bytes, kNow)), Code::unset);
  EXPECT_EQ(code_of(ota::accept_root(&repository.root, ota::sign(next, right), kNow)),
            Code::unset);
  EXPECT_EQ(code_of(ota::accept_root(&repository.root, ota::sign(next, wrong), kNow)),
            Code::bad_signature);
  EXPECT_EQ(code_of(ota::accept_root(&repository.root, repository.root_bytes, kNow)),
            Code::conflict);
  EXPECT_EQ(code_of(ota::accept_root(nullptr, ota::sign(next, right), kNow)), Code::conflict);
}

}  // namespace
