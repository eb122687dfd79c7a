// Every rule by which the trusted set takes or refuses a file.
#include "ota/trusted_set.h"

#include <gtest/gtest.h>

#include "tests/unit/ota/tuf_fixture.h"

namespace {

using ota::Code;
using ota::SigningKey;
using ota::TrustedSet;
using tuf::code_of;
using tuf::Repository;

std::string file(const Repository& repository, const std::string& role) {
  return repository.files.at(repository.served(role));
}

// The set with all that comes before `role` loaded.
TrustedSet set_before(const Repository& repository, const std::string& role) {
  auto set = TrustedSet::start(repository.root_bytes, repository.now);
  EXPECT_TRUE(set.has_value());
  if (role == "timestamp") return *set;
  EXPECT_TRUE(set->update_timestamp(file(repository, "timestamp")).has_value());
  if (role == "snapshot") return *set;
  EXPECT_TRUE(set->update_snapshot(file(repository, "snapshot"), false).has_value());
  if (role == "targets") return *set;
  EXPECT_TRUE(set->update_targets(file(repository, "targets")).has_value());
  return *set;
}

// Gives the set a file of that role.
Code offer(TrustedSet& set, const std::string& role, const std::string& bytes) {
  if (role == "timestamp") return code_of(set.update_timestamp(bytes));
  if (role == "snapshot") return code_of(set.update_snapshot(bytes, false));
  if (role == "targets") return code_of(set.update_targets(bytes));
  return code_of(set.update_delegated(bytes, role, "targets"));
}

const std::string* canonical_of(const TrustedSet& set, const std::string& role) {
  if (role == "timestamp") return set.timestamp() ? &set.timestamp()->canonical : nullptr;
  if (role == "snapshot") return set.snapshot() ? &set.snapshot()->canonical : nullptr;
  const auto* targets = set.targets(role);
  return targets ? &targets->canonical : nullptr;
}

struct FlipCase {
  const char* role;
  bool with_digests;
};

class Flip : public testing::TestWithParam<FlipCase> {};

// Each byte of each file, three of its bits: refused, or what is signed stays the same (a space
// became a tab, a hex digit of the signature a capital).
TEST_P(Flip, OfAnyByteIsRefusedOrChangesNothingSigned) {
  Repository repository;
  repository.with_digests = GetParam().with_digests;
  repository.publish();
  const std::string role = GetParam().role;
  const std::string good = file(repository, role);
  const TrustedSet before = set_before(repository, role);
  TrustedSet reference = before;
  ASSERT_EQ(offer(reference, role, good), Code::unset);
  std::size_t refused = 0;
  for (std::size_t i = 0; i < good.size(); ++i) {
    for (const int mask : {0x01, 0x20, 0x80}) {
      std::string changed = good;
      changed[i] = static_cast<char>(changed[i] ^ mask);
      TrustedSet set = before;
      if (offer(set, role, changed) != Code::unset) {
        ++refused;
        EXPECT_EQ(canonical_of(set, role), nullptr) << "byte " << i;
      } else {
        EXPECT_FALSE(GetParam().with_digests && role != "timestamp") << "byte " << i;
        ASSERT_EQ(*canonical_of(set, role), *canonical_of(reference, role)) << "byte " << i;
      }
    }
  }
  EXPECT_GT(refused, good.size() * 2);
}

const FlipCase kFlips[] = {{"timestamp", true},  {"snapshot", true},  {"targets", true},
                           {"apps.dns", true},   {"snapshot", false}, {"targets", false},
                           {"apps.dns", false}};
INSTANTIATE_TEST_SUITE_P(Tuf, Flip, testing::ValuesIn(kFlips), [](const auto& each) {
  std::string name = each.param.role;
  if (name == "apps.dns") name = "app_role";
  return name + (each.param.with_digests ? "" : "_without_digests");
});

TEST(TrustedSet, AFlippedByteInTheFirstRootIsRefusedOrChangesNothingSigned) {
  const Repository repository;
  const std::string good = repository.root_bytes;
  const std::string canonical = ota::parse_root(good)->canonical;
  for (std::size_t i = 0; i < good.size(); ++i) {
    for (const int mask : {0x01, 0x20, 0x80}) {
      std::string changed = good;
      changed[i] = static_cast<char>(changed[i] ^ mask);
      const auto set = TrustedSet::start(changed, repository.now);
      if (!set) continue;
      ASSERT_EQ(set->root().canonical, canonical) << "byte " << i;
    }
  }
}

class EachRole : public testing::TestWithParam<const char*> {
 protected:
  std::string role_ = GetParam();
};

// The signed part of a file, changed and signed by that key.
std::string resigned(const std::string& bytes, const char* member, ota::Json value,
                     std::span<const SigningKey* const> keys) {
  ota::Json part = *ota::parse_json(bytes)->find("signed");
  part.set(member, std::move(value));
  return ota::sign_metadata(part, keys);
}

const SigningKey& key_of(const Repository& repository, const std::string& role) {
  if (role == "timestamp") return repository.timestamp_key;
  if (role == "snapshot") return repository.snapshot_key;
  if (role == "targets") return repository.targets_key;
  return repository.app_key;
}

TEST_P(EachRole, WithoutASignatureIsRefused) {
  Repository repository;
  repository.with_digests = false;
  repository.publish();
  TrustedSet set = set_before(repository, role_);
  const ota::Json part = *ota::parse_json(file(repository, role_))->find("signed");
  EXPECT_EQ(offer(set, role_, ota::sign_metadata(part, {})), Code::bad_signature);
}

TEST_P(EachRole, SignedByEveryOtherKeyOfTheRepositoryIsRefused) {
  Repository repository;
  repository.with_digests = false;
  repository.publish();
  const TrustedSet before = set_before(repository, role_);
  const ota::Json part = *ota::parse_json(file(repository, role_))->find("signed");
  const SigningKey* all[] = {&repository.root_key, &repository.targets_key,
                             &repository.snapshot_key, &repository.timestamp_key,
                             &repository.app_key};
  std::vector<const SigningKey*> others;
  for (const SigningKey* key : all) {
    if (key != &key_of(repository, role_)) others.push_back(key);
  }
  TrustedSet set = before;
  EXPECT_EQ(offer(set, role_, ota::sign_metadata(part, others)), Code::bad_signature);
}

TEST_P(EachRole, ExpiredIsRefusedAtTheSecondAndGoodOneBefore) {
  Repository repository;
  repository.with_digests = false;
  repository.publish();
  const TrustedSet before = set_before(repository, role_);
  const SigningKey* key = &key_of(repository, role_);
  for (const auto& [delta, code] : {std::pair{0, Code::expired}, std::pair{1, Code::unset}}) {
    TrustedSet set = before;
    const std::string bytes =
        resigned(file(repository, role_), "expires", ota::format_time(repository.now + delta),
                 std::span(&key, 1));
    EXPECT_EQ(offer(set, role_, bytes), code);
  }
}

TEST_P(EachRole, OfAnotherTypeIsRefused) {
  Repository repository;
  repository.with_digests = false;
  repository.publish();
  TrustedSet set = set_before(repository, role_);
  const std::string other = role_ == "timestamp" ? "snapshot" : "timestamp";
  EXPECT_EQ(offer(set, role_, file(repository, other)), Code::bad_metadata);
  EXPECT_EQ(offer(set, role_, "{}"), Code::bad_metadata);
  EXPECT_EQ(offer(set, role_, ""), Code::bad_metadata);
}

INSTANTIATE_TEST_SUITE_P(Tuf, EachRole,
                         testing::Values("timestamp", "snapshot", "targets", "apps.dns"),
                         [](const auto& each) {
                           return std::string(each.index == 3 ? "app_role" : each.param);
                         });

TEST(TrustedSet, AnOlderTimestampIsRefusedAndAnEqualOneChangesNothing) {
  Repository repository;
  const std::string old_bytes = file(repository, "timestamp");
  repository.publish();
  TrustedSet set = set_before(repository, "snapshot");
  const auto equal = set.update_timestamp(file(repository, "timestamp"));
  ASSERT_TRUE(equal.has_value());
  EXPECT_FALSE(*equal);
  EXPECT_EQ(offer(set, "timestamp", old_bytes), Code::rollback);
  EXPECT_EQ(set.timestamp()->value.header.version, repository.timestamp_version);
}

TEST(TrustedSet, ANewerTimestampWithAnOlderSnapshotIsRefused) {
  Repository repository;
  TrustedSet set = set_before(repository, "snapshot");
  ota::Timestamp timestamp = set.timestamp()->value;
  ++timestamp.header.version;
  --timestamp.snapshot.version;
  repository.publish_timestamp(timestamp);
  EXPECT_EQ(offer(set, "timestamp", repository.files["timestamp.json"]), Code::rollback);
}

TEST(TrustedSet, ATimestampOnAnExpiredRootIsRefused) {
  Repository repository;
  auto set = TrustedSet::start(repository.root_bytes, repository.root.header.expires);
  ASSERT_TRUE(set.has_value());
  EXPECT_EQ(code_of(set->check_root_date()), Code::expired);
  EXPECT_EQ(offer(*set, "timestamp", file(repository, "timestamp")), Code::expired);
}

TEST(TrustedSet, ASnapshotInWhichARoleGoesBackOrAwayIsRefused) {
  Repository repository;
  ++repository.targets.header.version;
  repository.publish();
  const std::string trusted = file(repository, "snapshot");
  for (const bool away : {false, true}) {
    ota::Snapshot bad = ota::parse_snapshot(trusted)->value;
    ++bad.header.version;
    if (away) {
      bad.meta.erase("apps.dns.json");
    } else {
      --bad.meta.at("targets.json").version;
    }
    const SigningKey* key = &repository.snapshot_key;
    const std::string bytes = ota::sign(bad, std::span(&key, 1));
    repository.publish_snapshot(bad, bytes);
    auto set = TrustedSet::start(repository.root_bytes, repository.now);
    ASSERT_TRUE(set->update_timestamp(file(repository, "timestamp")).has_value());
    // Our own older one is not what the timestamp names, but is compared with.
    EXPECT_EQ(code_of(set->update_snapshot(trusted, true)), Code::bad_digest);
    EXPECT_EQ(set->snapshot(), nullptr);
    EXPECT_EQ(code_of(set->update_snapshot(bytes, false)), Code::rollback);
  }
}

TEST(TrustedSet, TargetsOfOneReleaseWithTheSnapshotOfAnotherAreRefused) {
  for (const bool with_digests : {true, false}) {
    Repository repository;
    repository.with_digests = with_digests;
    const std::string old_targets = file(repository, "targets");
    const std::string old_app = file(repository, "apps.dns");
    repository.targets = ota::next_targets(repository.targets, repository.now);
    repository.delegated.at("apps.dns").header.version = 2;
    repository.publish();
    TrustedSet set = set_before(repository, "targets");
    EXPECT_EQ(offer(set, "targets", old_targets), Code::bad_digest);
    EXPECT_EQ(offer(set, "targets", file(repository, "targets")), Code::unset);
    EXPECT_EQ(offer(set, "apps.dns", old_app), Code::bad_digest);
  }
}

TEST(TrustedSet, FilesOutOfOrderAreRefused) {
  const Repository repository;
  TrustedSet set = set_before(repository, "timestamp");
  EXPECT_EQ(offer(set, "snapshot", file(repository, "snapshot")), Code::bad_metadata);
  EXPECT_EQ(offer(set, "targets", file(repository, "targets")), Code::bad_metadata);
  EXPECT_EQ(offer(set, "apps.dns", file(repository, "apps.dns")), Code::bad_metadata);
  TrustedSet full = set_before(repository, "apps.dns");
  EXPECT_EQ(code_of(full.update_root(repository.root_bytes)), Code::bad_metadata);
  EXPECT_EQ(offer(full, "timestamp", file(repository, "timestamp")), Code::bad_metadata);
  EXPECT_EQ(offer(full, "snapshot", file(repository, "snapshot")), Code::bad_metadata);
}

TEST(TrustedSet, ARoleThatNobodyDelegatesToIsNotSigned) {
  const Repository repository;
  TrustedSet set = set_before(repository, "apps.dns");
  EXPECT_EQ(offer(set, "apps.mail", file(repository, "apps.dns")), Code::not_signed);
}

// Roots.
TEST(TrustedSet, ARootNeedsTheOldKeysAndItsOwn) {
  Repository repository;
  const SigningKey next_key = SigningKey::generate();
  ota::Root next = ota::next_root(repository.root, repository.now);
  next.keys.erase(repository.root_key.keyid());
  next.keys.insert_or_assign(next_key.keyid(), next_key.public_key());
  next.roles.at("root").keyids = {next_key.keyid()};
  const struct {
    std::vector<const SigningKey*> keys;
    Code code;
  } cases[] = {{{&repository.root_key}, Code::bad_signature},
               {{&next_key}, Code::bad_signature},
               {{&repository.targets_key}, Code::bad_signature},
               {{}, Code::bad_signature},
               {{&repository.root_key, &next_key}, Code::unset}};
  for (const auto& each : cases) {
    TrustedSet set = set_before(repository, "timestamp");
    EXPECT_EQ(code_of(set.update_root(ota::sign(next, each.keys))), each.code);
    EXPECT_EQ(set.root().value.header.version, each.code == Code::unset ? 2 : 1);
  }
}

TEST(TrustedSet, ARootMayNotSkipRepeatOrGoBack) {
  Repository repository;
  const SigningKey* key = &repository.root_key;
  TrustedSet set = set_before(repository, "timestamp");
  ota::Root next = ota::next_root(repository.root, repository.now);
  const std::string second = ota::sign(next, std::span(&key, 1));
  next.header.version = 3;
  const std::string third = ota::sign(next, std::span(&key, 1));
  EXPECT_EQ(code_of(set.update_root(third)), Code::bad_metadata);
  EXPECT_EQ(code_of(set.update_root(repository.root_bytes)), Code::rollback);
  EXPECT_TRUE(set.update_root(second).has_value());
  EXPECT_EQ(code_of(set.update_root(second)), Code::rollback);
  EXPECT_TRUE(set.update_root(third).has_value());
}

TEST(TrustedSet, AnExpiredRootInTheMiddleOfAChainIsAStepButNoEnd) {
  Repository repository;
  const SigningKey* key = &repository.root_key;
  TrustedSet set = set_before(repository, "timestamp");
  ota::Root next = ota::next_root(repository.root, repository.now);
  next.header.expires = repository.now - 1;
  ASSERT_TRUE(set.update_root(ota::sign(next, std::span(&key, 1))).has_value());
  EXPECT_EQ(code_of(set.check_root_date()), Code::expired);
  next = ota::next_root(next, repository.now);
  ASSERT_TRUE(set.update_root(ota::sign(next, std::span(&key, 1))).has_value());
  EXPECT_TRUE(set.check_root_date().has_value());
}

TEST(TrustedSet, AThresholdOfTwoIsNotMetByOneKeyTwice) {
  Repository repository;
  ota::Json twin = repository.root_key.public_key().to_json();
  twin.set("x-twin", true);
  const ota::PublicKey again = *ota::PublicKey::from_json(twin);
  ota::Root root = repository.root;
  root.keys.insert_or_assign(again.keyid(), again);
  root.roles.at("root").keyids.push_back(again.keyid());
  root.roles.at("root").threshold = 2;
  const SigningKey* key = &repository.root_key;
  ota::Json document = *ota::parse_json(ota::sign(root, std::span(&key, 1)));
  ota::Json signatures = *document.find("signatures");
  ota::Json copy = signatures.as_array().front();
  copy.set("keyid", again.keyid());
  signatures.push_back(copy);
  document.set("signatures", signatures);
  EXPECT_EQ(code_of(TrustedSet::start(ota::pretty_json(document), repository.now)),
            Code::bad_signature);
}

TEST(TrustedSet, AnErrorNamesTheRoleTheVersionAndWhatToDo) {
  Repository repository;
  repository.now += ota::kTimestampLifetime_s;
  auto set = TrustedSet::start(repository.root_bytes, repository.now);
  const auto expired = set->update_timestamp(file(repository, "timestamp"));
  ASSERT_FALSE(expired.has_value());
  EXPECT_EQ(expired.error().element, "timestamp");
  EXPECT_EQ(expired.error().what,
            "timestamp version 30000000 expired at 2027-01-16T08:00:00Z and now is "
            "2027-01-16T08:00:00Z; whoever holds its keys must renew it, or the clock here is "
            "wrong");
}

}  // namespace
