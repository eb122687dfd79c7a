// The form of metadata: times, bounds, thresholds, paths, patterns.
#include <gtest/gtest.h>

#include "tests/unit/ota/tuf_fixture.h"

namespace {

using ota::Code;
using ota::Json;
using ota::PublicKey;
using ota::SigningKey;

TEST(TufTime, GoesToTextAndBack) {
  EXPECT_EQ(ota::format_time(0), "1970-01-01T00:00:00Z");
  EXPECT_EQ(ota::format_time(1798761599), "2026-12-31T23:59:59Z");
  EXPECT_EQ(*ota::parse_time("2026-12-31T23:59:59Z"), 1798761599);
  EXPECT_EQ(*ota::parse_time("2028-02-29T00:00:00Z") - *ota::parse_time("2028-02-28T00:00:00Z"),
            86400);
  for (const std::int64_t time : {-62167219200LL, -1LL, 253402300799LL}) {
    EXPECT_EQ(*ota::parse_time(ota::format_time(time)), time);
  }
}

TEST(TufTime, OtherSpellingsAreRefused) {
  for (const char* text :
       {"", "2026-12-31", "2026-12-31T23:59:59", "2026-12-31T23:59:59z", "2026-12-31 23:59:59Z",
        "2026-12-31T23:59:59+00:00", "2026-12-31T23:59:59.0Z", "2026-13-01T00:00:00Z",
        "2026-00-01T00:00:00Z", "2026-02-29T00:00:00Z", "2026-01-32T00:00:00Z",
        "2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z", "2026-01-01T00:00:60Z",
        "+026-01-01T00:00:00Z", "2026-1-001T00:00:00Z", " 026-01-01T00:00:00Z"}) {
    EXPECT_EQ(tuf::code_of(ota::parse_time(text)), Code::bad_metadata) << text;
  }
}

// One change to the `signed` part of a good targets file, and what the reader says to it.
struct Change {
  const char* name;
  const char* path;  // members joined by '/'
  const char* value;  // JSON, or "" to take the member away
  Code code;
};

void change(Json& object, std::string_view path, const char* value) {
  const std::size_t slash = path.find('/');
  if (slash == std::string_view::npos) {
    if (*value == '\0') {
      object.erase(path);
    } else {
      object.set(path, *ota::parse_json(value));
    }
    return;
  }
  Json inner = *object.find(path.substr(0, slash));
  change(inner, path.substr(slash + 1), value);
  object.set(path.substr(0, slash), std::move(inner));
}

class ChangedTargets : public testing::TestWithParam<Change> {};

TEST_P(ChangedTargets, IsReadOrRefused) {
  const tuf::Repository repository;
  Json signed_part = ota::to_json(repository.targets);
  change(signed_part, "targets", R"({"a": {"length": 1, "hashes": {"sha256":
      "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"}}})");
  change(signed_part, GetParam().path, GetParam().value);
  const auto read = ota::parse_targets(ota::sign_metadata(signed_part, {}));
  EXPECT_EQ(tuf::code_of(read), GetParam().code) << (read ? "" : read.error().what);
  if (!read) return;
  EXPECT_EQ(ota::canonical_json(ota::to_json(read->value)), read->canonical);
}

