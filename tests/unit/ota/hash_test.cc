// Digests, secrets, passphrase boxes.
#include "ota/hash.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <set>

#include "proto/fd.h"

namespace {

using ota::Code;
using ota::PassphraseCost;
using ota::Secret;
using ota::Sha256;

constexpr const char* kAbc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

TEST(Hash, ANistVectorComesOutInOnePieceAndInThree) {
  EXPECT_EQ(ota::sha256("abc").hex(), kAbc);
  ota::Hasher hasher;
  for (const char* piece : {"a", "b", "c"}) hasher.update(piece);
  EXPECT_EQ(hasher.finish().hex(), kAbc);
  EXPECT_EQ(ota::sha512("abc").hex().substr(0, 32), "ddaf35a193617abacc417349ae204131");
}

TEST(Hash, ACopyOfAHasherGoesOnByItself) {
  ota::Hasher first;
  first.update("a");
  ota::Hasher second = first;
  first.update("bc");
  second.update("x");
  EXPECT_EQ(first.finish().hex(), kAbc);
  EXPECT_EQ(second.finish(), ota::sha256("ax"));
}

TEST(Hash, AFileIsHashedWholeAndItsOffsetStays) {
  const proto::Fd file(::memfd_create("hash_test", 0));
  const std::string content(200000, 'q');
  ASSERT_EQ(::write(file.get(), content.data(), content.size()), 200000);
  ASSERT_EQ(::lseek(file.get(), 7, SEEK_SET), 7);
  const auto digest = ota::hash_file(file.get());
  ASSERT_TRUE(digest.has_value());
  EXPECT_EQ(*digest, ota::sha256(content));
  const auto longer = ota::hash_file_sha512(file.get());
  ASSERT_TRUE(longer.has_value());
  EXPECT_EQ(*longer, ota::sha512(content));
  EXPECT_EQ(::lseek(file.get(), 0, SEEK_CUR), 7);
}

TEST(Hash, AFileThatCannotBeReadIsAnIoError) {
  const auto digest = ota::hash_file(-1);
  ASSERT_FALSE(digest.has_value());
  EXPECT_EQ(digest.error().code, Code::io);
}

TEST(Hash, ADigestHasOneSpelling) {
  EXPECT_TRUE(Sha256::from_hex(kAbc).has_value());
  const std::string good = kAbc;
  std::string upper = good;
  upper[0] = 'B';
  for (const std::string& bad : {std::string(), good.substr(1), good + "0", upper,
                                 "g" + good.substr(1), good.substr(0, 63) + " "}) {
    const auto digest = Sha256::from_hex(bad);
    ASSERT_FALSE(digest.has_value()) << bad;
    EXPECT_EQ(digest.error().code, Code::bad_argument);
  }
}

TEST(Hash, IdsAndTokensAreBase32AndDiffer) {
  std::set<std::string> ids;
  for (int i = 0; i < 1000; ++i) ids.insert(ota::random_id());
  EXPECT_EQ(ids.size(), 1000U);
  EXPECT_EQ(ids.begin()->size(), 16U);
  EXPECT_EQ(ids.begin()->find_first_not_of("abcdefghijklmnopqrstuvwxyz234567"), std::string::npos);
  EXPECT_EQ(ota::random_token().size(), 52U);
  EXPECT_NE(ota::random_token(), ota::random_token());
}

TEST(Hash, ComparingInConstantTimeComparesAllBytesAndTheLength) {
  EXPECT_TRUE(ota::equal_constant_time("abc", "abc"));
  EXPECT_FALSE(ota::equal_constant_time("abc", "abd"));
  EXPECT_FALSE(ota::equal_constant_time("abc", "abcd"));
  EXPECT_TRUE(ota::equal_constant_time("", ""));
}

TEST(Hash, ASecretMovesAndLeavesNothingBehind) {
  Secret first("open sesame");
  Secret second = std::move(first);
  EXPECT_TRUE(first.empty());  // NOLINT: that it is empty after the move is what is tested
  EXPECT_EQ(second.view(), "open sesame");
  std::string text = "open sesame";
  ota::wipe(text);
  EXPECT_TRUE(text.empty());
}

TEST(PassphraseBox, OpensWithItsPassphraseOnly) {
  const auto box = ota::seal_with_passphrase("the seed", Secret("ana"), PassphraseCost::quick);
  ASSERT_TRUE(box.has_value());
  EXPECT_EQ(box->find("the seed"), std::string::npos);
  const auto plain = ota::open_with_passphrase(*box, Secret("ana"));
  ASSERT_TRUE(plain.has_value());
  EXPECT_EQ(plain->view(), "the seed");
  const auto wrong = ota::open_with_passphrase(*box, Secret("anna"));
  ASSERT_FALSE(wrong.has_value());
  EXPECT_EQ(wrong.error().code, Code::unauthenticated);
}

TEST(PassphraseBox, RefusesAnEmptyPassphrase) {
  const auto box = ota::seal_with_passphrase("the seed", Secret(), PassphraseCost::quick);
  ASSERT_FALSE(box.has_value());
  EXPECT_EQ(box.error().code, Code::bad_argument);
}

TEST(PassphraseBox, RefusesEveryChangedByte) {
  const auto box = ota::seal_with_passphrase("the seed", Secret("ana"), PassphraseCost::quick);
  ASSERT_TRUE(box.has_value());
  for (std::size_t i = 0; i < box->size(); ++i) {
    if (i >= 8 && i < 16) continue;  // the cost: other costs are dear, and tested below
    std::string changed = *box;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    EXPECT_FALSE(ota::open_with_passphrase(changed, Secret("ana")).has_value()) << "byte " << i;
  }
  for (std::size_t length = 0; length < box->size(); ++length) {
    EXPECT_FALSE(ota::open_with_passphrase(box->substr(0, length), Secret("ana")).has_value());
  }
}

TEST(PassphraseBox, RefusesACostThatWouldTakeTheMachineDown) {
  auto box = ota::seal_with_passphrase("the seed", Secret("ana"), PassphraseCost::quick);
  ASSERT_TRUE(box.has_value());
  for (const std::size_t high_byte : {11U, 15U}) {  // of the operations, of the memory
    std::string changed = *box;
    changed[high_byte] = '\x7f';
    const auto plain = ota::open_with_passphrase(changed, Secret("ana"));
    ASSERT_FALSE(plain.has_value());
    EXPECT_EQ(plain.error().code, Code::bad_argument);
  }
}

}  // namespace
