// The client workflow: which files are asked for, what is kept, what a hostile repository can do.
#include "ota/updater.h"

#include <gtest/gtest.h>

#include "tests/unit/ota/temp_dir.h"
#include "tests/unit/ota/tuf_fixture.h"

namespace {

using ota::Code;
using ota::SigningKey;
using tuf::Client;
using tuf::code_of;
using tuf::Repository;

std::vector<std::string> names(std::initializer_list<const char*> list) {
  return {list.begin(), list.end()};
}


TEST(Updater, AsksForExactlyWhatTheWorkflowNeeds) {
  Repository repository;
  Client client(repository);
  ASSERT_TRUE(client.refresh(repository).has_value());
  EXPECT_EQ(client.source.requests,
            names({"2.root.json", "timestamp.json", "30000000.snapshot.json", "1.targets.json"}));
  const auto found = client.updater.find_target("apps/dns/1/manifest");
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->role, "apps.dns");
  EXPECT_EQ(found->file.hashes.sha256, ota::sha256(tuf::kManifest));
  EXPECT_EQ(client.source.requests.back(), "1.apps.dns.json");
  // Nothing is new: only the two files that could tell are asked for, also by a new Updater.
  ASSERT_TRUE(client.refresh(repository).has_value());
  ASSERT_TRUE(client.updater.find_target("apps/dns/1/manifest").has_value());
  EXPECT_EQ(client.source.requests, names({"2.root.json", "timestamp.json"}));
}

TEST(Updater, WithoutConsistentSnapshotsNamesHaveNoVersions) {
  Repository repository;
  repository.root.consistent_snapshot = false;
  repository.files.clear();
  repository.publish_root({&repository.root_key});
  repository.publish();
  Client client(repository);
  ASSERT_TRUE(client.refresh(repository).has_value());
  ASSERT_TRUE(client.updater.find_target("apps/dns/1/manifest").has_value());
  EXPECT_EQ(client.source.requests, names({"2.root.json", "timestamp.json", "snapshot.json",
                                           "targets.json", "apps.dns.json"}));
}

TEST(Updater, WhatIsStoredIsByteByByteWhatWasServed) {
  Repository repository;
  Client client(repository);
  ASSERT_TRUE(client.refresh(repository).has_value());
  ASSERT_TRUE(client.updater.load_role("apps.dns").has_value());
  for (const char* role : {"root", "timestamp", "snapshot", "targets", "apps.dns"}) {
    EXPECT_EQ(*client.store.read(std::string(role) + ".json", 1000000),
              repository.files.at(repository.served(role)))
        << role;
  }
}

TEST(Updater, StoredMetadataServesWithoutARequestHoweverOldItIs) {
  Repository repository;
  Client client(repository);
  ASSERT_TRUE(client.refresh(repository).has_value());
  ASSERT_TRUE(client.updater.find_target("apps/dns/1/manifest").has_value());
  client.source.requests.clear();
  ASSERT_TRUE(client.updater.load_stored().has_value());
  EXPECT_TRUE(client.updater.find_target("apps/dns/1/manifest").has_value());
  EXPECT_TRUE(client.source.requests.empty());
  // But never what is not signed.
  ASSERT_TRUE(client.store.write("targets.json", "{}").has_value());
  EXPECT_FALSE(client.updater.load_stored().has_value());
  EXPECT_FALSE(client.updater.ready());
}

TEST(Updater, AChainOfRootsIsWalkedStepByStep) {
  Repository repository;
  Client client(repository);
  for (int i = 0; i < 3; ++i) {
    SigningKey next_key = SigningKey::generate();
    ota::Root next = ota::next_root(repository.root, repository.now);
    next.keys.insert_or_assign(next_key.keyid(), next_key.public_key());
    next.roles.at("root").keyids = {next_key.keyid()};
    repository.root = next;
    repository.publish_root({&repository.root_key, &next_key});
    repository.root_key = std::move(next_key);
  }
  ASSERT_TRUE(client.refresh(repository).has_value());
  EXPECT_EQ(client.updater.trusted().root().value.header.version, 4);
  EXPECT_EQ(client.source.requests[3], "5.root.json");
  EXPECT_EQ(*client.store.read("root.json", 1000000), repository.root_bytes);
}

TEST(Updater, ARootInTheMiddleThatIsNotSignedStopsTheRefreshBeforeIt) {
  Repository repository;
  Client client(repository);
  repository.root = ota::next_root(repository.root, repository.now);
  repository.publish_root({&repository.root_key});
  repository.root = ota::next_root(repository.root, repository.now);
  repository.publish_root({&repository.targets_key});
  EXPECT_EQ(code_of(client.refresh(repository)), Code::bad_signature);
  EXPECT_EQ(ota::parse_root(*client.store.read("root.json", 1000000))->value.header.version, 2);
  EXPECT_FALSE(client.updater.ready());
}