const Change kChanges[] = {
    {"UnknownMembersAreKept", "x-new", "{\"deep\": [1]}", Code::unset},
    {"UnknownMembersOfATargetAreKept", "targets/a/x", "1", Code::unset},
    {"UnknownHashesAreKept", "targets/a/hashes/blake9", "\"ab\"", Code::unset},
    {"NoType", "_type", "", Code::bad_metadata},
    {"AnotherType", "_type", "\"snapshot\"", Code::bad_metadata},
    {"NoVersion", "version", "", Code::bad_metadata},
    {"VersionZero", "version", "0", Code::bad_metadata},
    {"ANegativeVersion", "version", "-1", Code::bad_metadata},
    {"AVersionInQuotes", "version", "\"1\"", Code::bad_metadata},
    {"TheLargestNumberHasNoNext", "version", "9223372036854775807", Code::bad_metadata},
    {"TheOneBeforeIsFine", "version", "9223372036854775806", Code::unset},
    {"AnotherMajorSpec", "spec_version", "\"2.0.0\"", Code::not_supported},
    {"ASpecLikeOneButNot", "spec_version", "\"10.0\"", Code::not_supported},
    {"NoDate", "expires", "", Code::bad_metadata},
    {"ADateInSeconds", "expires", "1800000000", Code::bad_metadata},
    {"TargetsAsAList", "targets", "[]", Code::bad_metadata},
    {"ATargetWithoutLength", "targets/a/length", "", Code::bad_metadata},
    {"ANegativeLength", "targets/a/length", "-1", Code::bad_metadata},
    {"NoHashes", "targets/a/hashes", "", Code::bad_metadata},
    {"NoHashThatWeKnow", "targets/a/hashes", "{\"md5\": \"ab\"}", Code::bad_metadata},
    {"AShortHash", "targets/a/hashes/sha256", "\"abcd\"", Code::bad_metadata},
    {"CustomAsText", "targets/a/custom", "\"text\"", Code::bad_metadata},
    {"ATargetAboveItsFolder", "targets",
     R"({"../a": {"length": 1, "hashes": {"sha256":
         "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"}}})",
     Code::bad_metadata},
    {"DelegationsWithoutKeys", "delegations", "{\"roles\": []}", Code::bad_metadata},
    {"SuccinctRoles", "delegations", "{\"keys\": {}, \"succinct_roles\": {}}", Code::not_supported},
    {"AKeyUnderAWrongId", "delegations/keys",
     R"({"abcd": {"keytype": "ed25519", "scheme": "ed25519", "keyval": {"public": "00"}}})",
     Code::bad_metadata},
    {"AKeyIdTwiceInARole", "delegations/roles",
     R"([{"name": "a", "keyids": ["k", "k"], "threshold": 2, "terminating": true, "paths": []}])",
     Code::bad_metadata},
    {"AThresholdOfZero", "delegations/roles",
     R"([{"name": "a", "keyids": ["k"], "threshold": 0, "terminating": true, "paths": []}])",
     Code::bad_metadata},
    {"ARoleTwice", "delegations/roles",
     R"([{"name": "a", "keyids": [], "threshold": 1, "terminating": true, "paths": []},
         {"name": "a", "keyids": [], "threshold": 1, "terminating": true, "paths": []}])",
     Code::bad_metadata},
    {"ADelegationToRoot", "delegations/roles",
     R"([{"name": "root", "keyids": [], "threshold": 1, "terminating": true, "paths": []}])",
     Code::bad_metadata},
    {"ARoleWithANewlineInItsName", "delegations/roles",
     R"([{"name": "a\nb", "keyids": [], "threshold": 1, "terminating": true, "paths": []}])",
     Code::bad_metadata},
    {"ARoleThatNoFileCanBeNamedAfter", "delegations/roles",
     R"([{"name": "üüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüü",
          "keyids": [], "threshold": 1, "terminating": true, "paths": []}])",
     Code::bad_metadata},
    {"PathsAndPrefixesTogether", "delegations/roles",
     R"([{"name": "a", "keyids": [], "threshold": 1, "terminating": true, "paths": [],
          "path_hash_prefixes": []}])",
     Code::bad_metadata},
    {"NeitherPathsNorPrefixes", "delegations/roles",
     R"([{"name": "a", "keyids": [], "threshold": 1, "terminating": true}])", Code::bad_metadata},
};

INSTANTIATE_TEST_SUITE_P(Tuf, ChangedTargets, testing::ValuesIn(kChanges),
                         [](const auto& each) { return std::string(each.param.name); });

TEST(TufMetadata, ARootNeedsItsFourRoles) {
  const tuf::Repository repository;
  for (const char* role : {"root", "timestamp", "snapshot", "targets"}) {
    ota::Root root = repository.root;
    root.roles.erase(role);
    EXPECT_EQ(tuf::code_of(ota::parse_root(ota::sign(root, {}))), Code::bad_metadata) << role;
  }
}

TEST(TufMetadata, ATimestampNamesTheSnapshotAndNothingElse) {
  Json meta = *ota::parse_json(R"({"_type": "timestamp", "spec_version": "1.0", "version": 1,
      "expires": "2030-01-01T00:00:00Z", "meta": {"snapshot.json": {"version": 1}}})");
  EXPECT_TRUE(ota::parse_timestamp(ota::sign_metadata(meta, {})).has_value());
  for (const char* other : {"{}", "{\"targets.json\": {\"version\": 1}}", "[]",
                            "{\"snapshot.json\": {}}", "{\"snapshot.json\": {\"version\": 0}}"}) {
    meta.set("meta", *ota::parse_json(other));
    EXPECT_EQ(tuf::code_of(ota::parse_timestamp(ota::sign_metadata(meta, {}))), Code::bad_metadata);
  }
}

