// Delegations: which role may vouch for which path, in which order, and where the search ends.
#include <gtest/gtest.h>

#include "ota/updater.h"
#include "proto/limits.h"
#include "tests/unit/ota/tuf_fixture.h"

namespace {

using ota::Code;
using ota::SigningKey;
using tuf::Client;
using tuf::code_of;
using tuf::Repository;

ota::DelegatedRole line(const char* name, const char* pattern, const SigningKey& key,
                        bool terminating) {
  ota::DelegatedRole role;
  role.name = name;
  role.keys.keyids = {key.keyid()};
  role.paths = {pattern};
  role.terminating = terminating;
  return role;
}

void delegate(ota::Targets& targets, const ota::DelegatedRole& role, const SigningKey& key) {
  if (!targets.delegations) targets.delegations.emplace();
  targets.delegations->keys.insert_or_assign(key.keyid(), key.public_key());
  targets.delegations->roles.push_back(role);
}

ota::TargetFile target(const std::string& bytes) {
  ota::TargetFile found;
  found.length_bytes = static_cast<std::int64_t>(bytes.size());
  found.hashes.sha256 = ota::sha256(bytes);
  return found;
}

TEST(Delegations, ARoleCannotVouchForAPathOutsideOfItsPattern) {
  Repository repository;
  repository.delegated.at("apps.dns").targets["apps/mail/1/manifest"] = target("evil");
  repository.delegated.at("apps.dns").targets["apps/dns/1/2/3"] = target("evil");
  repository.publish();
  Client client(repository);
  ASSERT_TRUE(client.refresh(repository).has_value());
  EXPECT_EQ(code_of(client.updater.find_target("apps/mail/1/manifest")), Code::not_signed);
  EXPECT_EQ(code_of(client.updater.find_target("apps/dns/1/2/3")), Code::not_signed);
}

TEST(Delegations, PathsThatLeadElsewhereAreRefusedBeforeAnyLookup) {
  Repository repository;
  Client client(repository);
  ASSERT_TRUE(client.refresh(repository).has_value());
  for (const char* path :
       {"", "../x", "apps/dns/../../etc/passwd", "/apps/dns/1/manifest", "a//b"}) {
    EXPECT_EQ(code_of(client.updater.find_target(path)), Code::bad_argument) << path;
  }
}

TEST(Delegations, ATerminatingLineEndsTheSearchAndAnOpenOneDoesNot) {
  for (const bool terminating : {true, false}) {
    Repository repository;
    const SigningKey& key = repository.app_key;
    delegate(repository.targets, line("first", "files/*", key, terminating), key);
    delegate(repository.targets, line("second", "files/*", key, false), key);
    repository.delegated.insert_or_assign("first", ota::make_targets(repository.now));
    repository.delegated.insert_or_assign("second", ota::make_targets(repository.now));
    repository.delegated.at("second").targets["files/a"] = target("a");
    repository.publish();
    Client client(repository);
    ASSERT_TRUE(client.refresh(repository).has_value());
    EXPECT_EQ(code_of(client.updater.find_target("files/a")),
              terminating ? Code::not_signed : Code::unset);
  }
}

TEST(Delegations, TheFirstLineInOrderWins) {
  Repository repository;
  const SigningKey& key = repository.app_key;
  for (const char* name : {"first", "second"}) {
    delegate(repository.targets, line(name, "files/*", key, false), key);
    repository.delegated.insert_or_assign(name, ota::make_targets(repository.now));
    repository.delegated.at(name).targets["files/a"] = target(name);
  }
  repository.publish();
  Client client(repository);
  ASSERT_TRUE(client.refresh(repository).has_value());
  EXPECT_EQ(client.updater.find_target("files/a")->role, "first");
}

TEST(Delegations, RolesThatDelegateToEachOtherEndTheSearch) {
  Repository repository;
  const SigningKey& key = repository.app_key;
  delegate(repository.targets, line("a", "files/*", key, false), key);
  ota::Targets a = ota::make_targets(repository.now);
  delegate(a, line("b", "files/*", key, false), key);
  ota::Targets b = ota::make_targets(repository.now);
  delegate(b, line("a", "files/*", key, false), key);
  delegate(b, line("b", "files/*", key, false), key);
  repository.delegated.insert_or_assign("a", a);
  repository.delegated.insert_or_assign("b", b);
  repository.publish();
  Client client(repository);
  ASSERT_TRUE(client.refresh(repository).has_value());
  EXPECT_EQ(code_of(client.updater.find_target("files/x")), Code::not_signed);
  EXPECT_EQ(client.source.requests.size(), 6U);
}

TEST(Delegations, AChainLongerThanTheLimitIsNotFollowedToItsEnd) {
  Repository repository;
  const SigningKey& key = repository.app_key;
  const int length = proto::kMaxDelegations + 10;
  const auto name = [](int i) { return "r" + std::to_string(i); };
  delegate(repository.targets, line(name(0).c_str(), "files/*", key, false), key);
  for (int i = 0; i < length; ++i) {
    ota::Targets role = ota::make_targets(repository.now);
    if (i + 1 < length) delegate(role, line(name(i + 1).c_str(), "files/*", key, false), key);
    if (i == length - 1) role.targets["files/x"] = target("x");
    repository.delegated.insert_or_assign(name(i), role);
  }
  repository.publish();
  Client client(repository);
  ASSERT_TRUE(client.refresh(repository).has_value());
  EXPECT_EQ(code_of(client.updater.find_target("files/x")), Code::not_signed);
  EXPECT_EQ(client.source.requests.size(), 4U + proto::kMaxDelegations);
}

// One role, two delegators that name other keys for it: each must be satisfied by itself.
TEST(Delegations, ARoleThatOneDelegatorVouchedForIsCheckedAgainForTheNext) {
  Repository repository;
  const SigningKey other = SigningKey::generate();
  const SigningKey& key = repository.app_key;
  delegate(repository.targets, line("shared", "files/*", key, true), key);
  delegate(repository.targets, line("middle", "docs/*", key, true), key);
  ota::Targets middle = ota::make_targets(repository.now);
  delegate(middle, line("shared", "docs/*", other, false), other);
  ota::Targets shared = ota::make_targets(repository.now);
  shared.targets["files/x"] = target("x");
  shared.targets["docs/x"] = target("x");
  repository.delegated.insert_or_assign("middle", middle);
  repository.delegated.insert_or_assign("shared", shared);
  repository.publish();
  Client client(repository);
  ASSERT_TRUE(client.refresh(repository).has_value());
  EXPECT_TRUE(client.updater.find_target("files/x").has_value());
  EXPECT_EQ(code_of(client.updater.find_target("docs/x")), Code::bad_signature);
}

TEST(Delegations, AnAppThatPublishedNothingYetIsNotSigned) {
  Repository repository;
  ASSERT_TRUE(ota::delegate_app(repository.targets, "mail", repository.app_key.public_key()));
  repository.publish();
  Client client(repository);
  ASSERT_TRUE(client.refresh(repository).has_value());
  EXPECT_EQ(code_of(client.updater.load_role("apps.mail")), Code::not_signed);
  EXPECT_EQ(code_of(client.updater.find_target("apps/mail/1/manifest")), Code::not_signed);
  EXPECT_EQ(code_of(client.updater.load_role("apps.nobody")), Code::not_signed);
  EXPECT_TRUE(client.updater.find_target("apps/dns/1/manifest").has_value());
}

}  // namespace