// The attacker had the online keys and pushed the versions as far as they go.
TEST(Updater, AFastForwardIsHealedByARootWithNewOnlineKeys) {
  Repository repository;
  Client client(repository);
  repository.snapshot_version = repository.timestamp_version = 9'000'000'000'000'000'000;
  repository.publish();
  ASSERT_TRUE(client.refresh(repository).has_value());
  const std::string old_keys = client.updater.timestamp_keys();

  Repository honest;  // for its keys only
  ota::Root next = ota::next_root(repository.root, repository.now);
  for (const auto* key : {&honest.timestamp_key, &honest.snapshot_key}) {
    next.keys.insert_or_assign(key->keyid(), key->public_key());
  }
  next.roles.at("timestamp").keyids = {honest.timestamp_key.keyid()};
  next.roles.at("snapshot").keyids = {honest.snapshot_key.keyid()};
  repository.root = next;
  repository.publish_root({&repository.root_key});
  repository.timestamp_key = std::move(honest.timestamp_key);
  repository.snapshot_key = std::move(honest.snapshot_key);
  repository.snapshot_version = repository.timestamp_version = 0;
  repository.publish();
  ASSERT_TRUE(client.refresh(repository).has_value());
  EXPECT_EQ(client.updater.trusted().timestamp()->value.header.version, 30000000);
  EXPECT_NE(client.updater.timestamp_keys(), old_keys);
}

TEST(Updater, AStoredFileThatIsBrokenIsFetchedAgain) {
  for (const char* file : {"timestamp.json", "snapshot.json", "targets.json", "apps.dns.json"}) {
    Repository repository;
    Client client(repository);
    ASSERT_TRUE(client.refresh(repository).has_value());
    ASSERT_TRUE(client.updater.load_role("apps.dns").has_value());
    const std::string good = *client.store.read(file, 1000000);
    ASSERT_TRUE(client.store.write(file, good.substr(0, good.size() / 2)).has_value());
    ASSERT_TRUE(client.refresh(repository).has_value()) << file;
    ASSERT_TRUE(client.updater.load_role("apps.dns").has_value()) << file;
    EXPECT_EQ(*client.store.read(file, 1000000), good);
  }
}

TEST(Updater, ABrokenStoredRootIsPutInAgainButASoundOneStays) {
  Repository repository;
  Client client(repository);
  const std::string first_root = repository.root_bytes;
  repository.root = ota::next_root(repository.root, repository.now);
  repository.publish_root({&repository.root_key});
  ASSERT_TRUE(client.refresh(repository).has_value());
  ASSERT_TRUE(client.updater.bootstrap(first_root).has_value());
  EXPECT_EQ(*client.store.read("root.json", 1000000), repository.root_bytes);
  ASSERT_TRUE(client.store.write("root.json", "rubbish").has_value());
  EXPECT_EQ(code_of(client.refresh(repository)), Code::bad_metadata);
  ASSERT_TRUE(client.updater.bootstrap(first_root).has_value());
  EXPECT_TRUE(client.refresh(repository).has_value());
}

TEST(Updater, AFirstRootThatIsNotSignedByItselfIsRefused) {
  Repository repository;
  tuf::MemorySource source;
  ota::MemoryMetadataStore store;
  ota::Updater updater(source, store);
  const std::string unsigned_root = ota::sign(repository.root, {});
  EXPECT_EQ(code_of(updater.bootstrap(unsigned_root)), Code::bad_signature);
  EXPECT_EQ(code_of(updater.bootstrap("")), Code::bad_metadata);
  EXPECT_EQ(code_of(updater.refresh(tuf::kNow)), Code::not_found);
}

// A mirror that goes back in time, in whole or in part, against a client that has seen more.
TEST(Updater, AnOlderRepositoryIsRefusedAndTheNewerOneStaysStored) {
  Repository repository;
  Client client(repository);
  const auto old_files = repository.files;
  repository.targets = ota::next_targets(repository.targets, repository.now);
  repository.publish();
  ASSERT_TRUE(client.refresh(repository).has_value());
  Repository& behind = repository;
  const auto new_files = repository.files;
  behind.files = old_files;
  EXPECT_EQ(code_of(client.refresh(behind)), Code::rollback);
  EXPECT_FALSE(client.updater.ready());
  behind.files = new_files;
  EXPECT_TRUE(client.refresh(behind).has_value());
}

TEST(Updater, AFrozenRepositoryIsNoticedWhenItsTimestampExpires) {
  Repository repository;
  Client client(repository);
  ASSERT_TRUE(client.refresh(repository).has_value());
  repository.now += ota::kTimestampLifetime_s;
  EXPECT_EQ(code_of(client.refresh(repository)), Code::expired);
  EXPECT_FALSE(client.updater.ready());
  repository.publish();  // it lives again
  EXPECT_TRUE(client.refresh(repository).has_value());
}