TEST(TufMetadata, TwoSignaturesOfOneIdAreRefused) {
  const tuf::Repository repository;
  const SigningKey* keys[] = {&repository.root_key, &repository.root_key};
  EXPECT_EQ(tuf::code_of(ota::parse_root(ota::sign(repository.root, keys))), Code::bad_metadata);
}

// A threshold is about different keys.
class Threshold : public testing::Test {
 protected:
  std::int64_t count(const std::vector<ota::Signature>& signatures) const {
    return ota::count_signatures("text", signatures, keys_, role_);
  }
  void add(const PublicKey& key) {
    keys_.insert_or_assign(key.keyid(), key);
    role_.keyids.push_back(key.keyid());
  }

  SigningKey a_ = SigningKey::generate();
  SigningKey b_ = SigningKey::generate();
  std::map<std::string, PublicKey> keys_;
  ota::RoleKeys role_;
};

TEST_F(Threshold, CountsEachKeyOnce) {
  add(a_.public_key());
  add(b_.public_key());
  EXPECT_EQ(count({}), 0);
  EXPECT_EQ(count({a_.sign("text")}), 1);
  EXPECT_EQ(count({a_.sign("text"), a_.sign("text")}), 1);
  EXPECT_EQ(count({a_.sign("text"), b_.sign("text")}), 2);
  EXPECT_EQ(count({a_.sign("text"), b_.sign("other")}), 1);
}

TEST_F(Threshold, OneKeyUnderTwoIdsCountsOnce) {
  Json second = a_.public_key().to_json();
  second.set("x-note", "the same key in another dress");
  const PublicKey again = *PublicKey::from_json(second);
  add(a_.public_key());
  add(again);
  ota::Signature signature = a_.sign("text");
  signature.keyid = again.keyid();
  EXPECT_EQ(count({a_.sign("text"), signature}), 1);
  role_.threshold = 2;
  const auto status =
      ota::verify_threshold("text", {a_.sign("text"), signature}, keys_, role_, "targets");
  EXPECT_EQ(tuf::code_of(status), Code::bad_signature);
}

TEST_F(Threshold, KeysOfOtherRolesAndUnknownIdsDoNotCount) {
  add(a_.public_key());
  keys_.insert_or_assign(b_.keyid(), b_.public_key());  // known, but not of this role
  role_.keyids.push_back(std::string(64, 'f'));         // of this role, but not known
  EXPECT_EQ(count({b_.sign("text")}), 0);
  EXPECT_EQ(count({{std::string(64, 'f'), a_.sign("text").sig_hex}}), 0);
}

TEST_F(Threshold, AKeyOfAnUnknownTypeIsIgnoredAndTheOthersCount) {
  Json strange = *ota::parse_json(R"({"keytype": "new", "scheme": "new", "keyval": {}})");
  const PublicKey unknown = *PublicKey::from_json(strange);
  add(unknown);
  add(a_.public_key());
  EXPECT_EQ(count({{unknown.keyid(), "00"}, a_.sign("text")}), 1);
}

TEST_F(Threshold, SignaturesThatAreNoHexAreWrongNotFatal) {
  add(a_.public_key());
  EXPECT_EQ(count({{a_.keyid(), "zz"}}), 0);
  EXPECT_EQ(count({{a_.keyid(), ""}}), 0);
  EXPECT_EQ(count({{a_.keyid(), "0"}}), 0);
}

TEST(TufMetadata, ASecondSignatureIsAddedAndAnOldOneReplaced) {
  const tuf::Repository repository;
  const SigningKey second = SigningKey::generate();
  const auto once = ota::add_signature(repository.root_bytes, second);
  const auto twice = ota::add_signature(*once, second);
  const auto read = ota::parse_root(*twice);
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->signatures.size(), 2U);
  EXPECT_EQ(read->canonical, ota::parse_root(repository.root_bytes)->canonical);
  EXPECT_EQ(tuf::code_of(ota::add_signature("{}", second)), Code::bad_metadata);
}

