// Sealed secrets: opened by their device for their place, and by nobody and for nothing else.
#include "ota/keys_sealing.h"

#include <gtest/gtest.h>

namespace ota {
namespace {

constexpr SecretPlace kPlace{"device1", "dns", "tsig"};

std::string public_of(const SealingKey& key) {
  return std::string(key.public_bytes().begin(), key.public_bytes().end());
}

TEST(Sealing, IsOpenedByItsDeviceForItsPlaceAlone) {
  const SealingKey key = SealingKey::generate();
  const std::string value("two\nlines\0and a zero", 20);
  const auto sealed = seal(public_of(key), kPlace, Secret(value));
  ASSERT_TRUE(sealed.has_value());
  EXPECT_LE(sealed->size(), value.size() + kSealedOverheadBytes);
  EXPECT_EQ(sealed->find("lines"), std::string::npos);
  const auto opened = key.open(*sealed, kPlace);
  ASSERT_TRUE(opened.has_value());
  EXPECT_EQ(opened->view(), value);
  const SecretPlace others[] = {{"device2", "dns", "tsig"}, {"device1", "web", "tsig"},
                                {"device1", "dns", "tsi"},  {"device1", "dns", "tsig2"},
                                {"device1", "dn", "stsig"}};
  for (const SecretPlace& place : others) {
    const auto refused = key.open(*sealed, place);
    ASSERT_FALSE(refused.has_value()) << place.device_id << place.app << place.variable;
    EXPECT_EQ(refused.error().code, Code::unauthenticated);
  }
  EXPECT_FALSE(SealingKey::generate().open(*sealed, kPlace).has_value());
}

TEST(Sealing, EachChangedByteAndEachCutIsRefused) {
  const SealingKey key = SealingKey::generate();
  const auto sealed = seal(public_of(key), kPlace, Secret("x"));
  ASSERT_TRUE(sealed.has_value());
  for (std::size_t i = 0; i < sealed->size(); ++i) {
    std::string changed = *sealed;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    EXPECT_FALSE(key.open(changed, kPlace).has_value()) << i;
    EXPECT_FALSE(key.open(std::string_view(*sealed).substr(0, i), kPlace).has_value()) << i;
  }
}

TEST(Sealing, AKeyComesBackFromItsFile) {
  const SealingKey key = SealingKey::generate();
  const auto again = SealingKey::from_file(key.to_file().view());
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(again->public_bytes(), key.public_bytes());
  for (const char* text : {"", "00", "zz", "\n"}) {
    EXPECT_FALSE(SealingKey::from_file(text).has_value()) << text;
  }
  EXPECT_FALSE(seal("short", kPlace, Secret("x")).has_value());
}

}  // namespace
}  // namespace ota