// The old timestamp has expired meanwhile, and still guards against an older one.
TEST(Updater, AnExpiredStoredTimestampStillStopsARollback) {
  Repository repository;
  Client client(repository);
  ASSERT_TRUE(client.refresh(repository).has_value());
  ota::Timestamp older = client.updater.trusted().timestamp()->value;
  repository.now += 2 * ota::kTimestampLifetime_s;
  --older.header.version;
  older.header.expires = repository.now + 1000;
  repository.publish_timestamp(older);
  EXPECT_EQ(code_of(client.refresh(repository)), Code::rollback);
}

TEST(Updater, MoreBytesThanAFileMayHaveAreRefusedEvenFromASourceThatIgnoresTheLimit) {
  for (const char* role : {"timestamp", "snapshot", "targets"}) {
    Repository repository;
    Client client(repository);
    repository.files[repository.served(role)] += std::string(20000, ' ');
    client.source.keeps_to_limits = false;
    EXPECT_EQ(code_of(client.refresh(repository)), Code::too_large) << role;
  }
}

TEST(Updater, AMissingFileIsNotFoundByName) {
  for (const char* role : {"timestamp", "snapshot", "targets"}) {
    Repository repository;
    Client client(repository);
    repository.files.erase(repository.served(role));
    const auto status = client.refresh(repository);
    EXPECT_EQ(code_of(status), Code::not_found);
    EXPECT_NE(status.error().what.find(repository.served(role)), std::string::npos);
  }
}

TEST(Updater, TheRootAloneIsTakenWhereNothingElseCanBeBelieved) {
  Repository repository;
  Client client(repository);
  repository.files.erase(repository.served("timestamp"));
  ASSERT_FALSE(client.refresh(repository).has_value());
  client.source.requests.clear();
  ASSERT_TRUE(client.updater.refresh_root(repository.root.header.expires + 1).has_value())
      << "a root that expired can be followed by another";
  EXPECT_EQ(client.updater.root().value.header.version, 1);
  EXPECT_FALSE(client.updater.ready());
  EXPECT_EQ(client.source.requests, names({"2.root.json"}));
}

TEST(Updater, TheFloorOfTheClockIsSignedAndBounded) {
  Repository repository;
  Client client(repository);
  ASSERT_TRUE(client.refresh(repository).has_value());
  EXPECT_EQ(client.updater.issued_floor(), repository.now);
  ota::Timestamp timestamp = client.updater.trusted().timestamp()->value;
  ++timestamp.header.version;
  timestamp.issued = 250'000'000'000;
  repository.publish_timestamp(timestamp);
  ASSERT_TRUE(client.refresh(repository).has_value());
  EXPECT_EQ(client.updater.issued_floor(), repository.targets.header.expires);
}

TEST(DirectoryStore, KeepsWholeFilesAndForgetsRemovedOnes) {
  const TempDir directory;
  auto disk = ota::RealDisk::open(directory.path());
  ASSERT_TRUE(disk.has_value());
  ASSERT_TRUE((*disk)->make_directory("metadata").has_value());
  ota::DirectoryMetadataStore store(**disk, "metadata");
  EXPECT_EQ(code_of(store.read("root.json", 100)), Code::not_found);
  ASSERT_TRUE(store.write("root.json", "one").has_value());
  ASSERT_TRUE(store.write("root.json", "two").has_value());
  EXPECT_EQ(*store.read("root.json", 100), "two");
  EXPECT_EQ(code_of(store.read("root.json", 2)), Code::too_large);
  EXPECT_TRUE(store.remove("root.json").has_value());
  EXPECT_TRUE(store.remove("root.json").has_value());
  EXPECT_EQ(code_of(store.read("root.json", 100)), Code::not_found);
}

TEST(DirectoryStore, CarriesAClientOverARestart) {
  const TempDir directory;
  auto disk = ota::RealDisk::open(directory.path());
  ASSERT_TRUE(disk.has_value());
  Repository repository;
  tuf::MemorySource source;
  source.files = repository.files;
  for (int run = 0; run < 2; ++run) {
    ota::DirectoryMetadataStore store(**disk, "");
    ota::Updater updater(source, store);
    source.requests.clear();
    ASSERT_TRUE(updater.bootstrap(repository.root_bytes).has_value());
    ASSERT_TRUE(updater.refresh(repository.now).has_value());
    ASSERT_TRUE(updater.find_target("apps/dns/1/manifest").has_value());
    EXPECT_EQ(source.requests.size(), run == 0 ? 5U : 2U);
  }
}

}  // namespace