TEST(TufPaths, TraversalAndStrangeBytesAreRefused) {
  for (const std::string& path :
       {std::string(), std::string("/a"), std::string("a/"), std::string("a//b"), std::string("."),
        std::string(".."), std::string("a/../b"), std::string("a/./b"), std::string("../a"),
        std::string("a\\b"), std::string("a\nb"), std::string("a\0b", 3), std::string("a\x7f"),
        std::string(1025, 'a')}) {
    EXPECT_EQ(tuf::code_of(ota::check_target_path(path)), Code::bad_metadata) << path;
  }
  for (const char* path : {"a", "apps/dns/1/manifest", "a/..b/c.", "...", "caf\xc3\xa9/a b"}) {
    EXPECT_TRUE(ota::check_target_path(path).has_value()) << path;
  }
}

struct Pattern {
  const char* pattern;
  const char* path;
  bool match;
};

TEST(TufPaths, PatternsMatchSegmentBySegment) {
  const Pattern cases[] = {
      {"apps/dns/*/*", "apps/dns/1/manifest", true},
      {"apps/dns/*/*", "apps/dns/blobs/abc", true},
      {"apps/dns/*/*", "apps/dns/1", false},
      {"apps/dns/*/*", "apps/dns/1/a/b", false},
      {"apps/dns/*/*", "apps/dns2/1/manifest", false},
      {"apps/dns/*/*", "apps/dn/1/manifest", false},
      {"*", "a", true},
      {"*", "a/b", false},
      {"*/b", "a/b", true},
      {"a?c", "abc", true},
      {"a?c", "ac", false},
      {"a?c", "a/c", false},
      {"a?c", "a\xc3\xa9" "c", true},
      {"*.img", "x.img", true},
      {"*.img", ".img", true},
      {"*.img", "x.imgs", false},
      {"a*b*c", "aXbYbZc", true},
      {"a*b*c", "aXbY", false},
      {"**", "abc", true},
      {"[ab]", "a", false},
      {"[ab]", "[ab]", true},
      {"", "a", false},
      {"A", "a", false},
  };
  for (const Pattern& each : cases) {
    EXPECT_EQ(ota::path_matches(each.pattern, each.path), each.match)
        << each.pattern << " on " << each.path;
  }
}

TEST(TufPaths, ManyStarsDoNotTakeForEver) {
  std::string pattern;
  for (int i = 0; i < 200; ++i) pattern += "*a";
  EXPECT_FALSE(ota::path_matches(pattern + "b", std::string(1000, 'a')));
}

TEST(TufPaths, DigestPrefixesDelegateByTheDigestOfThePath) {
  const std::string digest = ota::sha256("some/file").hex();
  ota::DelegatedRole role;
  role.path_hash_prefixes = {"zz", digest.substr(0, 3)};
  EXPECT_TRUE(ota::delegates(role, "some/file"));
  role.path_hash_prefixes = {digest.substr(1, 3) + "zz"};
  EXPECT_FALSE(ota::delegates(role, "some/file"));
}

TEST(TufPaths, FileNamesAreSafeForUrlsAndDirectories) {
  EXPECT_EQ(ota::metadata_file_name("timestamp"), "timestamp.json");
  EXPECT_EQ(ota::metadata_file_name("root", 3), "3.root.json");
  EXPECT_EQ(ota::metadata_file_name("../../etc/x y", 1), "1...%2F..%2Fetc%2Fx%20y.json");
  EXPECT_EQ(ota::metadata_file_name("caf\xc3\xa9"), "caf%C3%A9.json");
  ota::TargetFile file;
  file.hashes.sha256 = ota::sha256("abc");
  const std::string digest = ota::sha256("abc").hex();
  EXPECT_EQ(ota::target_file_path("a/b", file, true), "a/" + digest + ".b");
  EXPECT_EQ(ota::target_file_path("b", file, true), digest + ".b");
  EXPECT_EQ(ota::target_file_path("a/b", file, false), "a/b");
}

TEST(TufMetadata, BytesMatchOnlyWithLengthAndEveryDigest) {
  ota::Hashes hashes;
  EXPECT_FALSE(ota::matches("abc", 3, hashes));
  hashes.sha256 = ota::sha256("abc");
  EXPECT_TRUE(ota::matches("abc", 3, hashes));
  EXPECT_TRUE(ota::matches("abc", {}, hashes));
  EXPECT_FALSE(ota::matches("abc", 4, hashes));
  EXPECT_FALSE(ota::matches("abd", 3, hashes));
  hashes.sha512 = ota::sha512("abd");
  EXPECT_FALSE(ota::matches("abc", 3, hashes));
}

}  // namespace
